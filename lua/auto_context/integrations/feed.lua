-- What other plugins' pickers show: the source of the built-in picker, asked query by query. So the hits, their order,
-- the pause in typing, a first index and the better answer that follows are the same everywhere.

local errors = require('auto_context.errors')
local hits = require('auto_context.hit')
local notify = require('auto_context.notify')
local repo = require('auto_context.repo')
local schedule = require('auto_context.schedule')
local sources = require('auto_context.picker.source')

local M = {}

local ROW_WIDTH = 100 -- the other plugins do not tell how wide a row of theirs is

---@type table<string, true> modules of other plugins that could not be loaded
local missing = {}

---@class auto_context.OpenOpts
---@field query? string
---@field root? string default the buffer's repository
---@field like? auto_context.Like shown while nothing is typed
---@field resume? boolean open the built-in picker as it was left

---@class auto_context.Feed
---@field root string
---@field private place { near?: string, like?: auto_context.Like }
---@field private patient boolean
---@field private source? auto_context.picker.Source
---@field private give? fun(rows: auto_context.Hit[], error?: auto_context.Error)
---@field private given? auto_context.Hit[] the rows of this query given last
---@field private held? auto_context.Reply
---@field private said? string the fault said last
local Feed = {}
Feed.__index = Feed

---A row for any list: what found it in front, where it is never cut off, then the place and the symbol.
---@param hit auto_context.Hit
---@return string text
---@return auto_context.Span[] spans
function M.row(hit)
  local text, spans = hits.row(hit, ROW_WIDTH, true)
  local letters = hits.letters(hit) .. '  '
  local all = { { first = 0, last = #letters, group = hit.fresh and 'AutoContextLegs' or 'AutoContextStale' } }
  for _, span in ipairs(spans) do
    all[#all + 1] = { first = #letters + span.first, last = #letters + span.last, group = span.group }
  end
  return letters .. text, all
end

---@param before auto_context.Hit[]
---@param after auto_context.Hit[]
---@return boolean
local function look_alike(before, after)
  for i = 1, math.max(#before, #after) do
    if not (before[i] and after[i] and M.row(before[i]) == M.row(after[i])) then
      return false
    end
  end
  return true
end

---@param opts? auto_context.OpenOpts
---@param patient? boolean for a picker that shows one answer for a query: wait a moment for the meaning
---@return auto_context.Feed
function M.new(opts, patient)
  opts = opts or {}
  -- A person may have typed it, as Telescope's `cwd`: with a tilde, or relative.
  local root = opts.root and repo.absolute(opts.root) or repo.of_buffer()
  schedule.tend(root)
  require('auto_context.picker.view').highlights()
  local place = { near = repo.file_of(root, vim.api.nvim_get_current_buf()), like = opts.like }
  return setmetatable({ root = root, place = place, patient = patient or false }, Feed)
end

---Ask. `give` gets the rows of this query and no other, on the main loop: at once if they are there, again when there
---are better ones, never after the next question.
---@param query string
---@param give fun(rows: auto_context.Hit[])
function Feed:ask(query, give)
  self.give, self.given, self.held = nil, nil, nil
  if not self.source then
    self.source = sources.new(self.root, self.place, function()
      self:_changed()
    end)
    self.source:start()
  end
  self.source:set_query(query)
  self.give = give
  self:_changed()
end

---@private
---@param error auto_context.Error
function Feed:_say(error)
  if self.said ~= error.message then
    self.said = error.message
    notify.fault(error, { asked = true })
  end
end

---Whether an answer is worth waiting for after this one: the meaning, waited for once; the first rows of an index that
---is being made, whose end is followed by another answer.
---@private
---@param reply auto_context.Reply
---@return boolean
function Feed:_better_comes(reply)
  local pending = reply.legs.vector == 'pending' and (self.held == nil or self.held == reply)
  if pending or #reply.hits > 0 then
    return pending
  end
  local phase = self.source.progress and self.source.progress.phase
  local growing = self.source.indexing and phase ~= 'embed' and phase ~= 'done'
  return growing or reply == self.held
end

---@private
function Feed:_changed()
  local source = self.source
  if not source or not self.give then
    return
  end
  local error = source.question and errors.new('too_large', source.question) or source.error
  if error then
    self:_say(error)
  elseif source.waiting then
    return
  end
  local reply = not error and source.reply or false
  if reply and self.patient and self:_better_comes(reply) then
    self.held = reply
    return
  end
  local rows = reply and reply.hits or {}
  -- An answer that looks like the one before is none: drawing a list anew takes some pickers out of a preview.
  if not (self.given and look_alike(self.given, rows)) then
    self.given = rows
    self.give(rows, error)
  end
end

---Drop what is under way. Another question may follow: some pickers can be resumed.
function Feed:close()
  self.give = nil
  if self.source then
    self.source:close()
    self.source = nil
  end
end

---Another plugin's module; nil, and said so once in a session, where it cannot be loaded.
---@param module string
---@param hint string
---@return any?
function M.plugin(module, hint)
  local found, plugin = pcall(require, module)
  if found then
    return plugin
  end
  if not missing[module] then
    missing[module] = true
    local why = vim.split(tostring(plugin), '\n', { plain = true })[1]:gsub(':$', '')
    notify.fault(errors.new('config_invalid', why, hint))
  end
end

---The place under the cursor, for code like it; nil, and said so, where there is none.
---@param whole? boolean like the whole file
---@return auto_context.Like?
function M.here(whole)
  local name = vim.api.nvim_buf_get_name(0)
  if name == '' or vim.bo.buftype ~= '' then
    notify.warn('this buffer is no file: there is nothing to compare with')
    return nil
  end
  return { path = name, line = not whole and vim.api.nvim_win_get_cursor(0)[1] or nil }
end

return M
