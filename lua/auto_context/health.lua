-- `:checkhealth auto_context`: every part of the installation, each fault with what to do.

local environment = require('auto_context.environment')
local errors = require('auto_context.errors')
local rpc = require('auto_context.rpc')

local health = vim.health

local M = {}

local PATIENCE_MS = 15000
local FEW_WATCHES = 8192
local OPTIONAL = {
  { 'telescope', 'Telescope: `:Telescope auto_context`' },
  { 'mini.icons', 'mini.icons' },
  { 'nvim-web-devicons', 'nvim-web-devicons' },
}

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
  if not vim.wait(PATIENCE_MS, function()
    return done
  end, 10) then
    cancel()
    error = errors.new('service_unreachable', ('no answer to `%s` within %d s'):format(method, PATIENCE_MS / 1000))
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
  if most and most < FEW_WATCHES then
    health.warn(('the system allows %d file watches'):format(most), { 'raise fs.inotify.max_user_watches' })
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
    health[check.level](check.name .. ': ' .. check.text, check.fix ~= '' and { check.fix } or nil)
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
  local root = require('auto_context.repo').of_buffer()
  neovim()
  if python() and service(root) then
    parts(root)
  end
  optional()
end

return M
