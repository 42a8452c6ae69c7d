-- For scripts and plugins that need an answer before they go on: waits, while Neovim goes on with everything else.
-- The one module that waits. <C-c> ends it; so does the time that was given.

local errors = require('auto_context.errors')

local M = {}

local DEFAULT_MS = 10000
local INTERRUPTED = -2

---@param ask fun(callback: fun(error?: auto_context.Error, result?: any)): fun()
---@param timeout_ms? integer default 10000
---@return any? result nil with an error
---@return auto_context.Error? error
function M.wait(ask, timeout_ms)
  if vim.in_fast_event() then
    -- Of a timer or another callback of libuv, where Neovim can do nothing.
    return nil, errors.new('bad_request', 'cannot wait in a callback of libuv', 'wrap it in vim.schedule()')
  end
  local limit = timeout_ms or DEFAULT_MS
  local done, error, result = false, nil, nil
  local cancel = ask(function(problem, answer)
    done, error, result = true, problem, answer
  end)
  local ok, answered, why = pcall(vim.wait, limit, function()
    return done
  end)
  if not ok or not answered then
    cancel()
  end
  if not ok then
    return nil, errors.new('cancelled', 'interrupted: ' .. tostring(answered), '')
  elseif not answered and why == INTERRUPTED then
    return nil, errors.new('cancelled', 'interrupted', '')
  elseif not answered then
    return nil, errors.new('timed_out', ('no answer within %d ms'):format(limit))
  end
  return result, error
end

return M
