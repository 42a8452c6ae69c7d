-- Where the service keeps things: the same order as Python's `paths.py`.

local M = {}

---@param variable string what moves the folder as a whole
---@param xdg string the XDG variable it follows otherwise; a relative value does not count
---@param fallback string
---@return string
local function folder(variable, xdg, fallback)
  local override = vim.env[variable]
  if override and override ~= '' then
    return override
  end
  local base = vim.env[xdg]
  base = base and vim.startswith(base, '/') and base or vim.fn.expand(fallback)
  return vim.fs.joinpath(base, 'auto-context')
end

---@return string indexes
function M.data()
  return folder('AUTO_CONTEXT_DATA_DIR', 'XDG_DATA_HOME', '~/.local/share')
end

---@return string logs
function M.log()
  return folder('AUTO_CONTEXT_LOG_DIR', 'XDG_STATE_HOME', '~/.local/state')
end

return M
