-- The picker's windows and what stands in them. Knows nothing of requests: it draws a source and a selection.

local config = require('auto_context.config')
local hits = require('auto_context.hit')
local layouts = require('auto_context.picker.layout')
local progress = require('auto_context.progress')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_picker')

local SHORTEST_TITLE = 12
local HINT = 'Type what it does, a name, or a file'

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
}

---@class auto_context.picker.View
---@field prompt { win: integer, buf: integer }
---@field list { win: integer, buf: integer }
---@field preview? { win: integer, buf: integer }
---@field private border string|string[]
---@field private layout auto_context.Layout
local View = {}
View.__index = View

function M.highlights()
  for group, link in pairs(links) do
    api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

---@param wanted_border integer
---@return auto_context.Layout
local function compute(wanted_border)
  local options = config.get()
  return layouts.compute({
    columns = vim.o.columns,
    lines = vim.o.lines - vim.o.cmdheight,
    width = options.width,
    height = options.height,
    preview = options.preview,
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

---@return auto_context.picker.View
function M.open()
  M.highlights()
  local self = setmetatable({}, View)
  local thickness
  self.border, thickness = config.border()
  self.layout = compute(thickness)
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
function View:resize()
  local thickness
  self.border, thickness = config.border()
  self.layout = compute(thickness)
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

---@return boolean
function View:is_valid()
  return api.nvim_win_is_valid(self.prompt.win) and api.nvim_win_is_valid(self.list.win)
end

---How much can be found by meaning, by the newest news of it.
---@param source auto_context.picker.Source
---@return table<string, number>?
local function coverage(source)
  local now = source.progress and source.progress.coverage
  if now and now.vector then
    return now
  end
  local known = source.status and source.status.repository
  if source.reply and source.reply.coverage then
    return source.reply.coverage
  elseif known and known.indexed then
    local chunks = math.max(1, known.chunks)
    return { static = known.static_vectors / chunks, vector = known.chunks == 0 and 1 or known.vectors / chunks }
  end
end

---Branch, files, how much can be found by meaning, and which leg is missing.
---@param source auto_context.picker.Source
---@param branch? string
---@return string
function M.title(source, branch)
  local parts = {}
  local known = source.status and source.status.repository
  local reply = source.reply
  parts[#parts + 1] = reply and reply.branch or branch or (known and known.branch) or vim.fs.basename(source.root)
  if source.like and not source.query:match('%S') then
    local line = source.like.line and ':' .. source.like.line or ''
    parts[#parts + 1] = 'like ' .. vim.fs.basename(source.like.path) .. line
  end
  -- A query's own embedding is pending for an instant at every key: that is not worth a word.
  for _, leg in ipairs({ 'lexical', 'path' }) do
    local state = reply and reply.legs[leg]
    if state == 'down' or state == 'loading' then
      parts[#parts + 1] = ('%s: %s'):format(hits.word(leg), state)
    end
  end
  local missing = reply and progress.meaning_state(reply.legs)
  if missing then
    parts[#parts + 1] = ('%s: %s'):format(hits.word('vector'), missing)
  end
  if known and known.indexed and known.updated_at > 0 then
    parts[#parts + 1] = progress.count(known.files, 'file')
  elseif not source.status and not source.error then
    parts[#parts + 1] = 'starting'
  end
  local covered = coverage(source)
  if covered then
    parts[#parts + 1] = progress.meaning(covered)
  end
  if source.indexing then
    parts[#parts + 1] = progress.brief(source.progress)
  end
  return table.concat(parts, ' · ')
end

---What stands in the list when there are no rows.
---@param source auto_context.picker.Source
---@return string[] lines
---@return string group
local function message(source)
  if source.question then
    return { source.question, 'Index it?  <CR> or y: yes   <Esc>: no' }, 'AutoContextHint'
  elseif source.error then
    return { source.error.message, source.error.hint }, 'AutoContextError'
  end
  local known = source.status and source.status.repository
  if source.indexing and not (known and known.updated_at > 0) then
    local far = 'indexing: ' .. (source.progress and progress.text(source.progress) or 'starting')
    local asks = source.query:match('%S') or source.like
    return not asks and { HINT, far } or source.reply and { 'nothing found yet', far } or { far }, 'AutoContextHint'
  elseif source.query:match('^%s*$') and not source.like then
    return { HINT }, 'AutoContextHint'
  elseif source.waiting then
    return { 'searching' }, 'AutoContextHint'
  end
  return { 'nothing found' }, 'AutoContextHint'
end

---@param rows auto_context.Hit[]
---@param selected integer 1-based
---@param source auto_context.picker.Source
---@param branch? string
function View:draw(rows, selected, source, branch)
  local buffer, width = self.list.buf, self.layout.list.width
  local lines, marks = {}, {}
  for i, hit in ipairs(rows) do
    lines[i], marks[i] = hits.row(hit, width)
  end
  local group
  if #rows == 0 then
    local text
    text, group = message(source)
    for i, line in ipairs(text) do
      lines[i] = hits.printable(line)
      marks[i] = { { first = 0, last = #lines[i], group = group } }
    end
  end
  api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for i, spans in ipairs(marks) do
    for _, span in ipairs(spans) do
      api.nvim_buf_set_extmark(buffer, namespace, i - 1, span.first, { end_col = span.last, hl_group = span.group })
    end
  end
  vim.wo[self.list.win].cursorline = #rows > 0
  vim.wo[self.list.win].wrap = #rows == 0
  self:select(#rows == 0 and 1 or selected, rows[selected])
  self:set_title(M.title(source, branch))
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
function View:set_title(text)
  local width = self.layout.prompt.width
  text = hits.printable(text)
  api.nvim_buf_clear_namespace(self.prompt.buf, namespace, 0, -1)
  if self.layout.border > 0 then
    local title = ' ' .. hits.truncate(text, width - 2, 'right') .. ' '
    api.nvim_win_set_config(self.prompt.win, { title = { { title, 'AutoContextTitle' } }, title_pos = 'left' })
    return
  end
  -- Without a border there is no place for a title: it stands at the right of the prompt, if the query leaves room.
  local query = api.nvim_buf_get_lines(self.prompt.buf, 0, 1, true)[1]
  local room = width - vim.fn.strdisplaywidth(query) - 4
  if room >= SHORTEST_TITLE then
    local title = { { hits.truncate(text, room, 'right'), 'AutoContextTitle' } }
    api.nvim_buf_set_extmark(self.prompt.buf, namespace, 0, 0, { virt_text = title, virt_text_pos = 'right_align' })
  end
end

function View:close()
  for _, pane in ipairs({ self.prompt, self.list, self.preview }) do
    pcall(api.nvim_win_close, pane.win, true)
    pcall(api.nvim_buf_delete, pane.buf, { force = true })
  end
end

return M
