-- Where git keeps a worktree, and which branch that is on. Both are read from git's own files, by other threads: to
-- start a process holds Neovim up until the system runs it. Git itself is asked where the files do not say.

local log = require('auto_context.log')
local task = require('auto_context.task')

local M = {}

local MOST_BYTES = 4096

---@param root string
---@param args string[]
---@param callback fun(output?: string) on the main loop; trimmed, nil when git failed
local function git(root, args, callback)
  -- An editor started by a git hook inherits variables that point every git command at that one repository.
  local environment = vim.fn.environ()
  for name in pairs(environment) do
    if vim.startswith(name, 'GIT_') then
      environment[name] = nil
    end
  end
  local command = vim.list_extend({ 'git', '--no-optional-locks', '-C', root }, args)
  local options = { text = true, env = task.as_environment(environment), clear_env = true }
  local ok, problem = pcall(vim.system, command, options, function(result)
    local output = result.code == 0 and vim.trim(result.stdout or '') or nil
    vim.schedule(function()
      callback(output)
    end)
  end)
  if not ok then
    log.write('info', 'git: ' .. tostring(problem))
    vim.schedule(callback)
  end
end

---@param path string
---@param callback fun(text?: string, is_folder: boolean) on the main loop; the first line, nil when there is none
local function read(path, callback)
  local answer = vim.schedule_wrap(callback)
  vim.uv.fs_open(path, 'r', 0, function(missing, file)
    if missing or not file then
      return answer(nil, false)
    end
    vim.uv.fs_read(file, MOST_BYTES, 0, function(problem, text)
      vim.uv.fs_close(file, function() end)
      answer(text and text:match('^[^\r\n]+'), problem ~= nil and problem:match('^EISDIR') ~= nil)
    end)
  end)
end

---@param root string
---@param callback fun(git_dir?: string) on the main loop; absolute, nil without git
function M.git_dir(root, callback)
  local path = vim.fs.joinpath(root, '.git')
  read(path, function(text, is_folder)
    -- A worktree and a submodule have a file that names the folder.
    local named = text and text:match('^gitdir: (.+)$')
    if is_folder then
      callback(path)
    elseif named then
      callback(vim.fs.normalize(vim.startswith(named, '/') and named or vim.fs.joinpath(root, named)))
    else
      git(root, { 'rev-parse', '--absolute-git-dir' }, callback)
    end
  end)
end

---@param root string
---@param git_dir string
---@param callback fun(branch?: string) on the main loop; a short hash when HEAD is detached
function M.branch(root, git_dir, callback)
  read(vim.fs.joinpath(git_dir, 'HEAD'), function(text)
    local name = text and text:match('^ref: refs/heads/(.+)$')
    -- With reftable the file names a branch that cannot be.
    if name and name ~= '.invalid' then
      return callback(name)
    end
    git(root, { 'symbolic-ref', '-q', '--short', 'HEAD' }, function(symbolic)
      if symbolic and symbolic ~= '' then
        return callback(symbolic)
      end
      git(root, { 'rev-parse', '--short', 'HEAD' }, callback)
    end)
  end)
end

return M
