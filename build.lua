-- Makes the Python environment after an install or an update: lazy.nvim runs this file by itself, other managers by a
-- hook (see README). Asks before the first download, does nothing when the environment fits or is the person's own.

local root = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
vim.opt.runtimepath:prepend(root) -- a manager may not have loaded the plugin yet

local install = require('auto_context.install')
local has_lazy, async = pcall(require, 'lazy.async')
local running = has_lazy and async.running() or nil
local over, problem = false, nil
local begun = install.build(function(error)
  over, problem = true, error
end, running ~= nil)
if not begun then
  return
end

if running then
  local said
  while not over do
    local state = install.state()
    if state and state.text ~= said then
      said = state.text
      coroutine.yield(('%d of %d: %s'):format(state.step, state.steps, said)) -- lazy.nvim shows it
    end
    running:sleep(200)
  end
  if problem and problem.code ~= 'cancelled' then
    error(problem.message, 0)
  end
elseif #vim.api.nvim_list_uis() == 0 then
  vim.wait(3600 * 1000, function() -- a script: it would end Neovim, and the installation with it
    return over
  end, 100)
end
