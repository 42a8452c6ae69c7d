-- What a person can do with the picker's windows: preview, layout, help. Methods of `picker`, which owns the state.

local api = vim.api

local config = require('auto_context.config')
local help = require('auto_context.picker.help')
local popups = require('auto_context.picker.popup')
local previews = require('auto_context.picker.preview')

local LAYOUTS = { auto = 'wide', wide = 'tall', tall = 'auto' }

---@class auto_context.Picker
local Picker = {}

---@private
function Picker:_show_preview()
  local hit = self.rows[self.selected]
  if self.explained and self.explained_at ~= self.source.tick then
    self.explained = nil
  end
  if self.explained and hit then
    if self.preview then
      return self.preview:show_text('how it came to its place', self:explanation(hit))
    end
    local lines = self:explanation(hit)
    self.explained = nil
    return self:_pop('how it came to its place', lines, {})
  end
  if self.preview then
    self.preview:show(self.root, hit, self.source.terms)
  end
end

---@param step 1|-1
---@param lines? integer half a window without it
function Picker:scroll(step, lines)
  if self.preview then
    self.preview:scroll(step, lines)
  end
end

function Picker:toggle_preview()
  self.shape.preview = not self.shape.preview
  self:_resize()
end

function Picker:cycle_layout()
  self.shape.layout, self.shape.preview = LAYOUTS[self.shape.layout], true
  self:_resize()
end

---A window over the picker; any key leads back to the prompt.
---@private
---@param title string
---@param lines string[]
---@param spans { line: integer, span: auto_context.Span }[]
function Picker:_pop(title, lines, spans)
  if self.popup then
    return
  end
  local inserting = api.nvim_get_mode().mode:sub(1, 1) == 'i'
  self.popup = {} -- before its window opens: leaving the prompt closes nothing then
  self.popup = popups.open(title, lines, spans, function()
    self.popup = nil
    if self.closing or not self.view:is_valid() then
      return
    end
    api.nvim_set_current_win(self.view.prompt.win)
    if inserting then
      vim.cmd.startinsert({ bang = true })
    end
  end)
end

function Picker:help()
  self:_pop('keys', help.lines(config.get().keys, vim.o.columns))
end

---@private
function Picker:_resize()
  if self.view:is_valid() then
    self.view:resize(self.shape)
    self.preview = self.view.preview and previews.new(self.view.preview)
    self:_draw()
  end
end

return Picker
