-- Index jobs this editor started: begun, followed, ended. Fires `User AutoContextProgress` and `AutoContextIndexed`.

local errors = require('auto_context.errors')
local log = require('auto_context.log')
local notify = require('auto_context.notify')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')

local M = {}

local MOST_OPEN = 1000 -- the service takes no more

---@class auto_context.IndexState
---@field starting integer requests not yet answered by a job
---@field jobs table<string, true>
---@field progress? auto_context.Progress of the newest running job
---@field last? auto_context.Indexed

---@type table<string, auto_context.IndexState>
local states = {}

---@param root string
---@return auto_context.IndexState
local function state_of(root)
  states[root] = states[root] or { starting = 0, jobs = {} }
  return states[root]
end

---@param name string
---@param data table
local function fire(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = name, data = data, modeline = false })
end

---@param root string
---@return boolean
function M.busy(root)
  local state = states[root]
  return state ~= nil and (state.starting > 0 or next(state.jobs) ~= nil)
end

---@param root string
---@return auto_context.Progress?
function M.progress(root)
  return states[root] and states[root].progress
end

---@return boolean
function M.any_busy()
  return vim.iter(vim.tbl_keys(states)):any(M.busy)
end

---@param method 'update'|'incremental'
---@param params table
---@param callback auto_context.Callback
local function begin(method, params, callback)
  local state = state_of(params.root)
  state.starting = state.starting + 1
  rpc.request(method, params, function(error, result)
    state.starting = state.starting - 1
    if result then
      state.jobs[result.job] = true
    end
    callback(error, result)
  end)
end

---A fault of something nobody asked for. A lost remote plugin is started again, and says so itself when it gives up.
---@param error? auto_context.Error
local function in_background(error)
  if error and error.code ~= 'host_failed' and errors.levels[error.code] ~= 'info' then
    notify.fault(error)
  end
end

---The files of a root that a person works on: the current one, that of the window before (the picker's prompt may be
---the current one), then by when each was looked at. The model reads them first.
---@param root string
---@return string[] absolute
local function open_paths(root)
  local first = { [vim.api.nvim_get_current_buf()] = 2, [vim.fn.winbufnr(vim.fn.winnr('#'))] = 1 }
  local buffers = vim.tbl_filter(function(buffer)
    return buffer.loaded == 1 and vim.bo[buffer.bufnr].buftype == '' and repo.inside(buffer.name, root)
  end, vim.fn.getbufinfo({ buflisted = 1 }))
  table.sort(buffers, function(a, b)
    local left = { first[a.bufnr] or 0, a.lastused, b.bufnr }
    local right = { first[b.bufnr] or 0, b.lastused, a.bufnr }
    for i, value in ipairs(left) do
      if value ~= right[i] then
        return value > right[i]
      end
    end
    return false
  end)
  return vim.iter(buffers):take(MOST_OPEN):map(function(buffer)
    return buffer.name
  end):totable()
end

---Bring the whole root up to date.
---@param root string
---@param opts? { force?: boolean, confirmed?: boolean }
---@param callback? auto_context.Callback the job was accepted, or why not
function M.update(root, opts, callback)
  local known = repo.get(root)
  known.caught_up = true
  local params = {
    root = root,
    force = opts and opts.force or false,
    confirmed = opts and opts.confirmed or known.confirmed or false,
    open_paths = open_paths(root),
  }
  begin('update', params, callback or in_background)
end

---Bring some paths up to date.
---@param root string
---@param paths string[] absolute
function M.incremental(root, paths)
  begin('incremental', { root = root, paths = paths }, function(error)
    if error and error.code == 'not_indexed' then
      repo.get(root).indexed = false
    else
      in_background(error)
    end
  end)
end

---Ask once in a session whether a root has an index; afterwards it is remembered.
---@param root string
---@param callback fun(indexed: boolean)
function M.is_indexed(root, callback)
  local known = repo.get(root)
  if known.indexed ~= nil then
    return callback(known.indexed)
  end
  rpc.request('status', { root = root }, function(error, status)
    if error then
      -- Not remembered: the next save asks again.
      log.write('warn', 'status: ' .. errors.text(error))
      return callback(false)
    end
    known.indexed = status.repository ~= nil and status.repository.indexed
    callback(known.indexed)
  end)
end

---Cancel every job this editor is following.
function M.cancel_all()
  for _, state in pairs(states) do
    for job in pairs(state.jobs) do
      rpc.request('cancel_job', { id = job }, function() end)
    end
  end
end

rpc.on('progress', function(progress)
  state_of(progress.root).progress = progress
  fire('AutoContextProgress', progress)
end)

rpc.on('indexed', function(done)
  local state = state_of(done.root)
  state.jobs[done.job] = nil
  state.progress = nil
  state.last = done
  if not done.error then
    repo.get(done.root).indexed = true
    for _, warning in ipairs(done.report and done.report.warnings or {}) do
      notify.fault(errors.from(warning))
    end
  else
    done.error = errors.from(done.error)
    -- The person asked for the end, or git is in the middle of something: neither is news.
    if errors.levels[done.error.code] ~= 'info' then
      notify.fault(done.error)
    end
  end
  fire('AutoContextIndexed', done)
end)

rpc.on('exit', function()
  for _, state in pairs(states) do
    state.jobs, state.progress = {}, nil
  end
end)

return M
