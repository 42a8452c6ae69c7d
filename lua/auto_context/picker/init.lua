-- The picker: a prompt, a list and a preview in floating windows. Owns their life, the keys and the selection;
-- `source` has the queries, `view` the windows. One is open at a time.

local actions = require('auto_context.picker.actions')
local hits = require('auto_context.hit')
local keys = require('auto_context.picker.keys')
local notify = require('auto_context.notify')
local previews = require('auto_context.picker.preview')
local repo = require('auto_context.repo')
local schedule = require('auto_context.schedule')
local sources = require('auto_context.picker.source')
local views = require('auto_context.picker.view')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_restored')

---@class auto_context.picker.Saved what a reopened picker starts with
---@field query string
---@field key? string of the selected hit

---@type table<string, auto_context.picker.Saved> by root and branch
local saved = {}

---@class auto_context.Picker
---@field root string
---@field source auto_context.picker.Source
---@field view auto_context.picker.View
---@field preview? auto_context.picker.Preview
---@field rows auto_context.Hit[]
---@field selected integer
---@field wanted? string key of the hit to keep selected, once a person moved to it
---@field restored? string the query of last time, gone at the first key
---@field origin integer the window the picker was opened from
---@field group integer
---@field asking? boolean
---@field closing boolean
local Picker = {}
Picker.__index = Picker

---@type auto_context.Picker?
local current

---@param root string
---@return string
local function state_key(root)
  return root .. '\0' .. (repo.get(root).branch or '')
end

---@private
function Picker:_draw()
  if self.closing or not self.view:is_valid() then
    return
  end
  local source = self.source
  self.rows = not (source.error or source.question) and source.reply and source.reply.hits or {}
  -- A row a person moved to keeps the selection where it goes; one that is gone leaves it where it stood.
  self.selected = math.max(1, math.min(self.wanted and self.selected or 1, #self.rows))
  for i, hit in ipairs(self.rows) do
    if self.wanted == hits.key(hit) then
      self.selected = i
    end
  end
  self.view:draw(self.rows, self.selected, source, repo.get(self.root).branch)
  self:_show_preview()
  self:_ask_keys(source.question ~= nil)
end

---@private
function Picker:_show_preview()
  if self.preview then
    self.preview:show(self.root, self.rows[self.selected])
  end
end

---While a question stands, `y` answers it instead of being typed.
---@private
---@param asking boolean
function Picker:_ask_keys(asking)
  if asking == (self.asking or false) then
    return
  end
  self.asking = asking
  if asking then
    vim.keymap.set({ 'i', 'n' }, 'y', function()
      self.source:answer(true)
    end, { buffer = self.view.prompt.buf, nowait = true })
  else
    pcall(vim.keymap.del, { 'i', 'n' }, 'y', { buffer = self.view.prompt.buf })
  end
end

---@param step integer
function Picker:move(step)
  if #self.rows > 0 then
    self.selected = (self.selected - 1 + step) % #self.rows + 1
    self.wanted = hits.key(self.rows[self.selected])
    self.view:select(self.selected, self.rows[self.selected])
    self:_show_preview()
  end
end

---@param step 1|-1
function Picker:scroll(step)
  if self.preview then
    self.preview:scroll(step)
  end
end

---The prompt's text changed: several lines (a paste) become one, a restored query gives way to what was typed.
---@private
function Picker:_typed()
  local buffer = self.view.prompt.buf
  if self.closing or not api.nvim_buf_is_valid(buffer) then
    return
  end
  local lines = api.nvim_buf_get_lines(buffer, 0, -1, true)
  local text = table.concat(lines, ' ')
  local before = self.restored
  if before and text ~= before then
    self:_keep_restored()
    text = vim.startswith(text, before) and text:sub(#before + 1) or ''
  end
  if #lines > 1 or text ~= lines[1] then
    local window = self.view.prompt.win
    api.nvim_buf_set_lines(buffer, 0, -1, true, { text })
    api.nvim_win_set_cursor(window, { 1, #text })
    -- A long text before this one may have left the window scrolled sideways.
    api.nvim_win_call(window, function()
      vim.fn.winrestview({ leftcol = 0 })
    end)
  end
  if text ~= self.source.query then
    self.wanted = nil
    self.source:set_query(text)
  end
end

---The restored query is an ordinary text from now on.
---@private
function Picker:_keep_restored()
  self.restored = nil
  api.nvim_buf_clear_namespace(self.view.prompt.buf, namespace, 0, -1)
end

---@private
---@param query? string
function Picker:_fill_prompt(query)
  local before = saved[state_key(self.root)]
  local text = query or (before and before.query) or ''
  local buffer = self.view.prompt.buf
  api.nvim_buf_set_lines(buffer, 0, -1, true, { text })
  api.nvim_win_set_cursor(self.view.prompt.win, { 1, #text })
  if not query and text ~= '' then
    self.restored, self.wanted = text, before.key
    api.nvim_buf_set_extmark(buffer, namespace, 0, 0, { end_col = #text, hl_group = 'AutoContextRestored' })
  end
  self.source:set_query(text)
end

---Leave insert mode first, then do the rest: the cursor's step to the left at its end must happen in the prompt.
---@param after? fun()
function Picker:close(after)
  if self.closing then
    return
  end
  self.closing = true
  if current == self then
    current = nil
  end
  local hit = self.rows[self.selected]
  -- A look at similar code is no query to come back to.
  if self.source.query:match('%S') or not self.source.like then
    saved[state_key(self.root)] = { query = self.source.query, key = hit and self.wanted and hits.key(hit) }
  end
  self.source:close()
  api.nvim_del_augroup_by_id(self.group)
  vim.cmd.stopinsert()
  vim.schedule(function()
    local inside = api.nvim_get_current_win() == self.view.prompt.win
    self.view:close()
    if inside then
      api.nvim_set_current_win(actions.landing(self.origin))
    end
    if after then
      after()
    end
  end)
end

---@param how auto_context.How
function Picker:accept(how)
  if self.source.question then
    return self.source:answer(true)
  end
  local hit = self.rows[self.selected]
  if hit then
    self.wanted = hits.key(hit)
    self:close(function()
      actions.jump(self.root, hit, how)
    end)
  end
end

function Picker:quickfix()
  if #self.rows > 0 then
    local rows, query = self.rows, self.source.query
    self:close(function()
      actions.quickfix(self.root, query, rows)
    end)
  end
end

function Picker:escape()
  if self.source.question then
    self.source:answer(false)
  else
    self:close()
  end
end

---@private
function Picker:_listen()
  local buffer = self.view.prompt.buf
  for key, run in pairs(keys) do
    vim.keymap.set({ 'i', 'n' }, key, function()
      run(self)
    end, { buffer = buffer, nowait = true })
  end
  api.nvim_buf_attach(buffer, false, {
    on_lines = function()
      vim.schedule(function()
        self:_typed()
      end)
    end,
  })
  self.group = api.nvim_create_augroup('AutoContextPicker', {})
  api.nvim_create_autocmd('CursorMovedI', {
    group = self.group,
    buffer = buffer,
    callback = function()
      local at_end = api.nvim_win_get_cursor(0)[2] == #api.nvim_get_current_line()
      if self.restored and not at_end and api.nvim_get_current_line() == self.restored then
        self:_keep_restored()
      end
    end,
  })
  api.nvim_create_autocmd('WinLeave', {
    group = self.group,
    buffer = buffer,
    callback = function()
      self:close()
    end,
  })
  api.nvim_create_autocmd('VimResized', {
    group = self.group,
    callback = function()
      self:_resize()
    end,
  })
  api.nvim_create_autocmd('ColorScheme', { group = self.group, callback = views.highlights })
end

---@private
function Picker:_resize()
  if self.view:is_valid() then
    self.view:resize()
    self.preview = self.view.preview and previews.new(self.view.preview)
    self:_draw()
  end
end

---The file of a window, relative to the root, when it is one.
---@param root string
---@param buffer integer
---@return string?
local function file_near(root, buffer)
  local name = api.nvim_buf_get_name(buffer)
  local prefix = root:gsub('/$', '') .. '/'
  return vim.bo[buffer].buftype == '' and vim.startswith(name, prefix) and name:sub(#prefix + 1) or nil
end

---@param opts? { query?: string, root?: string, like?: auto_context.Like }
function M.open(opts)
  opts = opts or {}
  if vim.fn.getcmdwintype() ~= '' then
    return notify.warn('the picker cannot open in the command-line window; leave it first')
  end
  if current then
    current:close()
    -- Its windows are closed on the next turn of the loop; only then is the window below the current one.
    return vim.schedule(function()
      M.open(opts)
    end)
  end
  local root = opts.root or repo.of_buffer()
  schedule.tend(root)
  local self = setmetatable({ root = root, rows = {}, selected = 1, closing = false }, Picker)
  self.origin = api.nvim_get_current_win()
  local place = { near = file_near(root, api.nvim_get_current_buf()), like = opts.like }
  self.source = sources.new(root, place, function()
    self:_draw()
  end)
  self.view = views.open()
  self.preview = self.view.preview and previews.new(self.view.preview)
  current = self
  self:_listen()
  self:_fill_prompt(opts.like and '' or opts.query)
  self:_draw()
  self.source:start()
  vim.cmd.startinsert({ bang = true })
end

return M
