-- The codes of every fault and how loud each is. The same table as `auto_context.errors.CODES` in Python.

local M = {}

---@type table<string, 'info'|'warn'|'error'>
M.levels = {
  bad_request = 'warn',
  path_missing = 'warn',
  outside_root = 'warn',
  not_indexed = 'info',
  too_large = 'warn',
  bare_repository = 'warn',
  git_failed = 'warn',
  git_busy = 'info',
  config_invalid = 'warn',
  model_missing = 'error',
  model_invalid = 'error',
  download_failed = 'warn',
  worker_down = 'warn',
  store_newer = 'error',
  store_damaged = 'error',
  disk_full = 'error',
  storage_failed = 'error',
  job_missing = 'info',
  cancelled = 'info',
  timed_out = 'warn',
  service_unreachable = 'error',
  service_failed = 'error',
  service_newer = 'error',
  unsafe_directory = 'error',
  unsupported_platform = 'error',
  python_missing = 'error',
  install_failed = 'error',
  host_failed = 'error',
  internal = 'error',
}

-- What to do about it from inside Neovim, where the hint of the Python side speaks of the shell.
---@type table<string, string>
local hints = {
  not_indexed = 'run `:AutoContext index` there first',
  too_large = 'confirm with `:AutoContext index!`, or open a smaller folder',
  worker_down = 'search goes on without vectors; `:AutoContext log` has the details',
  service_unreachable = 'see `:AutoContext log`',
  timed_out = 'ask again; a model is still being loaded, or `:AutoContext log` says what is slow',
  python_missing = 'run `:AutoContext install`, or set `python` in setup()',
  install_failed = 'see `:AutoContext log`',
  host_failed = 'see `:AutoContext log`; any `:AutoContext` tries again',
  internal = 'this is a bug; please report it with `:AutoContext log`',
}

---@param code string
---@param message string
---@param hint? string
---@return auto_context.Error
function M.new(code, message, hint)
  return { code = code, message = message, hint = hint or hints[code] or '' }
end

---Whatever came over the wire, or out of pcall, as a coded error.
---@param value any
---@return auto_context.Error
function M.from(value)
  if type(value) ~= 'table' then
    return M.new('internal', tostring(value))
  end
  local code = M.levels[value.code] and value.code or 'internal'
  local message = tostring(value.message or 'unknown error')
  return M.new(code, message, hints[code] or value.hint)
end

---@param error auto_context.Error
---@return string
function M.text(error)
  if error.hint == '' then
    return error.message
  end
  return ('%s; %s'):format(error.message, error.hint)
end

return M
