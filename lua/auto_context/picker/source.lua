-- What the picker shows, without any window: the query's tick, the requests, the first index of a repository.
--
--   type -> tick + 1 -> debounce -> ask, wait_ms 0 -> reply of this tick? -> show
--                                     ^                     |
--                                     +-- meaning not there yet, or the index grew: ask again, same tick

local config = require('auto_context.config')
local index = require('auto_context.index')
local filters = require('auto_context.picker.filters')
local indexing = require('auto_context.picker.indexing')
local nearby = require('auto_context.picker.nearby')
local rpc = require('auto_context.rpc')
local search = require('auto_context.search')

local M = {}

local PENDING_WAIT_MS = 2000 -- for the query's own embedding
local PENDING_PAUSE_MS = 250
local LOADING_PAUSE_MS = 1000 -- a model is being loaded
local NEARBY = 20 -- rows for an empty prompt

---@class auto_context.picker.Source
---@field root string
---@field query string
---@field near? string path, relative to the root, of the file a person looks at
---@field like? auto_context.Like shown while nothing is typed
---@field filters auto_context.picker.Filters
---@field tick integer
---@field reply? auto_context.Reply newest reply of the newest tick that has one
---@field terms string[] words of the reply's query that are worth highlighting
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
local Source = vim.tbl_extend('error', {}, indexing)
Source.__index = Source

---@param root string
---@param place { near?: string, like?: auto_context.Like, filters?: auto_context.picker.Filters }
---@param on_change fun() something to draw anew
---@return auto_context.picker.Source
function M.new(root, place, on_change)
  local self = setmetatable({
    root = root,
    near = place.near,
    like = place.like,
    filters = place.filters or filters.new(root, place.near),
    query = '',
    terms = {},
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

---Whether there is something to ask for.
---@private
---@return boolean
function Source:_asks()
  return self.query:match('%S') ~= nil or self.like ~= nil
end

---@param query string
function Source:set_query(query)
  if query ~= self.query or self.tick == 0 then
    self.query = query
    self:restart(config.get().debounce_ms)
  end
end

---Code like this code in place of a query.
---@param like auto_context.Like
function Source:set_like(like)
  self.like, self.query = like, ''
  self:restart(0)
end

---Show a reply of before at once; the next one refines it.
---@param reply auto_context.Reply
function Source:show(reply)
  self.reply, self.terms = reply, reply.terms or {} -- code like some code has none
end

---A new tick: what is asked for is no longer the same.
---@param pause_ms integer
function Source:restart(pause_ms)
  self.tick = self.tick + 1
  self.retried = false
  self.error = nil
  self:_drop()
  -- Rows for an empty prompt are no older answer to a query.
  if self.reply and self.reply.nearby then
    self.reply = nil
  end
  if self:_asks() then
    self.waiting = true
    self:_later(pause_ms, 0)
    return self.on_change()
  end
  self.reply, self.waiting, self.terms = nil, false, {}
  self:_show_nearby()
  self.on_change()
end

---@private
function Source:_show_nearby()
  self:_drop()
  local tick = self.tick
  self.cancel = nearby.request(self.root, self.near, config.get().limit or NEARBY, function(rows)
    if self.closed or tick ~= self.tick then
      return
    end
    rows = vim.tbl_filter(function(hit)
      return self.filters:admits(hit.path)
    end, rows)
    self.reply = #rows > 0 and { nearby = true, query = '', legs = {}, hits = rows } or nil
    self.on_change()
  end)
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
      self:show(reply)
      self.error, self.waiting = nil, false
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
  return search.request(self:_params(wait_ms), callback)
end

---@private
---@param wait_ms integer
---@return auto_context.SearchParams
function Source:_params(wait_ms)
  local params = { query = self.query, root = self.root, wait_ms = wait_ms, near = self.near }
  return vim.tbl_extend('error', params, self.filters:params())
end

---The rows of now with how each came to its place; nothing when they answer no query.
---@param callback fun(error?: auto_context.Error, reply?: auto_context.Reply)
---@return boolean whether it was asked
function Source:explain(callback)
  if not self.query:match('%S') then
    return false
  end
  local tick = self.tick
  search.request(vim.tbl_extend('force', self:_params(PENDING_WAIT_MS), { explain = true }), function(error, reply)
    if not self.closed and tick == self.tick then
      callback(error, reply)
    end
  end)
  return true
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

function Source:close()
  self.closed = true
  self:_drop()
  self.timer:close()
  for _, off in ipairs(self.offs) do
    off()
  end
end

return M
