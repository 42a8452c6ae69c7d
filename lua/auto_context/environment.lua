-- The Python environments there may be: which interpreter is used and why, and whether the one that
-- `:AutoContext install` made still fits the plugin. Looks at files, starts no process.

local config = require('auto_context.config')
local errors = require('auto_context.errors')
local notify = require('auto_context.notify')

local M = {}

local uv = vim.uv

M.INSTALLED = '`:AutoContext install`'
local STAMP = 'auto-context.json'
local DECISIVE = { '^%[build%-system%]', '^%[project', '^%[tool%.hatch' } -- sections that decide what is installed

---@class auto_context.Candidate
---@field name string where it comes from
---@field path? string the interpreter
---@field taken boolean
---@field why string why it is, or is not

---@class auto_context.Stamp what an environment was made from
---@field python string version
---@field interpreter string real path
---@field pins string
---@field root string the plugin's folder
---@field gpu boolean

---@type string
local root = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h:h:h')
local hinted = false

---@return string root of the plugin's own folder
function M.plugin_root()
  return root
end

---@return string what `:AutoContext install` makes is in here
function M.folder()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'auto-context')
end

---The environment in use is behind a link: the next is built beside it, and the link is switched by a rename.
---@return string
function M.link()
  return vim.fs.joinpath(M.folder(), 'venv')
end

---@param path string
---@return string? text
local function read(path)
  local file = io.open(path, 'rb')
  if not file then
    return nil
  end
  local text = file:read('*a')
  file:close()
  return text
end

---@param venv string
---@return string
function M.interpreter(venv)
  return vim.fs.joinpath(venv, 'bin', 'python')
end

---@return string
function M.constraints()
  return vim.fs.joinpath(root, 'python', 'constraints.txt')
end

---A digest of what decides which packages are installed; settings of linters do not count.
---@return string
function M.pins()
  local kept, inside = {}, false
  for line in vim.gsplit(read(vim.fs.joinpath(root, 'pyproject.toml')) or '', '\n') do
    if vim.startswith(line, '[') then
      inside = vim.iter(DECISIVE):any(function(pattern)
        return line:match(pattern) ~= nil
      end)
    end
    kept[#kept + 1] = inside and line or nil
  end
  return vim.fn.sha256(table.concat(kept, '\n') .. (read(M.constraints()) or ''))
end

---@param venv string
---@param python string version
---@param gpu boolean
---@return boolean written
function M.write_stamp(venv, python, gpu)
  local interpreter = uv.fs_realpath(M.interpreter(venv)) or ''
  local stamp = { python = python, interpreter = interpreter, pins = M.pins(), root = root, gpu = gpu }
  local file = io.open(vim.fs.joinpath(venv, STAMP), 'w')
  return file ~= nil and file:write(vim.json.encode(stamp)) ~= nil and file:close() == true
end

---@param venv? string default: the installed one
---@return auto_context.Stamp?
function M.stamp(venv)
  local ok, stamp = pcall(vim.json.decode, read(vim.fs.joinpath(venv or M.link(), STAMP)) or '')
  return ok and type(stamp) == 'table' and stamp or nil
end

---Why the installed environment does not fit this plugin any more; nil when it does.
---@return string?
function M.misfit()
  local stamp = M.stamp()
  if not stamp then
    return 'it was not finished'
  elseif uv.fs_realpath(M.interpreter(M.link())) ~= stamp.interpreter then
    return 'its Python was replaced'
  elseif stamp.root ~= root then
    return 'the plugin was moved'
  elseif stamp.pins ~= M.pins() then
    return 'other packages are needed'
  end
end

---@param venv string
---@return boolean
local function has_package(venv)
  return vim.fn.glob(vim.fs.joinpath(venv, 'lib', 'python3*', 'site-packages', 'auto_context-*.dist-info')) ~= ''
end

---@param name string
---@param value? string
---@return auto_context.Candidate
local function named(name, value)
  if not value or value == '' then
    return { name = name, taken = false, why = 'not set' }
  end
  local path = vim.fs.normalize(value)
  local taken = vim.fn.executable(path) == 1
  return { name = name, path = path, taken = taken, why = taken and 'set' or 'not an executable' }
end

---@return auto_context.Candidate
local function installed()
  -- The folder itself, not the link: what runs keeps its own files when the link is switched.
  local venv = uv.fs_realpath(M.link())
  local path = M.interpreter(venv or M.link())
  if not venv then
    return { name = M.INSTALLED, path = path, taken = false, why = 'not installed' }
  elseif vim.fn.executable(path) == 0 then
    return { name = M.INSTALLED, path = path, taken = false, why = 'its Python is gone; install it again' }
  end
  local misfit = M.misfit()
  return { name = M.INSTALLED, path = path, taken = true, why = misfit or 'installed' }
end

---@param name string
---@param venv? string
---@return auto_context.Candidate
local function folder(name, venv)
  if not venv or venv == '' then
    return { name = name, taken = false, why = 'not set' }
  end
  local path = M.interpreter(venv)
  if vim.fn.executable(path) == 0 then
    return { name = name, path = path, taken = false, why = 'not there' }
  end
  local taken = has_package(venv)
  return { name = name, path = path, taken = taken, why = taken and 'has the package' or 'has no auto-context in it' }
end

---Every place an interpreter is looked for, in order. The first that can be used is taken, and what a person named
---is never passed over: when it is wrong, none is taken.
---@return auto_context.Candidate[]
---@return auto_context.Candidate? taken
---@return auto_context.Error? error
function M.resolve()
  local candidates = {
    named('option `python`', config.get().python),
    named('$AUTO_CONTEXT_PYTHON', vim.env.AUTO_CONTEXT_PYTHON),
    installed(),
    folder('`make install`', vim.fs.joinpath(root, '.venv')),
    folder('$VIRTUAL_ENV', vim.env.VIRTUAL_ENV),
  }
  local taken, error
  for i, candidate in ipairs(candidates) do
    if taken or error then
      candidate.taken = false
      candidate.why = candidate.why .. '; comes after ' .. (taken and taken.name or 'what was named')
    elseif candidate.taken then
      taken = candidate
    elseif i <= 2 and candidate.path then
      error = errors.new('python_missing', ('%s is not an executable: %s'):format(candidate.name, candidate.path))
    end
  end
  if not taken and not error then
    error = errors.new('python_missing', 'there is no Python environment for auto-context')
  end
  return candidates, taken, error
end

---@return string? path of the interpreter
---@return auto_context.Error? error
function M.python()
  local _, taken, error = M.resolve()
  if not taken then
    return nil, error
  end
  local misfit = taken.name == M.INSTALLED and M.misfit()
  if misfit and not hinted then
    hinted = true
    notify.warn(('run `:AutoContext install` again: %s'):format(misfit))
  end
  return taken.path
end

return M
