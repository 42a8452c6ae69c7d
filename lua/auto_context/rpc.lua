-- Requests to the remote plugin and events from it. Nothing here ever waits: a request is a notification with an
-- id, and the remote plugin calls `_reply` with that id when it has the answer.

local errors = require('auto_context.errors')
local events = require('auto_context.events')
local host = require('auto_context.host')
local log = require('auto_context.log')

local M = {}

---@alias auto_context.Callback fun(error?: auto_context.Error, result?: any)

---@type table<integer, auto_context.Callback>
local pending = {}
---@type table<string, function[]> in the order they came: what keeps state hears of an event before what shows it
local listeners = {}
local last_id = 0

---A callback's own mistake belongs in the log, not in the remote plugin. While Neovim leaves there is nobody to tell:
---0.10 still hands out what has come when its buffers are unloaded already.
---@param callback function
---@param ... any
local function call(callback, ...)
  if vim.v.exiting ~= vim.NIL then
    return
  end
  local ok, trace = xpcall(callback, debug.traceback, ...)
  if not ok then
    log.write('error', 'callback: ' .. trace)
  end
end

---@param value any
---@return any value nil for the wire's nil
local function plain(value)
  if value == vim.NIL then
    return nil
  end
  return value
end

---@alias auto_context.Method
---| 'search'|'nearby'|'buffers'
---| 'similar'|'context'|'update'|'incremental'|'clear'|'status'|'stats'|'doctor'|'job'|'cancel_job'|'stop'

---Ask the remote plugin. `callback` runs exactly once, later, on the main loop, unless the request is cancelled
---or Neovim leaves.
---@param method auto_context.Method
---@param params table
---@param callback auto_context.Callback
---@return fun() cancel after it the callback never runs
function M.request(method, params, callback)
  last_id = last_id + 1
  local id = last_id
  pending[id] = callback
  local channel, error = host.channel()
  local sent = channel and pcall(vim.rpcnotify, channel, 'auto_context.call', id, method, params)
  if not sent then
    vim.schedule(function()
      M._reply(id, error or errors.new('host_failed', 'the remote plugin is gone'))
    end)
  end
  return function()
    if pending[id] then
      pending[id] = nil
      pcall(vim.rpcnotify, channel or -1, 'auto_context.cancel', id)
    end
  end
end

---Hear of an event: `progress`, `indexed`, or `exit` when the remote plugin ended.
---@param name string
---@param listener fun(data: table)
---@return fun() off
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
  return function()
    listeners[name] = vim.tbl_filter(function(other)
      return other ~= listener
    end, listeners[name])
  end
end

---Called by the remote plugin.
---@param id integer
---@param error any
---@param result any
function M._reply(id, error, result)
  local callback = pending[id]
  pending[id] = nil
  if not callback then
    return
  end
  error = plain(error)
  call(callback, error and errors.from(error), plain(result))
end

---Called by the remote plugin.
---@param name string
---@param data any
function M._event(name, data)
  -- A listener that takes itself off while it runs leaves this list as it is.
  for _, listener in ipairs(listeners[name] or {}) do
    call(listener, data)
  end
end

host.on_exit = function(error)
  local lost = pending
  pending = {}
  for _, callback in pairs(lost) do
    call(callback, error)
  end
  M._event('exit', error)
  call(events.fire, 'HostExit', error)
end

return M
