-- The remote plugin's process: found, started, watched, restarted after a crash, ended with Neovim.
-- It is pynvim's own host in the plugin's own virtual environment; the user's python provider is not involved.

local environment = require('auto_context.environment')
local errors = require('auto_context.errors')
local log = require('auto_context.log')
local notify = require('auto_context.notify')

local M = {}

local uv = vim.uv

local RESTARTS = 3
local RESTART_WINDOW_MS = 60000
local STDERR_LINES = 20

-- The current directory is taken from the path: a repository that is only looked at must not be importable.
local BOOT = "import sys; sys.path[:] = [p for p in sys.path if p != '']; import pynvim; pynvim.start_host()"

---@type integer?
local channel
---@type 'stopped'|'running'|'failed'
local state = 'stopped'
---@type integer[] times of restarts, in ms of the monotonic clock
local restarts = {}
---@type string[]
local stderr = { '' }

---Called with an error when the process ended unasked; set by `rpc`.
---@type fun(error: auto_context.Error)
M.on_exit = function() end

---Stderr comes in pieces: the first continues the last line, the last is unfinished (`:h channel-lines`).
---@param data string[]
local function on_stderr(_, data)
  stderr[#stderr] = stderr[#stderr] .. data[1]
  for i = 2, #data do
    log.write('warn', 'host: ' .. stderr[#stderr])
    stderr[#stderr + 1] = data[i]
  end
  while #stderr > STDERR_LINES do
    table.remove(stderr, 1)
  end
end

---@return string the last thing the process said
local function last_words()
  for i = #stderr, 1, -1 do
    if stderr[i]:match('%S') then
      return vim.trim(stderr[i])
    end
  end
  return 'it said nothing'
end

---@param error auto_context.Error
local function fail(error)
  state = 'failed'
  notify.fault(error)
end

---@param now integer
---@return boolean
local function may_restart(now)
  restarts = vim.tbl_filter(function(at)
    return now - at < RESTART_WINDOW_MS
  end, restarts)
  if #restarts >= RESTARTS then
    return false
  end
  restarts[#restarts + 1] = now
  return true
end

---@param ended integer the channel
---@param code integer
local function on_exit(ended, code)
  if ended ~= channel then
    return
  end
  channel = nil
  if state ~= 'running' or vim.v.exiting ~= vim.NIL then
    return
  end
  state = 'stopped'
  local message = ('the remote plugin ended (status %d): %s'):format(code, last_words())
  log.write('error', message)
  if may_restart(uv.now()) then
    vim.schedule(M.channel)
  else
    fail(errors.new('host_failed', message))
  end
  M.on_exit(errors.new('host_failed', message))
end

---@return integer? channel
---@return auto_context.Error? error
local function start()
  local python, missing = environment.python()
  if not python then
    return nil, missing
  end
  stderr = { '' }
  local plugin = vim.fs.joinpath(environment.plugin_root(), 'rplugin', 'python3', 'auto_context_nvim')
  local ok, id = pcall(vim.fn.jobstart, { python, '-c', BOOT, plugin }, {
    rpc = true,
    env = { PYTHONPATH = '', PYTHONHOME = '', PYTHONSAFEPATH = '1' },
    on_stderr = on_stderr,
    on_exit = on_exit,
  })
  if not ok or id <= 0 then
    return nil, errors.new('host_failed', ('cannot start %s: %s'):format(python, id))
  end
  -- So that remote#host#IsRunning and Require know it too; a runtime without that file loses only this.
  pcall(vim.fn['remote#host#Register'], 'auto_context', '*', id)
  vim.api.nvim_create_autocmd('VimLeavePre', {
    group = vim.api.nvim_create_augroup('AutoContextHost', {}),
    callback = M.stop,
  })
  log.write('info', ('host started: %s, channel %d'):format(python, id))
  return id
end

---The channel of the running process, which is started when there is none. Returns at once: what is sent is queued.
---@return integer? channel
---@return auto_context.Error? error
function M.channel()
  if channel then
    return channel
  end
  if vim.v.exiting ~= vim.NIL then
    -- Callbacks still run while Neovim leaves; a process started by one of them would hold it up for good.
    return nil, errors.new('cancelled', 'Neovim is leaving', '')
  end
  if state == 'failed' then
    return nil, errors.new('host_failed', 'the remote plugin ended several times in a minute: ' .. last_words())
  end
  local id, error = start()
  if not id then
    return nil, error
  end
  channel, state = id, 'running'
  return channel
end

---Let a failed process be tried again; called when a person asks for something.
function M.retry()
  if state == 'failed' then
    state, restarts = 'stopped', {}
  end
end

---@return 'stopped'|'running'|'failed' state
---@return integer? pid
function M.state()
  -- A process that just died keeps its channel for an instant, without a pid.
  local ok, pid = pcall(vim.fn.jobpid, channel or -1)
  return state, ok and pid or nil
end

---End the process. It leaves by itself at once; Neovim would otherwise wait for it at exit.
function M.stop()
  local id = channel
  local _, pid = M.state()
  channel, state = nil, 'stopped'
  if not id then
    return
  end
  pcall(vim.rpcnotify, id, 'auto_context.bye')
  if pid and vim.v.exiting ~= vim.NIL then
    -- One that is starting, or was stopped, hears nothing, and Neovim would wait two seconds. It has nothing to lose.
    vim.uv.kill(pid, 'sigkill')
  end
end

return M
