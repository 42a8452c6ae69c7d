-- Programs run one after the other while the editor goes on: output into the log, a failure as a coded error, a
-- cancellation that takes their children along.

local errors = require('auto_context.errors')
local log = require('auto_context.log')

local M = {}

local KEPT_LINES = 60

---A whole environment as `vim.system` takes it together with `clear_env`: 0.10 passes it on as it is.
---@param variables table<string, string>
---@return table
function M.as_environment(variables)
  if vim.fn.has('nvim-0.11') == 1 then
    return variables
  end
  local list = {}
  for name, value in pairs(variables) do
    list[#list + 1] = name .. '=' .. value
  end
  return list
end

---@class auto_context.Task
---@field private thread thread
---@field private pid? integer of the program that runs
---@field private env table<string, string>
---@field private heard fun(line: string)
---@field private done fun(error?: auto_context.Error)
---@field private group integer
---@field private over boolean
---@field cancelled boolean
local Task = {}
Task.__index = Task

---@return auto_context.Error
local function cancelled()
  return errors.new('cancelled', 'cancelled', '')
end

---@param task auto_context.Task
---@param error? auto_context.Error
local function finish(task, error)
  task.over = true
  pcall(vim.api.nvim_del_autocmd, task.group)
  task.done(task.cancelled and cancelled() or error)
end

---@param task auto_context.Task
---@param ... any
local function advance(task, ...)
  local ok, problem = coroutine.resume(task.thread, ...)
  if not ok then
    if type(problem) ~= 'table' then
      log.write('error', 'task: ' .. debug.traceback(task.thread, tostring(problem)))
    end
    finish(task, type(problem) == 'table' and problem or errors.from(problem))
  elseif coroutine.status(task.thread) == 'dead' then
    finish(task)
  end
end

---The line that says most about why a program failed.
---@param lines string[]
---@return string
local function last_words(lines)
  for i = #lines, 1, -1 do
    local lower = lines[i]:lower()
    if vim.startswith(lower, 'error') or vim.startswith(lower, 'fatal') or lines[i]:match('No space left') then
      return vim.trim(lines[i])
    end
  end
  return vim.trim(lines[#lines] or 'it said nothing')
end

---@param task auto_context.Task
---@param lines string[]
---@return fun(problem?: string, data?: string)
local function reader(task, lines)
  local rest = ''
  return function(_, data)
    local parts = vim.split(rest .. (data or '\n'), '[\r\n]+')
    rest = table.remove(parts) or ''
    for _, line in ipairs(parts) do
      if line:match('%S') then
        log.write('info', 'task: ' .. line)
        lines[#lines + 1] = line
        if #lines > KEPT_LINES then
          table.remove(lines, 1)
        end
        vim.schedule(function()
          task.heard(vim.trim(line))
        end)
      end
    end
  end
end

---Run a program to its end and return its last lines. Only inside the body of `start`.
---@param command string[]
---@param optional? boolean its failure is no fault: nil is returned
---@return string[]? lines
function Task:run(command, optional)
  if self.cancelled then
    error(cancelled(), 0)
  end
  log.write('info', 'task: $ ' .. table.concat(command, ' '))
  local lines = {}
  local options = { detach = true, env = M.as_environment(self.env), clear_env = true, text = true }
  options.stdout, options.stderr = reader(self, lines), reader(self, lines)
  local started, process = pcall(
    vim.system,
    command,
    options,
    vim.schedule_wrap(function(result)
      self.pid = nil
      advance(self, result)
    end)
  )
  local result = { code = -1 }
  if started then
    self.pid = process.pid
    result = coroutine.yield()
  else
    lines = { tostring(process) }
  end
  if self.cancelled then
    error(cancelled(), 0)
  elseif result.code ~= 0 and not optional then
    local name = vim.fs.basename(command[1])
    error(errors.new('install_failed', ('%s (status %d): %s'):format(name, result.code, last_words(lines))), 0)
  end
  return result.code == 0 and lines or nil
end

---End it: the running program and its children, then `done` with `cancelled`.
---@param signal? string default: sigterm
function Task:cancel(signal)
  if self.over then
    return
  end
  self.cancelled = true
  if self.pid then
    vim.uv.kill(-self.pid, signal or 'sigterm') -- the whole group
  end
end

---@param body fun(task: auto_context.Task) may call `task:run`; raises a coded error
---@param options { env: table<string, string>, heard: fun(line: string), done: fun(error?: auto_context.Error) }
---@return auto_context.Task
function M.start(body, options)
  local task = setmetatable({ cancelled = false, over = false }, Task)
  task.env, task.heard, task.done = options.env, options.heard, options.done
  -- Its own group of processes outlives Neovim otherwise.
  task.group = vim.api.nvim_create_autocmd('VimLeavePre', {
    callback = function()
      task:cancel('sigkill')
    end,
  })
  task.thread = coroutine.create(body)
  vim.schedule(function()
    advance(task, task) -- `done` never runs before whoever started this knows the task
  end)
  return task
end

return M
