-- The preview: the loaded buffer's text, unsaved changes included, else the file; highlighted, at the focus lines.

local hits = require('auto_context.hit')
local match = require('auto_context.match')

local M = {}

local api = vim.api
local uv = vim.uv
local namespace = api.nvim_create_namespace('auto_context_preview')

local MAX_MARKED_LINES = 150 -- of a hit, from its first focus line on: more is no longer looked at
local MAX_MARKED_BYTES = 500 -- of a line
local MAX_BYTES = 1024 * 1024
local MAX_HIGHLIGHTED_BYTES = 300 * 1024
local MAX_PARSED_BYTES = 16 * 1024 -- of Neovim 0.10, which parses a whole file before it draws it: 60 KB take 45 ms

---@class auto_context.picker.Preview
---@field private pane { win: integer, buf: integer }
---@field private path? string the file shown now
---@field private shown? string the hit shown now
---@field private request integer
local Preview = {}
Preview.__index = Preview

---@param pane { win: integer, buf: integer }
---@return auto_context.picker.Preview
function M.new(pane)
  return setmetatable({ pane = pane, request = 0 }, Preview)
end

---Text of a file, off the main loop's back.
---@param path string
---@param callback fun(text?: string, problem?: string) on the main loop
local function read(path, callback)
  local done = vim.schedule_wrap(callback)
  uv.fs_open(path, 'r', 0, function(missing, file)
    if missing or not file then
      return done(nil, 'the file is gone')
    end
    local function finish(text, problem)
      uv.fs_close(file, function() end)
      done(text, problem)
    end
    uv.fs_fstat(file, function(_, stat)
      if not stat or stat.type ~= 'file' then
        return finish(nil, 'not a file')
      elseif stat.size > MAX_BYTES then
        return finish(nil, 'too large to preview')
      end
      uv.fs_read(file, stat.size, 0, function(unreadable, text)
        if unreadable or not text then
          finish(nil, 'cannot be read')
        elseif text:find('\0', 1, true) then
          finish(nil, 'a binary file')
        else
          finish(text)
        end
      end)
    end)
  end)
end

---@param path string
---@return string[]? lines of the buffer that holds this file
local function loaded_lines(path)
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buffer) and api.nvim_buf_get_name(buffer) == path then
      return api.nvim_buf_get_lines(buffer, 0, -1, true)
    end
  end
end

---@param text string
---@return string[]
local function split(text)
  local lines = vim.split(text:gsub('\r\n', '\n'), '\n', { plain = true })
  if lines[#lines] == '' and #lines > 1 then
    lines[#lines] = nil
  end
  return lines
end

---Highlight without setting 'filetype', which would start plugins and language servers on a preview. Each step has a
---turn of the loop to itself: the first time Neovim loads a module for it, or compiles a query.
---@param buffer integer
---@param path string
---@param bytes integer
---@param live fun(): boolean whether the buffer still shows that file
local function highlight(buffer, path, bytes, live)
  local filetype, language
  local function compile(name)
    return function()
      if language then
        pcall(vim.treesitter.query.get, language, name)
      end
    end
  end
  local steps = {
    function()
      filetype = vim.filetype.match({ filename = path, buf = buffer })
    end,
    function()
      local parses = bytes <= MAX_PARSED_BYTES or vim.fn.has('nvim-0.11') == 1
      language = filetype and parses and vim.treesitter.language.get_lang(filetype)
      language = language and pcall(vim.treesitter.language.add, language) and language
    end,
    compile('highlights'),
    compile('injections'),
    function()
      if filetype and not (language and pcall(vim.treesitter.start, buffer, language)) then
        vim.bo[buffer].syntax = filetype
        -- Some syntax files look at everything above what is drawn.
        api.nvim_buf_call(buffer, function()
          vim.cmd('syntax sync clear | syntax sync minlines=60 maxlines=200')
        end)
      end
    end,
  }
  local function go_on()
    if #steps > 0 and live() then
      table.remove(steps, 1)()
      vim.defer_fn(go_on, 0)
    end
  end
  if bytes <= MAX_HIGHLIGHTED_BYTES then
    vim.defer_fn(go_on, 0)
  end
end

---Asking would load it.
---@param buffer integer
local function stop_highlighting(buffer)
  if package.loaded['vim.treesitter'] then
    pcall(vim.treesitter.stop, buffer)
  end
  vim.bo[buffer].syntax = ''
end

---@private
---@return boolean
function Preview:_valid()
  return api.nvim_win_is_valid(self.pane.win) and api.nvim_buf_is_valid(self.pane.buf)
end

---@private
---@param path string
---@param lines string[]
---@param title string
function Preview:_fill(path, lines, title)
  local bytes = 0
  for _, line in ipairs(lines) do
    bytes = bytes + #line + 1
  end
  stop_highlighting(self.pane.buf)
  api.nvim_buf_set_lines(self.pane.buf, 0, -1, true, lines)
  self:_title(title)
  local request = self.request
  highlight(self.pane.buf, path, bytes, function()
    return request == self.request and self:_valid()
  end)
end

---@private
---@param text string
function Preview:_title(text)
  local shape = api.nvim_win_get_config(self.pane.win)
  -- A window without a border cannot have a title.
  if type(shape.border) == 'table' then
    text = hits.truncate(hits.printable(text), shape.width - 2, 'left')
    api.nvim_win_set_config(self.pane.win, { title = { { ' ' .. text .. ' ', 'AutoContextTitle' } } })
  end
end

---The query's words in the hit's lines.
---@private
---@param hit auto_context.Hit
---@param terms string[]
function Preview:_mark_terms(hit, terms)
  local first = hits.focus(hit)
  local start = math.min(hit.start_line, first)
  start = math.max(start, first - math.floor(MAX_MARKED_LINES / 2))
  local last = math.min(math.max(hit.end_line, first), start + MAX_MARKED_LINES)
  for i, line in ipairs(api.nvim_buf_get_lines(self.pane.buf, start - 1, last, false)) do
    for _, found in ipairs(match.spans(line:sub(1, MAX_MARKED_BYTES), terms)) do
      local range = { end_col = found.last, hl_group = 'AutoContextPreviewMatch', priority = 5000 }
      api.nvim_buf_set_extmark(self.pane.buf, namespace, start + i - 2, found.first, range)
    end
  end
end

---@private
---@param hit auto_context.Hit
---@param terms string[]
function Preview:_focus(hit, terms)
  local count = api.nvim_buf_line_count(self.pane.buf)
  local first, last = hits.focus(hit)
  first, last = math.min(first, count), math.min(last, count)
  api.nvim_buf_clear_namespace(self.pane.buf, namespace, 0, -1)
  for line = first, last do
    api.nvim_buf_set_extmark(self.pane.buf, namespace, line - 1, 0, { line_hl_group = 'AutoContextFocus' })
  end
  self:_mark_terms(hit, terms)
  api.nvim_win_set_cursor(self.pane.win, { math.floor((first + last) / 2), 0 })
  api.nvim_win_call(self.pane.win, function()
    vim.cmd('normal! zz')
  end)
  api.nvim_win_set_cursor(self.pane.win, { first, 0 })
end

---@param root string
---@param hit? auto_context.Hit nothing to show: an empty preview
---@param terms string[] words to highlight
function Preview:show(root, hit, terms)
  local key = hit and ('%s %s:%d:%d'):format(table.concat(terms, ' '), hits.key(hit), hits.focus(hit)) or ''
  -- A list that is drawn again must not undo a person's scrolling.
  if key == self.shown or not self:_valid() then
    return
  end
  self.shown = key
  self.request = self.request + 1
  if not hit then
    self.path = nil
    self:_fill('', {}, '')
    return
  end
  local path = hits.file(root, hit)
  local lines = loaded_lines(path)
  if lines then
    self.path = nil
    self:_fill(path, lines, hit.path)
    return self:_focus(hit, terms)
  elseif self.path == path then
    return self:_focus(hit, terms)
  end
  local request = self.request
  read(path, function(text, problem)
    if request ~= self.request or not self:_valid() then
      return
    end
    self.path = text and path or nil
    self:_fill(text and path or '', text and split(text) or { problem }, hit.path)
    if text then
      self:_focus(hit, terms)
    end
  end)
end

---Other text in place of a file's.
---@param title string
---@param lines string[]
function Preview:show_text(title, lines)
  if self:_valid() then
    self.request, self.shown, self.path = self.request + 1, nil, nil
    api.nvim_buf_clear_namespace(self.pane.buf, namespace, 0, -1)
    self:_fill('', lines, title)
    api.nvim_win_set_cursor(self.pane.win, { 1, 0 })
  end
end

---@param direction 1|-1
---@param count? integer lines; half a window without it
function Preview:scroll(direction, count)
  if self:_valid() then
    api.nvim_win_call(self.pane.win, function()
      local half = count or math.max(1, math.floor(api.nvim_win_get_height(0) / 2))
      local key = direction > 0 and '\5' or '\25' -- <C-e> and <C-y>
      vim.cmd('normal! ' .. half .. key)
    end)
  end
end

return M
