-- The mouse in the picker: a click selects, a double click opens, the wheel scrolls what is under the pointer, and a
-- click outside closes.

local M = {}

local LINES = 3 -- a notch of the wheel

---@param picker auto_context.Picker
---@return 'prompt'|'list'|'preview'|nil pane under the pointer
---@return integer line there, 1-based; 0 on a border
local function under(picker)
  local at = vim.fn.getmousepos()
  return picker.view:pane_of(at.winid), at.line
end

---@param picker auto_context.Picker
---@param open boolean
local function click(picker, open)
  local pane, line = under(picker)
  if not pane then
    picker:close()
  elseif pane == 'list' and line >= 1 and line <= #picker.rows then
    picker:go(line)
    if open then
      picker:accept('edit')
    end
  end
end

---@param picker auto_context.Picker
---@param direction 1|-1
local function wheel(picker, direction)
  local pane = under(picker)
  if pane == 'list' and #picker.rows > 0 then
    picker:go(picker.selected + direction * LINES)
  elseif pane == 'preview' then
    picker:scroll(direction, LINES)
  end
end

---@param picker auto_context.Picker
---@param map fun(key: string, run: fun())
function M.attach(picker, map)
  map('<LeftMouse>', function()
    click(picker, false)
  end)
  map('<2-LeftMouse>', function()
    click(picker, true)
  end)
  map('<ScrollWheelDown>', function()
    wheel(picker, 1)
  end)
  map('<ScrollWheelUp>', function()
    wheel(picker, -1)
  end)
  for _, key in ipairs({ '<LeftDrag>', '<LeftRelease>', '<3-LeftMouse>', '<4-LeftMouse>', '<RightMouse>' }) do
    map(key, function() end)
  end
end

return M
