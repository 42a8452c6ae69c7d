-- `:AutoContext install`: builds the Python environment beside the one in use, and switches to it when it works.

local ask = require('auto_context.ask')
local environment = require('auto_context.environment')
local errors = require('auto_context.errors')
local events = require('auto_context.events')
local host = require('auto_context.host')
local notify = require('auto_context.notify')
local progress = require('auto_context.progress')
local recipe = require('auto_context.recipe')
local task = require('auto_context.task')

local M = {}

local uv = vim.uv

local GB = 1e9
-- Measured: what is downloaded and what it takes on the disk, with PyTorch's build for the CPU and for CUDA.
local SIZES = {
  cpu = { download = '0.5 GB', disk = '1.8 GB', room = 2.5 * GB },
  gpu = { download = '3 GB', disk = '7 GB', room = 9 * GB },
}
local SHOW_EVERY_MS = 200
-- What pip and uv say that is worth a look, without tags of wheels and reasons.
local NEWS = {
  '^Collecting [%w._-]+',
  '^Downloading [%w._]+%-[%w.]+',
  '^Download%a+ [%w._]+',
  '^Building [%w ._-]+',
  '^Installing',
  '^Resolved %d+ packages',
  '^Prepared %d+ packages',
}

---@class auto_context.InstallState data of the `AutoContextInstall` event
---@field step integer 1 to `steps`
---@field steps integer
---@field text string what is being done
---@field ended? boolean
---@field error? auto_context.Error

---@type auto_context.Task?
local running
---@type auto_context.InstallState?
local state
local shown_at = 0

M.resolve = environment.resolve

---@return auto_context.InstallState? of what runs, or ran last
function M.state()
  return state
end

---@param text string
---@param step? integer
local function show(text, step)
  step = step or state and state.step or 1
  local now = uv.now()
  if state and state.step == step and now - shown_at < SHOW_EVERY_MS then
    return
  end
  shown_at = now
  state = { step = step, steps = recipe.STEPS, text = text }
  notify.progress('install', ('installing, %d of %d: %s'):format(step, recipe.STEPS, text), 'running')
  events.fire('Install', state)
end

---Let the new environment be the one in use, in one step.
---@param venv string
local function switch(venv)
  local link, fresh = environment.link(), environment.link() .. '.new'
  os.remove(fresh)
  local info = uv.fs_lstat(link)
  if info and info.type == 'directory' then
    uv.fs_rename(link, link .. '-0') -- somebody made it by hand
  end
  local ok, problem = uv.fs_symlink(vim.fs.basename(venv), fresh)
  if ok then
    ok, problem = uv.fs_rename(fresh, link)
  end
  if not ok then
    error(errors.new('storage_failed', ('cannot switch to %s: %s'):format(venv, problem)), 0)
  end
end

---One installation at a time in this folder, also among several editors.
---@return boolean
local function lock()
  local path = vim.fs.joinpath(environment.folder(), 'install.lock')
  for _ = 1, 2 do
    local file = uv.fs_open(path, 'wx', 384) -- 0600
    if file then
      uv.fs_write(file, tostring(uv.os_getpid()))
      uv.fs_close(file)
      return true
    end
    local owner = io.open(path)
    local pid = owner and tonumber(owner:read('*a')) or nil
    if owner then
      owner:close()
    end
    if pid and uv.kill(pid, 0) == 0 then
      return false
    end
    os.remove(path) -- its editor was killed
  end
  return false
end

local function unlock()
  os.remove(vim.fs.joinpath(environment.folder(), 'install.lock'))
end

---After a switch: the service ends, so that the next one is of the new environment, and what no process uses goes.
---@param venv string
local function clean(venv)
  local python = environment.interpreter(venv)
  host.stop()
  task.start(function(job)
    job:run({ python, '-P', '-m', 'auto_context', 'service', 'stop' }, true)
    local module = 'auto_context.cli.environments'
    job:run({ python, '-P', '-m', module, environment.folder(), vim.fs.basename(venv) }, true)
  end, { env = recipe.variables(), heard = function() end, done = unlock })
end

---@param error? auto_context.Error
---@param venv string
---@param began integer
---@param callback? fun(error?: auto_context.Error)
local function ended(error, venv, began, callback)
  running = nil
  state = { step = state and state.step or 1, steps = recipe.STEPS, ended = true, error = error }
  state.text = error and error.message or 'installed'
  if error then
    -- Half an environment is of no use; what was downloaded is in the caches of pip and uv.
    task.start(function(job)
      job:run({ 'rm', '-rf', '--', venv }, true)
    end, { env = recipe.variables(), heard = function() end, done = unlock })
    notify.progress('install', error.message, error.code == 'cancelled' and 'cancel' or 'failed')
    notify.fault(error) -- in one line: it comes while a person does something else
  else
    local took = progress.duration((uv.now() - began) / 1000)
    notify.progress('install', 'installed', 'success')
    notify.info(('installed in %s; `:AutoContext` opens the picker'):format(took))
    host.retry()
    clean(venv)
  end
  events.fire('Install', state)
  if callback then
    callback(error)
  end
end

---@param gpu boolean
---@return auto_context.Error?
local function obstacle(gpu)
  if vim.fn.has('win32') == 1 then
    return errors.new('unsupported_platform', 'auto-context runs on Linux and macOS only')
  end
  local folder = environment.folder()
  if vim.fn.mkdir(folder, 'p', 448) == 0 and vim.fn.isdirectory(folder) == 0 then -- 0700
    return errors.new('storage_failed', 'cannot make the folder ' .. folder)
  end
  local disk, room = uv.fs_statfs(folder), SIZES[gpu and 'gpu' or 'cpu'].room
  local free = disk and disk.bavail * disk.bsize or room
  if free < room then
    local needed = ('%.1f GB are free in %s, %.1f are needed'):format(free / GB, folder, room / GB)
    return errors.new('disk_full', needed, 'make room on that disk')
  end
end

---@param gpu boolean
---@param callback? fun(error?: auto_context.Error)
local function start(gpu, callback)
  local ok, error = pcall(obstacle, gpu)
  error = ok and error or not ok and errors.new('storage_failed', tostring(error)) or nil
  if not error and not lock() then
    error = errors.new('install_failed', 'an installation is under way in another editor', 'wait for its end')
  end
  if error then
    notify.fault(error)
    return callback and callback(error)
  end
  local venv = vim.fs.joinpath(environment.folder(), os.date('venv-%Y%m%d-%H%M%S') --[[@as string]])
  local began = uv.now()
  state, shown_at = nil, 0
  local done = function(problem)
    ended(problem, venv, began, callback)
  end
  local heard = function(line)
    for _, pattern in ipairs(NEWS) do
      local news = line:match(pattern)
      if news and state and not state.ended then
        return show(news)
      end
    end
  end
  running = task.start(function(job)
    recipe.build(job, venv, gpu, show)
    switch(venv)
  end, { env = recipe.variables(), heard = heard, done = done })
end

---@param gpu boolean
---@return string
local function question(gpu)
  local size = SIZES[gpu and 'gpu' or 'cpu']
  local without = vim.fn.exepath('uv') == '' and vim.uv.os_uname().sysname == 'Linux' and not gpu
  return ('Install the Python environment in %s, %s to download, %s on the disk%s?'):format(
    vim.fn.fnamemodify(environment.folder(), ':~'),
    size.download,
    size.disk,
    without and (' (%s if pip finds PyTorch for CUDA only)'):format(SIZES.gpu.disk) or ''
  )
end

---Install, after asking.
---@param opts? { gpu?: boolean, confirmed?: boolean }
---@param callback? fun(error?: auto_context.Error) when it ended, or was declined
function M.install(opts, callback)
  local gpu = opts and opts.gpu or false
  if running then
    return notify.info('it is being installed; `:AutoContext stop` cancels it')
  elseif opts and opts.confirmed then
    return start(gpu, callback)
  end
  ask.confirm(question(gpu), 'Install', function(agreed)
    if agreed then
      start(gpu, callback)
    elseif callback then
      callback(errors.new('cancelled', 'not installed', ''))
    end
  end)
end

---@return boolean whether there was anything to cancel
function M.cancel()
  if running then
    running:cancel()
  end
  return running ~= nil
end

---What `build.lua` does: make what is missing or does not fit. Only the first time it asks, if there is anybody to ask;
---an environment of the person's own is left alone.
---@param callback fun(error?: auto_context.Error)
---@param at_once boolean whether the editor enters only when it has ended
---@return boolean begun
function M.build(callback, at_once)
  local candidates, taken = environment.resolve()
  local installed = environment.stamp() ~= nil
  local named = candidates[1].path or candidates[2].path
  if named or taken and (taken.name ~= environment.INSTALLED or not environment.misfit()) then
    return false
  end
  local opts = { confirmed = installed or #vim.api.nvim_list_uis() == 0, gpu = (environment.stamp() or {}).gpu }
  if vim.v.vim_did_enter == 1 or opts.confirmed or at_once then
    M.install(opts, callback)
  else
    vim.api.nvim_create_autocmd('VimEnter', {
      once = true,
      callback = vim.schedule_wrap(function()
        M.install(opts, callback)
      end),
    })
  end
  return true
end

return M
