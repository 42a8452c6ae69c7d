-- Where the picker's windows go on a screen of a given size. Pure.

local M = {}

local PREVIEW_COLUMNS = 60 -- below it there is no preview
local SIDE_BY_SIDE_COLUMNS = 100
local STACKED_LINES = 20
local BORDER_LINES = 7 -- below it borders would leave no row for a hit

---@class auto_context.LayoutRequest
---@field columns integer of the screen
---@field lines integer of the screen that are free for windows
---@field width number part of the columns
---@field height number part of the lines
---@field preview boolean wanted
---@field layout 'auto'|'wide'|'tall' auto: side by side where there is room for it
---@field border integer thickness wanted

---@param value number
---@param low integer
---@param high integer
---@return integer
local function clamp(value, low, high)
  return math.max(low, math.min(high, math.floor(value)))
end

---@param request auto_context.LayoutRequest
---@return auto_context.Layout
function M.compute(request)
  local columns, lines = math.max(1, request.columns), math.max(2, request.lines)
  local border = (lines < BORDER_LINES or columns < 10) and 0 or request.border
  local frame = 2 * border
  -- Outer sizes: on a small screen every cell is used.
  local width = columns < PREVIEW_COLUMNS and columns or clamp(columns * request.width, PREVIEW_COLUMNS, columns)
  local height = lines < STACKED_LINES and lines or clamp(lines * request.height, STACKED_LINES, lines)
  local row, col = math.floor((lines - height) / 2), math.floor((columns - width) / 2)

  local preview = request.preview and columns >= PREVIEW_COLUMNS and height >= 3 + 2 * frame + 3
  local beside = preview
    and (request.layout == 'wide' or (request.layout ~= 'tall' and columns >= SIDE_BY_SIDE_COLUMNS))
  preview = preview and (beside or lines >= STACKED_LINES)

  local list_width = beside and math.floor(width / 2) or width
  local list_height = math.max(1, height - 1 - 2 * frame)
  local preview_height = 0
  if preview and not beside then
    preview_height = math.floor((height - 1 - 3 * frame) / 2)
    list_height = math.max(1, height - 1 - 3 * frame - preview_height)
  end

  local layout = {
    border = border,
    prompt = { row = row, col = col, width = math.max(1, list_width - frame), height = 1 },
    list = { row = row + 1 + frame, col = col, width = math.max(1, list_width - frame), height = list_height },
  }
  if beside then
    layout.preview = {
      row = row,
      col = col + list_width,
      width = math.max(1, width - list_width - frame),
      height = math.max(1, height - frame),
    }
  elseif preview then
    layout.preview = {
      row = layout.list.row + list_height + frame,
      col = col,
      width = math.max(1, width - frame),
      height = math.max(1, preview_height),
    }
  end
  return layout
end

return M
