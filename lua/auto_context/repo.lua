-- Which repository a buffer or a path belongs to, and what is known of each that was used. Nothing here waits for a
-- disk or for git.

local head = require('auto_context.head')
local roots = require('auto_context.roots')

local M = {}

---What stands in a worktree's git folder in the middle of something that ends by itself or by the person.
---@type table<string, string>
M.OPERATIONS = {
  ['rebase-merge'] = 'rebase',
  ['rebase-apply'] = 'rebase',
  MERGE_HEAD = 'merge',
  CHERRY_PICK_HEAD = 'cherry-pick',
  REVERT_HEAD = 'revert',
  BISECT_LOG = 'bisect',
}

---@class auto_context.Repo
---@field root string
---@field branch? string ref name, or a short hash when detached; nil until git answered, and without git
---@field git_dir? string of this worktree
---@field indexed? boolean nil while unknown
---@field caught_up? boolean a full update was asked for in this session
---@field confirmed? boolean a person agreed to index a large folder, or declined (false)

---@type table<string, auto_context.Repo>
local known = {}

---@param root string
---@return auto_context.Repo
function M.get(root)
  known[root] = known[root] or { root = root }
  return known[root]
end

---Every root used in this session.
---@return auto_context.Repo[]
function M.all()
  return vim.tbl_values(known)
end

---@param path string
---@param folder string
---@return boolean
function M.inside(path, folder)
  return path == folder or vim.startswith(path, folder == '/' and '/' or folder .. '/')
end

---@param path string as a person or a plugin may say it
---@return string absolute, with slashes
function M.absolute(path)
  -- Not by `fnamemodify()`: that looks at the disk.
  local from_root = vim.startswith(path, '/') or path:match('^%a:[/\\]') or vim.startswith(path, '~')
  return vim.fs.normalize(from_root and path or vim.fs.joinpath(vim.fn.getcwd(), path))
end

---Call with what is looked for as soon as the disk has said it: in nearly every case before this returns.
---@param folders string[]
---@param decide fun(): string?
---@param go fun(root?: string): fun()? on the main loop; what it returns cancels it
---@return fun() cancel
local function when_known(folders, decide, go)
  local live, stop = true, nil
  local function now()
    if live then
      stop = go(decide())
    end
  end
  if roots.learn(folders, now) then
    now()
  end
  return function()
    live = false
    if stop then
      stop()
    end
  end
end

---The root of a file: its repository, else a known folder around it. Nil when it belongs to neither.
---@param path string
---@param go fun(root?: string): fun()? on the main loop, mostly before this returns; what it returns cancels it
---@return fun() cancel
function M.find_of_path(path, go)
  path = M.absolute(path)
  local folder = vim.fs.dirname(path)
  return when_known({ folder }, function()
    local git_root, used = roots.git_root(folder), M.used(path)
    return (used and (not git_root or #used > #git_root)) and used or git_root
  end, go)
end

---The deepest root used in this session around a path; no file is looked at.
---@param path string absolute
---@return string?
function M.used(path)
  local best
  for root in pairs(known) do
    if M.inside(path, root) and (not best or #root > #best) then
      best = root
    end
  end
  return best
end

---The folder a language server of a buffer works in, where that holds the file.
---@param buffer integer
---@param path string
---@return string?
local function of_server(buffer, path)
  -- Not loaded by looking: without a server there is none to ask.
  local lsp = package.loaded['vim.lsp']
  local best
  for _, client in ipairs(lsp and lsp.get_clients({ bufnr = buffer }) or {}) do
    local folder = client.config.root_dir
    folder = type(folder) == 'string' and vim.fs.normalize(folder):gsub('(.)/$', '%1') or nil
    if folder and M.inside(path, folder) and (not best or #folder > #best) then
      best = folder
    end
  end
  return best
end

---@param buffer? integer
---@return string[] folders whose repositories decide
---@return fun(): string root
local function of_buffer(buffer)
  buffer = buffer or vim.api.nvim_get_current_buf()
  local cwd = vim.fs.normalize(vim.fn.getcwd())
  local name = vim.api.nvim_buf_get_name(buffer)
  local path = name ~= '' and vim.bo[buffer].buftype == '' and not name:match('^%w+://') and M.absolute(name) or nil
  local folder = path and vim.fs.dirname(path)
  return { folder or cwd, folder and cwd }, function()
    local root = path and (roots.git_root(folder) or of_server(buffer, path))
    return root or roots.git_root(cwd) or (cwd:gsub('(.)/$', '%1'))
  end
end

---The root a person means in a buffer: the file's repository; without git the folder of its language server; else the
---repository of the window's directory, else that directory. On a disk that does not answer, as far as it is known.
---@param buffer? integer
---@return string root
function M.of_buffer(buffer)
  local folders, decide = of_buffer(buffer)
  roots.learn(folders)
  return decide()
end

---The same, for whom a disk that is slow may answer later.
---@param buffer? integer
---@param go fun(root: string): fun()? on the main loop, mostly before this returns; what it returns cancels it
---@return fun() cancel
function M.find(buffer, go)
  local folders, decide = of_buffer(buffer)
  return when_known(folders, decide, go)
end

---@param root string
---@param path string absolute
---@return string? path relative to the root, when it is below it
function M.below(root, path)
  local prefix = root:gsub('/$', '') .. '/'
  return vim.startswith(path, prefix) and path:sub(#prefix + 1) or nil
end

---The file of a buffer, relative to a root, when it is one below it.
---@param root string
---@param buffer integer
---@return string?
function M.file_of(root, buffer)
  return vim.bo[buffer].buftype == '' and M.below(root, vim.api.nvim_buf_get_name(buffer)) or nil
end

---What git is in the middle of.
---@param git_dir? string
---@param callback fun(operation?: string) on the main loop
function M.operation(git_dir, callback)
  if not git_dir then
    return callback(nil)
  end
  -- One look at the folder, by another thread: a disk may be slow.
  vim.uv.fs_scandir(git_dir, function(_, entries)
    local found
    for name in
      function()
        return entries and vim.uv.fs_scandir_next(entries)
      end
    do
      found = found or M.OPERATIONS[name]
    end
    vim.schedule(function()
      callback(found)
    end)
  end)
end

---Look for the branch again.
---@param root string
---@param callback? fun(repo: auto_context.Repo, before?: string) before: the branch it was on, if that was known
function M.refresh(root, callback)
  local repo = M.get(root)
  local function done(branch)
    local before = repo.branch
    repo.branch = branch
    if callback then
      callback(repo, before)
    end
  end
  if repo.git_dir then
    return head.branch(root, repo.git_dir, done)
  end
  head.git_dir(root, function(folder)
    repo.git_dir = folder
    if folder then
      head.branch(root, folder, done)
    else
      done(nil)
    end
  end)
end

return M
