-- A yes or a no of the person, through `vim.ui.select`.

local M = {}

---@param question string one line
---@param yes string what a yes does, in a word or two
---@param callback fun(agreed: boolean) also called when the question is closed
function M.confirm(question, yes, callback)
  if #vim.api.nvim_list_uis() == 0 then
    return callback(false) -- nobody is there to ask
  end
  vim.ui.select({ yes, 'Cancel' }, { prompt = question, kind = 'auto_context' }, function(choice)
    vim.cmd.redraw() -- else the next message stands below the question, and waits for a key
    callback(choice == yes)
  end)
end

return M
