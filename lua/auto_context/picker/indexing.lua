-- What the picker's source does about the index itself: learns what is known, makes the first one, follows its
-- progress. Methods of `picker.source`, which owns the state.

local config = require('auto_context.config')
local errors = require('auto_context.errors')
local index = require('auto_context.index')
local progress = require('auto_context.progress')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')

local HOST_PAUSE_MS = 300 -- the remote plugin is being restarted
local INDEXING_PAUSE_MS = 1000 -- between looks at a growing index
local FIRST_PAUSE_MS = 200 -- the same, while there is no row

---@class auto_context.picker.Source
local Source = {}

---Learn what is known of the repository; index it when nothing is.
function Source:start()
  rpc.request('status', { root = self.root }, function(error, status)
    if self.closed then
      return
    end
    if error then
      self.error = error
    else
      self.status = status
      local indexed = status.repository ~= nil and status.repository.indexed
      repo.get(self.root).indexed = indexed
      if not indexed then
        self:_index()
      else
        self:_catch_up(status.job)
      end
    end
    self.on_change()
  end)
end

---Once in a session: what changed while no editor looked. And what another editor or a shell is indexing now is
---joined, to show how far it is.
---@private
---@param job? table
function Source:_catch_up(job)
  local known = repo.get(self.root)
  local others = job and job.kind == 'update' and not index.busy(self.root)
  if others or (config.get().auto_update and not known.caught_up) then
    index.update(self.root)
  end
end

---@private
function Source:_index()
  if self.indexing or self.question then
    return
  end
  if self.index_error then
    self.error, self.waiting = self.index_error, false
    return
  end
  local known = repo.get(self.root)
  self.indexing = true
  index.update(self.root, nil, function(error)
    if self.closed or not error then
      return
    end
    self.indexing = false
    if error.code == 'too_large' and known.confirmed == nil then
      self.question = error.message
    else
      self.error, self.index_error = error, error
    end
    self.on_change()
  end)
end

---The answer to `question`. A no is remembered for the session, a yes by the index itself.
---@param yes boolean
function Source:answer(yes)
  local message = self.question
  self.question = nil
  repo.get(self.root).confirmed = yes
  if yes then
    self:_index()
  else
    self.index_error = errors.new('too_large', message or '')
    self.error = self.index_error
  end
  self.on_change()
end

---@private
---@param error auto_context.Error
function Source:_failed(error)
  if error.code == 'not_indexed' then
    self:_index()
    if self.indexing then
      self:_later(FIRST_PAUSE_MS, 0) -- its words are searchable before the job ends
    end
  elseif error.code == 'host_failed' and not self.retried then
    self.retried = true
    self:_later(HOST_PAUSE_MS, 0)
  else
    self.error, self.waiting = error, false
  end
end

---@private
---@param news auto_context.Progress
function Source:_progressed(news)
  self.progress, self.indexing = news, true
  local idle = not self.cancel and not self.timer:is_active()
  local none = not self.reply or #self.reply.hits == 0
  local pause = none and FIRST_PAUSE_MS or INDEXING_PAUSE_MS
  if idle and self:_asks() and vim.uv.now() - self.asked_at > pause and progress.grew(self.asked_of, news) then
    self:_ask(self.tick, 0)
  end
  self.on_change()
end

---@private
---@param done auto_context.Indexed
function Source:_indexed(done)
  self.progress, self.indexing = nil, index.busy(self.root)
  if done.error then
    self.error = done.error
    self.index_error = done.kind == 'update' and done.error or nil
  elseif self:_asks() then
    self:_ask(self.tick, 0)
  else
    self:_show_nearby()
  end
  self:start()
  self.on_change()
end

return Source
