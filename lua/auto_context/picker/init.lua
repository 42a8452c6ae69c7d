-- The picker: a prompt, a list and a preview in floating windows. Owns their life, the keys and the selection;
-- `source` has the queries, `view` the windows, `verbs` what is done with rows, `windows` what with windows. One is
-- open at a time.

local actions = require('auto_context.picker.actions')
local config = require('auto_context.config')
local hits = require('auto_context.hit')
local histories = require('auto_context.picker.history')
local keys = require('auto_context.picker.keys')
local marks = require('auto_context.picker.marks')
local mouse = require('auto_context.picker.mouse')
local notify = require('auto_context.notify')
local previews = require('auto_context.picker.preview')
local prompts = require('auto_context.picker.prompt')
local repo = require('auto_context.repo')
local schedule = require('auto_context.schedule')
local sources = require('auto_context.picker.source')
local verbs = require('auto_context.picker.verbs')
local views = require('auto_context.picker.view')
local windows = require('auto_context.picker.windows')

local M = {}

local api = vim.api

---@class auto_context.picker.Saved what a reopened picker starts with
---@field root string
---@field query string
---@field key? string of the selected hit
---@field like? auto_context.Like
---@field reply? auto_context.Reply
---@field marks auto_context.picker.Marks
---@field filters auto_context.picker.Filters

---@type table<string, auto_context.picker.Saved> by root and branch
local saved = {}
---@type auto_context.picker.Saved? of the picker closed last
local last

---@class auto_context.Picker
---@field root string
---@field source auto_context.picker.Source
---@field view auto_context.picker.View
---@field prompt auto_context.picker.Prompt
---@field preview? auto_context.picker.Preview
---@field rows auto_context.Hit[]
---@field selected integer
---@field marks auto_context.picker.Marks
---@field wanted? string key of the hit to keep selected, once a person moved to it
---@field walk? auto_context.picker.History
---@field explained? table<string, auto_context.Hit> by key
---@field explained_at? integer the tick of these
---@field shape auto_context.picker.Shape
---@field popup? auto_context.picker.Popup
---@field origin integer the window the picker was opened from
---@field group integer
---@field asking? boolean
---@field closing boolean
local Picker = vim.tbl_extend('error', {}, verbs, windows)
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
  for i, hit in ipairs(self.wanted and self.rows or {}) do
    if self.wanted == hits.key(hit) then
      self.selected = i
    end
  end
  local branch = repo.get(self.root).branch
  local drawing = { rows = self.rows, selected = self.selected, source = source, marks = self.marks, branch = branch }
  self.view:draw(drawing)
  self:_show_preview()
  self:_ask_keys(source.question ~= nil)
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

---@param row number 1-based; one outside the list means its first or last
function Picker:go(row)
  if #self.rows > 0 then
    self.selected = math.max(1, math.min(row, #self.rows))
    self.wanted = hits.key(self.rows[self.selected])
    self.view:select(self.selected, self.rows[self.selected])
    self:_show_preview()
  end
end

---@param step integer round the ends
function Picker:move(step)
  if #self.rows > 0 then
    self:go((self.selected - 1 + step) % #self.rows + 1)
  end
end

---@param step 1|-1
function Picker:page(step)
  self:go(self.selected + step * self.view:page())
end

---@private
function Picker:_typed()
  if self.closing or not self.prompt:is_valid() then
    return
  end
  local text = self.prompt:read()
  if text ~= self.source.query then
    self.wanted = nil
    self.source:set_query(text)
  end
end

---@private
---@param query? string
---@param before? auto_context.picker.Saved
---@param resume? boolean
function Picker:_fill_prompt(query, before, resume)
  local text = query or (before and before.query) or ''
  if query or text == '' or resume then
    self.prompt:set(text)
  else
    self.prompt:restore(text)
  end
  if before and not query then
    self.wanted = before.key
  end
  if resume and before and before.reply then
    self.source:show(before.reply)
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
  self:_save()
  self.source:close()
  api.nvim_del_augroup_by_id(self.group)
  if self.popup and self.popup.close then
    self.popup.close()
  end
  vim.cmd.stopinsert()
  vim.schedule(function()
    local inside = self.view:pane_of(api.nvim_get_current_win()) ~= nil
    self.view:close()
    if inside then
      api.nvim_set_current_win(actions.landing(self.origin) or api.nvim_get_current_win())
    end
    if after then
      after()
    end
  end)
end

---@private
function Picker:_save()
  local source, hit = self.source, self.rows[self.selected]
  histories.add(self.root, source.query)
  last = {
    root = self.root,
    query = source.query,
    key = hit and self.wanted and hits.key(hit) or nil,
    like = source.like,
    reply = source.reply,
    marks = self.marks,
    filters = source.filters,
  }
  -- A look at similar code is no query to come back to.
  if source.query:match('%S') or not source.like then
    saved[state_key(self.root)] = last
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
  local function map(key, run, modes)
    vim.keymap.set(modes or { 'i', 'n' }, key, run, { buffer = buffer, nowait = true })
  end
  for name, pressed in pairs(keys.resolve(config.get().keys)) do
    for _, key in ipairs(pressed) do
      local function run()
        keys.actions[name].run(self)
      end
      map(key, run, keys.modes(key))
      if keys.at_start(name, key) then
        map(key, function()
          if self.prompt:text() == '' then
            run()
          else
            api.nvim_feedkeys(key, 'in', false) -- before what was typed meanwhile
          end
        end, { 'i' })
      end
    end
  end
  mouse.attach(self, map)
  api.nvim_buf_attach(buffer, false, {
    on_lines = function()
      vim.schedule(function()
        self:_typed()
      end)
    end,
  })
  self.group = api.nvim_create_augroup('AutoContextPicker', {})
  local function on(event, run, where)
    api.nvim_create_autocmd(event, { group = self.group, buffer = where, callback = run })
  end
  on('CursorMovedI', function()
    self.prompt:moved()
  end, buffer)
  on('WinLeave', function()
    if not self.popup then
      self:close()
    end
  end, buffer)
  on('VimResized', function()
    self:_resize()
  end)
  on('ColorScheme', views.highlights)
end

---@param opts? auto_context.OpenOpts
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
  local resumed = opts.resume and last or nil
  local root = resumed and resumed.root or opts.root or repo.of_buffer()
  schedule.tend(root)
  local options = config.get()
  local self = setmetatable({ root = root, rows = {}, selected = 1, closing = false }, Picker)
  self.shape = { layout = options.layout, preview = options.preview }
  self.marks = resumed and resumed.marks or marks.new()
  self.origin = api.nvim_get_current_win()
  local like = opts.like or (resumed and resumed.like)
  local place = { near = repo.file_of(root, api.nvim_get_current_buf()), like = like }
  place.filters = resumed and resumed.filters
  self.source = sources.new(root, place, function()
    self:_draw()
  end)
  self.view = views.open(self.shape)
  self.prompt = prompts.new(self.view.prompt)
  self.preview = self.view.preview and previews.new(self.view.preview)
  current = self
  self:_listen()
  self:_fill_prompt(opts.like and '' or opts.query, resumed or saved[state_key(root)], resumed ~= nil)
  self:_draw()
  self.source:start()
  vim.cmd.startinsert({ bang = true })
end

return M
