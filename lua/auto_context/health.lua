-- `:checkhealth auto_context`: every part of the installation, each fault with what to do.

local environment = require('auto_context.environment')
local errors = require('auto_context.errors')
local rpc = require('auto_context.rpc')

local health = vim.health

local M = {}

local PATIENCE_MS = 10000 -- for all questions together
local FEW_WATCHES = 8192
local OPTIONAL = {
  { 'telescope', 'Telescope: `:Telescope auto_context`' },
  { 'snacks', 'snacks' },
  { 'fzf-lua', 'fzf-lua' },
  { 'mini.pick', 'mini.pick' },
  { 'mini.icons', 'mini.icons' },
  { 'nvim-web-devicons', 'nvim-web-devicons' },
}

local deadline = 0

---Ask the remote plugin and wait: a health check is the one place where a person waits for an answer.
---@param method string
---@param params table
---@return table? result
---@return auto_context.Error? error
---@return number took in ms
local function ask(method, params)
  local done, result, error = false, nil, nil
  local began = vim.uv.hrtime()
  local cancel = rpc.request(method, params, function(problem, answer)
    done, error, result = true, problem, answer
  end)
  local left = math.max(0, math.floor(deadline - began / 1e6))
  if not vim.wait(left, function()
    return done
  end, 10) then
    cancel()
    error = errors.new('service_unreachable', ('no answer to `%s` within %.0f s'):format(method, left / 1000))
  end
  return result, error, (vim.uv.hrtime() - began) / 1e6
end

---@param error auto_context.Error
local function fault(error)
  local level = errors.levels[error.code] == 'error' and health.error or health.warn
  level(('%s (%s)'):format(error.message, error.code), error.hint ~= '' and { error.hint } or nil)
end

local function neovim()
  health.start('Neovim')
  local version = vim.version()
  local text = ('Neovim %d.%d.%d'):format(version.major, version.minor, version.patch)
  if vim.fn.has('nvim-0.10.4') == 1 then
    health.ok(text)
  else
    health.error(text, { 'update Neovim to 0.10.4 or newer' })
  end
  local event = vim.uv.new_fs_event()
  local watched = event and event:start(vim.fn.getcwd(), {}, function() end)
  if event then
    event:close()
  end
  if watched then
    health.ok('branch switches are noticed by a file watcher')
  else
    health.warn('files cannot be watched: branch switches are noticed within seconds', {
      'on Linux raise fs.inotify.max_user_watches and fs.inotify.max_user_instances',
    })
  end
  local file = io.open('/proc/sys/fs/inotify/max_user_watches')
  local most = file and tonumber(file:read('*l'))
  if file then
    file:close()
  end
  if most then
    local watches = ('the system allows %d file watches'):format(most)
    if most < FEW_WATCHES then
      health.warn(watches, { 'raise fs.inotify.max_user_watches' })
    else
      health.ok(watches)
    end
  end
end

---@return boolean whether there is an interpreter
local function python()
  health.start('Python')
  local candidates, taken, error = environment.resolve()
  for _, candidate in ipairs(candidates) do
    local place = candidate.path and (' (%s)'):format(candidate.path) or ''
    health.info(('%s%s: %s'):format(candidate.name, place, candidate.taken and 'taken' or candidate.why))
  end
  if not taken or error then
    fault(error or errors.new('python_missing', 'no interpreter'))
    return false
  end
  health.ok('interpreter ' .. taken.path)
  local misfit = taken.name == environment.INSTALLED and environment.misfit()
  if misfit then
    health.warn('the environment does not fit: ' .. misfit, { 'run `:AutoContext install`' })
  end
  return true
end

---@return string? version of the plugin as it is cloned, nil where that cannot be read
local function own_version()
  local path = vim.fs.joinpath(environment.plugin_root(), 'python', 'auto_context', '__init__.py')
  local file = io.open(path)
  local text = file and file:read('*a')
  if file then
    file:close()
  end
  return text and text:match('__version__ = "([^"]+)"')
end

---@param root string
---@return boolean whether the service answers
local function service(root)
  health.start('Remote plugin and service')
  local _, error = ask('status', { root = root })
  if error then
    fault(error)
    return false
  end
  health.ok('the remote plugin answers')
  local status, problem, took = ask('status', { root = root })
  if problem then
    fault(problem)
    return false
  end
  local known = status.service
  health.ok(('service %s, pid %d, answers in %.0f ms'):format(known.version, known.pid, took))
  local own = own_version()
  if own and own ~= known.version then
    local text = ('the service has version %s, the plugin %s'):format(known.version, own)
    health.warn(text, { 'update the older one (`:AutoContext install` for the service), then `:AutoContext stop`' })
  end
  if known.worker == 'down' then
    health.warn('the model is down: words and names still answer', { 'see `:AutoContext log`' })
  end
  return true
end

---@param root string
local function parts(root)
  health.start('Parts')
  local body, error = ask('doctor', { root = root })
  if error then
    return fault(error)
  end
  for _, check in ipairs(body.checks or {}) do
    local text, fix = check.name .. ': ' .. check.text, check.fix ~= '' and check.fix or nil
    if check.level == 'warn' or check.level == 'error' then
      health[check.level](text, fix and { fix })
    elseif check.level == 'ok' then
      health.ok(text)
    else
      health.info(fix and ('%s; %s'):format(text, fix) or text) -- it takes no advice of its own
    end
  end
end

local function optional()
  health.start('Optional plugins')
  for _, item in ipairs(OPTIONAL) do
    local there = #vim.api.nvim_get_runtime_file('lua/' .. item[1]:gsub('%.', '/') .. '*', false) > 0
    health.info(('%s: %s'):format(item[2], there and 'found' or 'not installed'))
  end
end

---Called by `:checkhealth auto_context`.
function M.check()
  deadline = vim.uv.hrtime() / 1e6 + PATIENCE_MS
  local root = require('auto_context.repo').of_buffer()
  neovim()
  if python() and service(root) then
    parts(root)
  end
  optional()
end

return M
