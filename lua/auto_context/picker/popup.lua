-- A window over the picker that any key closes: its help, and an explanation where there is no preview.

local config = require('auto_context.config')

local M = {}

local api = vim.api
local SCROLL = { '<C-d>', '<C-u>', '<C-f>', '<C-b>', '<PageDown>', '<PageUp>', '<ScrollWheelUp>', '<ScrollWheelDown>' }
local NAMED =
  { 'Esc', 'CR', 'Tab', 'S-Tab', 'BS', 'Del', 'Up', 'Down', 'Left', 'Right', 'Home', 'End', 'F1', 'LeftMouse' }

---@return string[] keys that close it
local function closing_keys()
  local keys = { '<Space>', '<lt>', '<Bar>', '<Bslash>', '<C-/>', '<C-_>' }
  for byte = 33, 126 do
    local key = string.char(byte)
    if not key:match('[<|\\]') then
      keys[#keys + 1] = key
    end
  end
  for _, name in ipairs(NAMED) do
    keys[#keys + 1] = '<' .. name .. '>'
  end
  for byte = 97, 122 do
    local key = '<C-' .. string.char(byte) .. '>'
    if not vim.tbl_contains(SCROLL, key) then
      keys[#keys + 1] = key
    end
  end
  return keys
end

---@param lines string[]
---@return vim.api.keyset.win_config
local function shape(lines)
  local border, thickness = config.border()
  local width = 1
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  local free = vim.o.lines - vim.o.cmdheight
  width = math.max(1, math.min(width + 1, vim.o.columns - 2 * thickness))
  local height = math.max(1, math.min(#lines, free - 2 * thickness))
  return {
    relative = 'editor',
    style = 'minimal',
    border = border,
    width = width,
    height = height,
    row = math.max(0, math.floor((free - height) / 2) - thickness),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - thickness),
    zindex = 80,
    noautocmd = true,
  }
end

---@class auto_context.picker.Popup
---@field close fun()

---@param title string
---@param lines string[]
---@param spans { line: integer, span: auto_context.Span }[] lines are 1-based
---@param closed fun() runs once, when it is gone
---@return auto_context.picker.Popup
function M.open(title, lines, spans, closed)
  local buffer = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  local namespace = api.nvim_create_namespace('auto_context_popup')
  for _, at in ipairs(spans) do
    local range = { end_col = at.span.last, hl_group = at.span.group }
    api.nvim_buf_set_extmark(buffer, namespace, at.line - 1, at.span.first, range)
  end
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = 'wipe'
  local form = shape(lines)
  if form.border ~= 'none' then
    form.title = { { ' ' .. title .. ' ', 'AutoContextTitle' } }
  end
  vim.cmd.stopinsert()
  local window = api.nvim_open_win(buffer, true, form)
  vim.wo[window].winhighlight = 'Normal:AutoContextNormal,NormalFloat:AutoContextNormal,FloatBorder:AutoContextBorder'
  vim.wo[window].wrap = false
  local done = false
  local function close()
    if done then
      return
    end
    done = true
    pcall(api.nvim_win_close, window, true)
    closed()
  end
  for _, key in ipairs(closing_keys()) do
    vim.keymap.set('n', key, close, { buffer = buffer, nowait = true })
  end
  api.nvim_create_autocmd('WinLeave', { buffer = buffer, once = true, callback = vim.schedule_wrap(close) })
  return { close = close }
end

return M
