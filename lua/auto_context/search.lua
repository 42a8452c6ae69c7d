-- One search, as every picker, plugin and script asks it: what the options say is filled in.

local buffers = require('auto_context.buffers')
local config = require('auto_context.config')
local rpc = require('auto_context.rpc')

local M = {}

---Ask. `callback` runs exactly once, on the main loop, unless the search is cancelled.
---@param params auto_context.SearchParams
---@param callback fun(error?: auto_context.Error, reply?: auto_context.Reply)
---@return fun() cancel
function M.request(params, callback)
  local options = config.get()
  buffers.sync(params.root)
  -- nil: as the service has it
  local defaults = { limit = options.limit, threshold = options.threshold }
  return rpc.request('search', vim.tbl_extend('keep', params, defaults), callback)
end

return M
