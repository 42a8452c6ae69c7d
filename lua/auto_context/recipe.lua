-- How a Python environment for the plugin is made: which programs are run, with what. Who asked, and what becomes of
-- it, is for `install` to know.

local environment = require('auto_context.environment')
local errors = require('auto_context.errors')

local M = {}

local uv = vim.uv

M.STEPS = 3
local PYTHONS = { 'python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14' }
local OLDEST = '3.11'
local CHECK_PYTHON = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
local CHECK_PACKAGES = 'import auto_context, pynvim, torch, platform, sys; sys.stdout.write(platform.python_version())'
-- Settings of another environment, or of a user's pip, that would send the packages elsewhere.
local DROPPED = {
  'VIRTUAL_ENV', 'CONDA_PREFIX', 'PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', '__PYVENV_LAUNCHER__', 'PIP_TARGET',
  'PIP_PREFIX', 'PIP_ROOT', 'PIP_NO_DEPS', 'PIP_PYTHON', 'PIP_REQUIREMENT', 'PIP_EDITABLE', 'PIP_IGNORE_INSTALLED',
  'PIP_DRY_RUN', 'PIP_REQUIRE_HASHES', 'UV_PYTHON', 'UV_SYSTEM_PYTHON', 'UV_CONSTRAINT', 'UV_PROJECT_ENVIRONMENT',
} -- stylua: ignore

---@return table<string, string>
function M.variables()
  local env = vim.fn.environ()
  for _, name in ipairs(DROPPED) do
    env[name] = nil
  end
  -- `-c` does not reach the packages a build needs: old releases of pip read one variable for them, new ones another.
  local constraints = vim.uri_from_fname(environment.constraints())
  return vim.tbl_extend('force', env, {
    PIP_CONSTRAINT = constraints,
    PIP_BUILD_CONSTRAINT = constraints,
    PIP_USER = '0',
    PIP_REQUIRE_VIRTUALENV = '0',
    PIP_DISABLE_PIP_VERSION_CHECK = '1',
    PYTHONNOUSERSITE = '1',
    PYTHONUNBUFFERED = '1',
    NO_COLOR = '1',
  })
end

---@param job auto_context.Task
---@return string
local function find_python(job)
  for _, name in ipairs(PYTHONS) do
    local path = vim.fn.exepath(name)
    if path ~= '' and job:run({ path, '-c', CHECK_PYTHON }, true) then
      return path
    end
  end
  local advice = 'install uv, or Python and its venv module (on Debian: python3-venv)'
  error(errors.new('python_missing', ('no Python %s or newer that can make environments'):format(OLDEST), advice), 0)
end

---uv knows where PyTorch's builds for the CPU are, pip on Linux takes the one for CUDA: so pip is asked for uv first,
---unless somebody told it where packages come from on this machine.
---@param job auto_context.Task
---@param python string
---@return string? uv
local function fetch_uv(job, python)
  if uv.os_uname().sysname ~= 'Linux' then
    return nil
  end
  local settings = table.concat(job:run({ python, '-m', 'pip', 'config', 'list' }, true) or {}, '\n')
  if settings:match('index%-url') or settings:match('find%-links') or settings:match('no%-index') then
    return nil
  end
  local pip = { python, '-m', 'pip', 'install', '--no-input', '--progress-bar=off', 'uv' }
  return job:run(pip, true) and vim.fs.joinpath(vim.fs.dirname(python), 'uv') or nil
end

---@param tool string
---@param python string
---@param gpu boolean
---@return string[]
local function uv_install(tool, python, gpu)
  local constraints = environment.constraints()
  local command = { tool, 'pip', 'install', '--python', python, '--no-progress', '-c', constraints, '-b', constraints }
  if not vim.env.UV_TORCH_BACKEND then
    command[#command + 1] = '--torch-backend=' .. (gpu and 'auto' or 'cpu')
  end
  return vim.list_extend(command, { '-e', environment.plugin_root() })
end

---Make an environment at `venv`. Raises coded errors.
---@param job auto_context.Task
---@param venv string
---@param gpu boolean
---@param show fun(text: string, step: integer)
function M.build(job, venv, gpu, show)
  local python = environment.interpreter(venv)
  local tool = vim.fn.exepath('uv')
  show('making the environment', 1)
  local fetched
  if tool ~= '' then
    job:run({ tool, 'venv', '--no-project', '--python', '>=' .. OLDEST, venv })
  else
    job:run({ find_python(job), '-m', 'venv', venv })
    fetched = not gpu and fetch_uv(job, python) or nil
  end
  show('fetching packages', 2)
  local constraints = environment.constraints()
  local pip = { python, '-m', 'pip', 'install', '--no-input', '--progress-bar=off', '-c', constraints, '-e' }
  if tool ~= '' then
    job:run(uv_install(tool, python, gpu))
  elseif not (fetched and job:run(uv_install(fetched, python, gpu), true)) then
    job:run(vim.list_extend(pip, { environment.plugin_root() }))
  end
  -- What is imported says more than what an installer thinks it did.
  local said = job:run({ python, '-P', '-c', CHECK_PACKAGES }) or {}
  show('making the models ready', 3)
  job:run({ python, '-P', '-m', 'auto_context.embed' })
  if not environment.write_stamp(venv, vim.trim(said[#said] or ''), gpu) then
    error(errors.new('storage_failed', 'cannot write in ' .. venv), 0)
  end
end

return M
