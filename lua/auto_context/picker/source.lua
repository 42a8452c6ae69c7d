-- What the picker shows, without any window: the query's tick, the requests, the first index of a repository.
--
--   type -> tick + 1 -> debounce -> ask, wait_ms 0 -> reply of this tick? -> show
--                                     ^                     |
--                                     +-- meaning not there yet, or the index grew: ask again, same tick

local config = require('auto_context.config')
local errors = require('auto_context.errors')
local index = require('auto_context.index')
local progress = require('auto_context.progress')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')
local search = require('auto_context.search')

local M = {}

local PENDING_WAIT_MS = 2000 -- for the query's own embedding
local PENDING_PAUSE_MS = 250
local LOADING_PAUSE_MS = 1000 -- a model is being loaded
local HOST_PAUSE_MS = 300 -- the remote plugin is being restarted
local INDEXING_PAUSE_MS = 1000 -- between looks at a growing index
local FIRST_PAUSE_MS = 200 -- the same, while there is no row

---@class auto_context.picker.Source
---@field root string
---@field query string
---@field near? string path, relative to the root, of the file a person looks at
---@field like? auto_context.Like shown while nothing is typed
---@field tick integer
---@field reply? auto_context.Reply newest reply of the newest tick that has one
---@field status? auto_context.Status
---@field progress? auto_context.Progress
---@field error? auto_context.Error
---@field question? string a yes is needed before the first index
---@field waiting boolean no reply for this tick yet
---@field indexing boolean
---@field closed boolean
---@field private on_change fun()
---@field private cancel? fun()
---@field private timer uv.uv_timer_t
---@field private offs fun()[]
---@field private retried boolean
---@field private index_error? auto_context.Error the first index failed: not tried again by itself
---@field private asked_at integer
---@field private asked_of? auto_context.Progress how far the index was then
local Source = {}
Source.__index = Source

---@param root string
---@param place { near?: string, like?: auto_context.Like }
---@param on_change fun() something to draw anew
---@return auto_context.picker.Source
function M.new(root, place, on_change)
  local self = setmetatable({
    root = root,
    near = place.near,
    like = place.like,
    query = '',
    tick = 0,
    waiting = false,
    indexing = index.busy(root),
    closed = false,
    retried = false,
    asked_at = 0,
    on_change = on_change,
    timer = assert(vim.uv.new_timer()),
  }, Source)
  self.offs = {
    rpc.on('progress', function(news)
      if news.root == root then
        self:_progressed(news)
      end
    end),
    rpc.on('indexed', function(done)
      if done.root == root then
        self:_indexed(done)
      end
    end),
    rpc.on('exit', function()
      self.progress, self.indexing = nil, false
    end),
  }
  return self
end

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

---Whether there is something to ask for.
---@private
---@return boolean
function Source:_asks()
  return self.query:match('%S') ~= nil or self.like ~= nil
end

---@param query string
function Source:set_query(query)
  if query == self.query and not (self.like and self.tick == 0) then
    return
  end
  self.query = query
  self.tick = self.tick + 1
  self.retried = false
  self.error = nil
  self:_drop()
  if not self:_asks() then
    self.reply, self.waiting = nil, false
    self.on_change()
    return
  end
  self.waiting = true
  self:_later(config.get().debounce_ms, 0)
  self.on_change()
end

---Ask again in the same tick.
---@private
---@param pause_ms integer
---@param wait_ms integer
function Source:_later(pause_ms, wait_ms)
  local tick = self.tick
  self.timer:start(
    pause_ms,
    0,
    vim.schedule_wrap(function()
      self:_ask(tick, wait_ms)
    end)
  )
end

---@private
function Source:_drop()
  self.timer:stop()
  if self.cancel then
    self.cancel()
    self.cancel = nil
  end
end

---@private
---@param tick integer
---@param wait_ms integer
function Source:_ask(tick, wait_ms)
  if self.closed or tick ~= self.tick then
    return
  end
  self:_drop()
  self.asked_at, self.asked_of = vim.uv.now(), self.progress
  self.cancel = self:_request(wait_ms, function(error, reply)
    if self.closed or tick ~= self.tick then
      return
    end
    self.cancel = nil
    if error then
      self:_failed(error)
    else
      for _, copy in ipairs(reply.copies or {}) do
        copy.copy = true
        table.insert(reply.hits, copy)
      end
      self.reply, self.error, self.waiting = reply, nil, false
      self:_refine(reply.legs, wait_ms)
    end
    self.on_change()
  end)
end

---Ask for the query, or while there is none, for code like some code.
---@private
---@param wait_ms integer
---@param callback auto_context.Callback
---@return fun() cancel
function Source:_request(wait_ms, callback)
  if self.like and not self.query:match('%S') then
    local params = { path = self.like.path, line = self.like.line, root = self.root, limit = config.get().limit }
    return rpc.request('similar', params, callback)
  end
  return search.request({ query = self.query, root = self.root, wait_ms = wait_ms, near = self.near }, callback)
end

---@private
---@param legs table<string, auto_context.LegState>
---@param waited_ms integer
function Source:_refine(legs, waited_ms)
  if legs.vector == 'pending' then
    self:_later(waited_ms == 0 and 0 or PENDING_PAUSE_MS, PENDING_WAIT_MS)
  elseif legs.vector == 'loading' or legs.static == 'loading' then
    self:_later(LOADING_PAUSE_MS, 0)
  end
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
  end
  self:start()
  self.on_change()
end

function Source:close()
  self.closed = true
  self:_drop()
  self.timer:close()
  for _, off in ipairs(self.offs) do
    off()
  end
end

return M
