-- The rows of the picker's list: their text, what stands before it, and what is highlighted in it.

local hits = require('auto_context.hit')
local icons = require('auto_context.icons')
local match = require('auto_context.match')

local M = {}

local api = vim.api

local LEAST_WITH_GUTTER = 24 -- cells of a list; below it a row needs them all
local MARK, NO_MARK = '● ', '  '
local ABOVE = 5000 -- priority over the span that the words stand in

---@class auto_context.picker.Drawing
---@field rows auto_context.Hit[]
---@field selected integer 1-based
---@field source auto_context.picker.Source
---@field marks auto_context.picker.Marks
---@field branch? string

---What stands before a row, outside its text: a mark's place when there is any mark, then an icon.
---@param hit auto_context.Hit
---@param marks auto_context.picker.Marks
---@return { [1]: string, [2]: string? }[] chunks
---@return integer width in cells
local function gutter(hit, marks)
  local chunks, width = {}, 0
  if marks:count() > 0 then
    chunks[1], width = { marks:has(hit) and MARK or NO_MARK, 'AutoContextMarked' }, 2
  end
  local icon, group = icons.get(hit.path)
  if icon then
    local text = hits.printable(icon) .. ' '
    chunks[#chunks + 1], width = { text, group }, width + vim.fn.strdisplaywidth(text)
  end
  return chunks, width
end

---@param buffer integer
---@param namespace integer
---@param line integer 0-based
---@param text string
---@param spans auto_context.Span[]
---@param terms string[]
local function paint(buffer, namespace, line, text, spans, terms)
  for _, span in ipairs(spans) do
    api.nvim_buf_set_extmark(buffer, namespace, line, span.first, { end_col = span.last, hl_group = span.group })
    if span.group == 'AutoContextPath' or span.group == 'AutoContextSymbol' then
      for _, found in ipairs(match.spans(text:sub(span.first + 1, span.last), terms)) do
        local range = { end_col = span.first + found.last, hl_group = 'AutoContextMatch', priority = ABOVE }
        api.nvim_buf_set_extmark(buffer, namespace, line, span.first + found.first, range)
      end
    end
  end
end

---@param buffer integer
---@param namespace integer cleared first
---@param width integer in cells
---@param drawing auto_context.picker.Drawing
function M.draw(buffer, namespace, width, drawing)
  local lines, spans, before = {}, {}, {}
  for i, hit in ipairs(drawing.rows) do
    local taken = 0
    if width >= LEAST_WITH_GUTTER then
      before[i], taken = gutter(hit, drawing.marks)
    end
    lines[i], spans[i] = hits.row(hit, width - taken)
  end
  api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for i, text in ipairs(lines) do
    paint(buffer, namespace, i - 1, text, spans[i], drawing.source.terms)
    if before[i] and #before[i] > 0 then
      local inline = { virt_text = before[i], virt_text_pos = 'inline', right_gravity = false }
      api.nvim_buf_set_extmark(buffer, namespace, i - 1, 0, inline)
    end
  end
end

return M
