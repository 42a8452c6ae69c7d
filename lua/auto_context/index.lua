-- Index jobs this editor started: begun, followed, ended. Fires `User AutoContextIndexStarted`, `AutoContextProgress`
-- and `AutoContextIndexed`, and says of those a person started how far they are.

local errors = require('auto_context.errors')
local events = require('auto_context.events')
local log = require('auto_context.log')
local notify = require('auto_context.notify')
local progress = require('auto_context.progress')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')

local M = {}

local MOST_OPEN = 1000 -- the service takes no more

---@class auto_context.IndexState
---@field starting integer requests not yet answered by a job
---@field jobs table<string, true>
---@field shown table<string, true> those a person started
---@field progress? auto_context.Progress of the newest running job
---@field last? auto_context.Indexed

---@type table<string, auto_context.IndexState>
local states = {}

---@param root string
---@return auto_context.IndexState
local function state_of(root)
  states[root] = states[root] or { starting = 0, jobs = {}, shown = {} }
  return states[root]
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

---@param root string
---@return boolean whether the last job failed
function M.failed(root)
  local last = states[root] and states[root].last
  return last ~= nil and last.error ~= nil and errors.levels[last.error.code] ~= 'info'
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
      local known = state.jobs[result.job]
      state.jobs[result.job] = true
      if not known then
        events.fire('IndexStarted', { root = params.root, job = result.job, kind = method })
      end
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

---Cancel every job this editor is following.
---@return integer jobs
function M.cancel_all()
  local count = 0
  for _, state in pairs(states) do
    for job in pairs(state.jobs) do
      count = count + 1
      rpc.request('cancel_job', { id = job }, function() end)
    end
  end
  return count
end

---From 0.12 on any display of progress may ask for the end of what it shows.
local function listen_for_cancel()
  if vim.fn.has('nvim-0.12') == 0 then
    return
  end
  vim.api.nvim_create_autocmd('Progress', {
    group = vim.api.nvim_create_augroup('AutoContextProgress', {}),
    pattern = 'auto_context',
    desc = 'AutoContext: cancel indexing',
    callback = function(event)
      -- Our own message of a cancelled job comes when none is followed any more.
      if event.data.status == 'cancel' and vim.startswith(tostring(event.data.id), 'auto_context.index') then
        M.cancel_all()
      end
    end,
  })
end

---Bring the whole root up to date.
---@param root string
---@param opts? { force?: boolean, confirmed?: boolean, shown?: boolean } shown: a person waits for it
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
  begin('update', params, function(error, result)
    if result and opts and opts.shown then
      state_of(root).shown[result.job] = true
      listen_for_cancel()
      notify.info('indexing ' .. vim.fn.fnamemodify(root, ':~'))
    end
    (callback or in_background)(error, result)
  end)
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

---What a person who started it reads at its end.
---@param done auto_context.Indexed
local function say_end(done)
  local id = 'index ' .. done.root
  if done.error then
    notify.progress(id, done.error.message, done.error.code == 'cancelled' and 'cancel' or 'failed')
    if errors.levels[done.error.code] == 'info' then
      notify.fault(done.error, { asked = true }) -- the others are said in any case
    end
    return
  end
  local report = done.report --[[@as table]]
  local left = report.pending_chunks > 0
      and ('; %s wait for the model'):format(progress.count(report.pending_chunks, 'chunk'))
    or ''
  local files, chunks = progress.count(report.files, 'file'), progress.count(report.chunks, 'chunk')
  notify.progress(id, 'indexed', 'success', 100)
  notify.info(('indexed %s, %s in %s%s'):format(files, chunks, progress.duration(report.took_s), left))
end

rpc.on('progress', function(news)
  local state = state_of(news.root)
  state.progress = news
  if state.shown[news.job] then
    notify.progress('index ' .. news.root, progress.text(news), 'running', news.percent)
  end
  events.fire('Progress', news)
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
  if state.shown[done.job] then
    state.shown[done.job] = nil
    say_end(done)
  end
  events.fire('Indexed', done)
end)

rpc.on('exit', function()
  for root, state in pairs(states) do
    for _ in pairs(state.shown) do
      notify.progress('index ' .. root, 'the remote plugin ended', 'failed')
    end
    state.jobs, state.shown, state.progress = {}, {}, nil
  end
end)

return M
