-- The picker's windows and what stands in them. Knows nothing of requests: it draws a source and a selection.

local config = require('auto_context.config')
local hits = require('auto_context.hit')
local layouts = require('auto_context.picker.layout')
local list = require('auto_context.picker.list')
local texts = require('auto_context.picker.texts')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_picker')

local SHORTEST_TITLE = 12

---@type table<string, string>
local links = {
  AutoContextNormal = 'NormalFloat',
  AutoContextBorder = 'FloatBorder',
  AutoContextTitle = 'FloatTitle',
  AutoContextSelection = 'CursorLine',
  AutoContextPath = 'Normal',
  AutoContextLine = 'LineNr',
  AutoContextSymbol = 'Function',
  AutoContextLegs = 'Comment',
  AutoContextStale = 'WarningMsg',
  AutoContextHint = 'Comment',
  AutoContextError = 'ErrorMsg',
  AutoContextRestored = 'Visual',
  AutoContextFocus = 'Visual',
  AutoContextMatch = 'Special',
  AutoContextPreviewMatch = 'Search',
  AutoContextMarked = 'Statement',
  AutoContextUnsaved = 'WarningMsg',
  AutoContextKey = 'Special',
}

---@class auto_context.picker.View
---@field prompt { win: integer, buf: integer }
---@field list { win: integer, buf: integer }
---@field preview? { win: integer, buf: integer }
---@field private border string|string[]
---@field private layout auto_context.Layout
---@field private shape auto_context.picker.Shape
---@field private drawn? table what the list's lines were made of
local View = {}
View.__index = View

function M.highlights()
  for group, link in pairs(links) do
    api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

---@class auto_context.picker.Shape what a person may change while it is open
---@field layout 'auto'|'wide'|'tall'
---@field preview boolean

---@param wanted_border integer
---@param shape auto_context.picker.Shape
---@return auto_context.Layout
local function compute(wanted_border, shape)
  local options = config.get()
  return layouts.compute({
    columns = vim.o.columns,
    lines = vim.o.lines - vim.o.cmdheight,
    width = options.width,
    height = options.height,
    preview = shape.preview,
    layout = shape.layout,
    border = wanted_border,
  })
end

---@param name string
---@return integer buffer
local function scratch(name)
  local buffer = api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].filetype = name
  return buffer
end

---@private
---@param box auto_context.Box
---@return vim.api.keyset.win_config
function View:_config(box)
  local shape = { relative = 'editor', row = box.row, col = box.col, width = box.width, height = box.height }
  shape.border = self.layout.border == 0 and 'none' or self.border
  shape.zindex = 60
  return shape
end

---@private
---@param box auto_context.Box
---@param buffer integer
---@param enter boolean
---@return { win: integer, buf: integer }
function View:_open(box, buffer, enter)
  local shape = self:_config(box)
  shape.style = 'minimal'
  -- The window options below must not run a person's own autocommands on our windows.
  shape.noautocmd = true
  local win = api.nvim_open_win(buffer, enter, shape)
  vim.wo[win].winhighlight = 'Normal:AutoContextNormal,NormalFloat:AutoContextNormal,FloatBorder:AutoContextBorder,'
    .. 'FloatTitle:AutoContextTitle,CursorLine:AutoContextSelection'
  vim.wo[win].wrap = false
  vim.wo[win].linebreak = true
  return { win = win, buf = buffer }
end

---@param shape auto_context.picker.Shape
---@return auto_context.picker.View
function M.open(shape)
  M.highlights()
  local self = setmetatable({ shape = shape }, View)
  local thickness
  self.border, thickness = config.border()
  self.layout = compute(thickness, self.shape)
  self.list = self:_open(self.layout.list, scratch('auto_context_list'), false)
  if self.layout.preview then
    self:_open_preview()
  end
  self.prompt = self:_open(self.layout.prompt, scratch('auto_context_prompt'), true)
  vim.b[self.prompt.buf].completion = false
  return self
end

---@private
function View:_open_preview()
  self.preview = self:_open(self.layout.preview, scratch('auto_context_preview'), false)
  vim.wo[self.preview.win].number = true
  vim.wo[self.preview.win].scrolloff = 0
end

---Fit to the screen as it is now.
---@param shape? auto_context.picker.Shape else as before
function View:resize(shape)
  self.shape = shape or self.shape
  local thickness
  self.border, thickness = config.border()
  self.layout = compute(thickness, self.shape)
  for _, name in ipairs({ 'prompt', 'list', 'preview' }) do
    local pane, box = self[name], self.layout[name]
    if pane and box and api.nvim_win_is_valid(pane.win) then
      api.nvim_win_set_config(pane.win, self:_config(box))
    end
  end
  if self.layout.preview and not (self.preview and api.nvim_win_is_valid(self.preview.win)) then
    self:_open_preview()
  elseif self.preview and not self.layout.preview then
    pcall(api.nvim_win_close, self.preview.win, true)
    self.preview = nil
  end
end

---@return boolean whether it can be drawn; a leaving Neovim unloads buffers and keeps their windows
function View:is_valid()
  for _, pane in ipairs({ self.prompt, self.list }) do
    if not (api.nvim_win_is_valid(pane.win) and api.nvim_buf_is_loaded(pane.buf)) then
      return false
    end
  end
  return true
end

---@private
---@param source auto_context.picker.Source
function View:_message(source)
  local lines, group = texts.message(source)
  api.nvim_buf_set_lines(self.list.buf, 0, -1, true, vim.tbl_map(hits.printable, lines))
  api.nvim_buf_clear_namespace(self.list.buf, namespace, 0, -1)
  for i, line in ipairs(lines) do
    local range = { end_col = #hits.printable(line), hl_group = group }
    api.nvim_buf_set_extmark(self.list.buf, namespace, i - 1, 0, range)
  end
end

---@param a any[]
---@param b? any[]
---@return boolean whether they hold the very same things
local function same(a, b)
  for i, value in ipairs(a) do
    if not b or b[i] ~= value then
      return false
    end
  end
  return true
end

---@param drawing auto_context.picker.Drawing
function View:draw(drawing)
  local rows, source = drawing.rows, drawing.source
  if #rows == 0 then
    self.drawn = nil
    self:_message(source)
  else
    -- A key or a figure of progress changes no row.
    local made_of = { rows, source.terms, drawing.marks, drawing.marks.version, self.layout.list.width }
    if not same(made_of, self.drawn) then
      list.draw(self.list.buf, namespace, self.layout.list.width, drawing)
      self.drawn = made_of
    end
  end
  vim.wo[self.list.win].cursorline = #rows > 0
  vim.wo[self.list.win].wrap = #rows == 0
  self:select(#rows == 0 and 1 or drawing.selected, rows[drawing.selected])
  self:set_title(texts.title(source, drawing.branch, drawing.marks:count()), #rows > 0 and source.query == '')
end

---@param row integer 1-based
---@param hit? auto_context.Hit what stands there; the list's lower border says in words what found it
function View:select(row, hit)
  api.nvim_win_set_cursor(self.list.win, { math.min(row, api.nvim_buf_line_count(self.list.buf)), 0 })
  if self.layout.border > 0 then
    local text = hit and hits.truncate(hits.describe(hit), self.layout.list.width - 2, 'right') or ''
    text = text == '' and '' or ' ' .. text .. ' '
    api.nvim_win_set_config(self.list.win, { footer = { { text, 'AutoContextLegs' } }, footer_pos = 'right' })
  end
end

---@param text string
---@param hint boolean say in the empty prompt what may be typed
function View:set_title(text, hint)
  local width = self.layout.prompt.width
  text = hits.printable(text)
  api.nvim_buf_clear_namespace(self.prompt.buf, namespace, 0, -1)
  if hint then
    local words = { { hits.truncate(texts.HINT, width, 'right'), 'AutoContextHint' } }
    api.nvim_buf_set_extmark(self.prompt.buf, namespace, 0, 0, { virt_text = words, virt_text_pos = 'overlay' })
  end
  if self.layout.border > 0 then
    local title = ' ' .. hits.truncate(text, width - 2, 'right') .. ' '
    api.nvim_win_set_config(self.prompt.win, { title = { { title, 'AutoContextTitle' } }, title_pos = 'left' })
    return
  end
  -- Without a border there is no place for a title: it stands at the right of the prompt, if the query leaves room.
  local query = api.nvim_buf_get_lines(self.prompt.buf, 0, 1, true)[1]
  local room = width - vim.fn.strdisplaywidth(query) - 4
  if not hint and room >= SHORTEST_TITLE then
    local title = { { hits.truncate(text, room, 'right'), 'AutoContextTitle' } }
    api.nvim_buf_set_extmark(self.prompt.buf, namespace, 0, 0, { virt_text = title, virt_text_pos = 'right_align' })
  end
end

---@param window integer
---@return 'prompt'|'list'|'preview'|nil pane
function View:pane_of(window)
  for _, name in ipairs({ 'prompt', 'list', 'preview' }) do
    if self[name] and self[name].win == window then
      return name
    end
  end
end

---@return integer
function View:page()
  return math.max(1, self.layout.list.height - 1)
end

function View:close()
  for _, pane in ipairs({ self.prompt, self.list, self.preview }) do
    pcall(api.nvim_win_close, pane.win, true)
    pcall(api.nvim_buf_delete, pane.buf, { force = true })
  end
end

return M
