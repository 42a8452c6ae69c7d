-- The one way a `User AutoContext*` event is fired. The manual lists them (|auto_context-events|).

local M = {}

---@param name 'IndexStarted'|'Progress'|'Indexed'|'Branch'|'Install'|'HostExit'
---@param data table
function M.fire(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = 'AutoContext' .. name, data = data, modeline = false })
end

return M
