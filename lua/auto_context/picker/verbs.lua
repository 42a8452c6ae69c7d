-- What a person can do with rows of the picker, besides moving among them. Methods of `picker`, which owns the state.

local actions = require('auto_context.picker.actions')
local explain = require('auto_context.picker.explain')
local hits = require('auto_context.hit')
local histories = require('auto_context.picker.history')
local notify = require('auto_context.notify')

---@class auto_context.Picker
local Picker = {}

---@return auto_context.Hit[] the marked rows, else the selected one
function Picker:chosen()
  if self.marks:count() > 0 then
    return self.marks:list()
  end
  return { self.rows[self.selected] }
end

---@param how auto_context.How
function Picker:accept(how)
  if self.source.question then
    return self.source:answer(true)
  end
  local rows, query = self:chosen(), self.source.query
  if #rows == 0 then
    return
  end
  local hit = self.rows[self.selected]
  self.wanted = hit and hits.key(hit)
  self:close(function()
    actions.open_all(self.root, query, rows, how)
  end)
end

---@param kind 'quickfix'|'loclist'
function Picker:list(kind)
  local rows, query = self.marks:count() > 0 and self.marks:list() or self.rows, self.source.query
  if #rows > 0 then
    self:close(function()
      actions.list(self.root, query, rows, kind)
    end)
  end
end

---@param step 1|-1
function Picker:mark(step)
  local hit = self.rows[self.selected]
  if hit then
    self.marks:toggle(hit)
    self:go(math.max(1, math.min(self.selected + step, #self.rows)))
    self:_draw()
  end
end

function Picker:mark_all()
  self.marks:toggle_all(self.rows)
  self:_draw()
end

---@param step -1|1
function Picker:history(step)
  self.walk = self.walk or histories.walk(self.root)
  local text = self.walk:step(step, self.prompt:text())
  if text then
    self.prompt:set(text)
  end
end

---@param name? 'folder'|'language'|'tests'|'buffers' nil: none of them
function Picker:filter(name)
  local problem = self.source.filters:toggle(name)
  if problem then
    return notify.warn(problem)
  end
  self.wanted = nil
  self.source:restart(0)
end

---Code like the selected row in place of the query, which stays in the history.
function Picker:similar()
  local hit = self.rows[self.selected]
  if hit then
    histories.add(self.root, self.source.query)
    self.walk, self.wanted = nil, nil
    local line = not hit.reason and hits.focus(hit) or nil
    self.source:set_like({ path = hits.file(self.root, hit), line = line })
    self.prompt:set('')
  end
end

---Append rows to the context window.
function Picker:add_context()
  local rows = vim.tbl_filter(function(hit)
    return hit.text ~= ''
  end, self:chosen())
  if #rows == 0 then
    return notify.warn('this row has no code to add')
  end
  self:close(function()
    require('auto_context.context').add(self.root, rows)
  end)
end

---@param what 'path'|'text'
function Picker:yank(what)
  local hit = self.rows[self.selected]
  if not hit then
    return
  end
  local place = ('%s:%d'):format(hit.path, (hits.focus(hit)))
  if what == 'path' then
    actions.yank(place, place)
  elseif hit.text ~= '' then
    actions.yank(hit.text .. '\n', ('%d lines of %s'):format(select(2, hit.text:gsub('\n', '')) + 1, place))
  end
end

---How the selected row came to its place, in the preview, until the key is pressed again.
function Picker:toggle_explain()
  if self.explained then
    self.explained = nil
    return self:_show_preview()
  elseif not self.rows[self.selected] then
    return
  end
  local asked = self.source:explain(function(error, reply)
    if error then
      return notify.fault(error, { asked = true })
    end
    self.explained, self.explained_at = {}, self.source.tick
    for _, hit in ipairs(reply.hits) do
      self.explained[hits.key(hit)] = hit
    end
    self:_show_preview()
  end)
  if not asked then
    notify.warn('there is no query to explain a row by')
  end
end

---@param hit auto_context.Hit
---@return string[] lines
function Picker:explanation(hit)
  return explain.lines(self.explained[hits.key(hit)] or hit)
end

return Picker
