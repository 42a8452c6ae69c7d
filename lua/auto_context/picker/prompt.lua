-- The text in the picker's prompt: one line, and a query of last time that gives way to what is typed.

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_restored')

---@class auto_context.picker.Prompt
---@field private pane { win: integer, buf: integer }
---@field private restored? string the query of last time, gone at the first key
local Prompt = {}
Prompt.__index = Prompt

---@param pane { win: integer, buf: integer }
---@return auto_context.picker.Prompt
function M.new(pane)
  return setmetatable({ pane = pane }, Prompt)
end

---@return boolean
function Prompt:is_valid()
  return api.nvim_buf_is_valid(self.pane.buf) and api.nvim_win_is_valid(self.pane.win)
end

---@param text string
function Prompt:set(text)
  self:keep()
  api.nvim_buf_set_lines(self.pane.buf, 0, -1, true, { text })
  api.nvim_win_set_cursor(self.pane.win, { 1, #text })
  -- A long text before this one may have left the window scrolled sideways.
  api.nvim_win_call(self.pane.win, function()
    vim.fn.winrestview({ leftcol = 0 })
  end)
end

---@return string
function Prompt:text()
  return table.concat(api.nvim_buf_get_lines(self.pane.buf, 0, -1, true), ' ')
end

---@param text string of last time: the next key replaces it
function Prompt:restore(text)
  self:set(text)
  self.restored = text
  local range = { end_col = #text, hl_group = 'AutoContextRestored' }
  api.nvim_buf_set_extmark(self.pane.buf, namespace, 0, 0, range)
end

---A restored query is an ordinary text from now on.
function Prompt:keep()
  self.restored = nil
  api.nvim_buf_clear_namespace(self.pane.buf, namespace, 0, -1)
end

---The cursor was moved into a restored query: a person wants to change it.
function Prompt:moved()
  local line = api.nvim_buf_get_lines(self.pane.buf, 0, 1, true)[1]
  local at_end = api.nvim_win_get_cursor(self.pane.win)[2] == #line
  if self.restored and not at_end and line == self.restored then
    self:keep()
  end
end

---What is typed now; several lines (a paste) become one, a restored query gives way.
---@return string
function Prompt:read()
  local lines = api.nvim_buf_get_lines(self.pane.buf, 0, -1, true)
  local text = table.concat(lines, ' ')
  local before = self.restored
  if before and text ~= before then
    self:keep()
    text = vim.startswith(text, before) and text:sub(#before + 1) or ''
  end
  if #lines > 1 or text ~= lines[1] then
    self:set(text)
  end
  return text
end

return M
