-- What takes things away again: the Python environment, the index of a repository, all indexes. Each asks first.

local ask = require('auto_context.ask')
local environment = require('auto_context.environment')
local errors = require('auto_context.errors')
local folders = require('auto_context.folders')
local host = require('auto_context.host')
local install = require('auto_context.install')
local notify = require('auto_context.notify')
local recipe = require('auto_context.recipe')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')
local task = require('auto_context.task')

local M = {}

---@param path string
---@return string
local function short(path)
  return vim.fn.fnamemodify(path, ':~')
end

---@param bytes integer
---@return string
local function megabytes(bytes)
  return ('%.1f MB'):format(bytes / 1e6)
end

---@param count integer
---@return string
local function indexes(count)
  return ('%d %s'):format(count, count == 1 and 'index' or 'indexes')
end

---@return string[] everything that `:AutoContext install` made, and only that
local function made()
  local found = {}
  for name, kind in vim.fs.dir(environment.folder()) do
    local ours = name == 'venv' or name:match('^venv%-[%d-]+$') or name == 'venv.new'
    if ours and (kind == 'directory' or kind == 'link') then
      found[#found + 1] = vim.fs.joinpath(environment.folder(), name)
    end
  end
  return found
end

---@param paths string[]
local function remove(paths)
  require('auto_context.schedule').close()
  host.stop()
  task.start(function(job)
    local python = environment.interpreter(environment.link())
    if vim.fn.executable(python) == 1 then
      job:run({ python, '-P', '-m', 'auto_context', 'service', 'stop' }, true)
    end
    job:run(vim.list_extend({ 'rm', '-rf', '--' }, paths))
  end, {
    env = recipe.variables(),
    heard = function() end,
    done = function(error)
      if error then
        return notify.fault(errors.new('storage_failed', error.message), { asked = true })
      end
      vim.uv.fs_rmdir(environment.folder()) -- stays when something else is in it
      notify.info(('removed; indexes stay in %s: delete it if you like'):format(short(folders.data())))
    end,
  })
end

---Remove the environment. Indexes stay.
---@param opts { confirmed: boolean }
function M.uninstall(opts)
  local paths = made()
  if install.cancel() then
    return notify.info('the installation ends; run `:AutoContext uninstall` again to remove the rest')
  elseif #paths == 0 then
    return notify.info('nothing is installed in ' .. short(environment.folder()))
  elseif opts.confirmed then
    return remove(paths)
  end
  local question = 'Remove the Python environment in %s? Indexes stay: `:AutoContext clear all` first removes them.'
  ask.confirm(question:format(short(environment.folder())), 'Remove', function(agreed)
    if agreed then
      remove(paths)
    end
  end)
end

---@param root? string
---@param reply { repositories: { path: string, bytes: integer, busy: boolean }[] }
local function cleared(root, reply)
  local bytes, busy = 0, {}
  for _, item in ipairs(reply.repositories) do
    bytes = bytes + (item.busy and 0 or item.bytes)
    busy[#busy + 1] = item.busy and short(item.path) or nil
  end
  for _, known in ipairs(repo.all()) do
    if not root or known.root == root then
      known.indexed = nil
    end
  end
  if #busy > 0 then
    notify.warn(('still in use, try again in a moment: %s'):format(table.concat(busy, ', ')))
  end
  notify.info(('deleted %s, %s'):format(indexes(#reply.repositories - #busy), megabytes(bytes)))
end

---@param root? string
local function clear(root)
  rpc.request('clear', { root = root, dry_run = false }, function(error, reply)
    if error then
      return notify.fault(error, { asked = true })
    end
    cleared(root, reply)
  end)
end

---Delete the index of a repository, or all of them.
---@param opts { root?: string, confirmed: boolean } root: without it all
function M.clear(opts)
  if opts.confirmed then
    return clear(opts.root)
  end
  rpc.request('clear', { root = opts.root, dry_run = true }, function(error, reply)
    if error then
      return notify.fault(error, { asked = true })
    end
    local bytes = 0
    for _, item in ipairs(reply.repositories) do
      bytes = bytes + item.bytes
    end
    if #reply.repositories == 0 then
      return notify.info('nothing is indexed')
    end
    local what = opts.root and ('the index of %s'):format(short(opts.root))
      or ('%s in %s'):format(indexes(#reply.repositories), short(folders.data()))
    ask.confirm(('Delete %s, %s?'):format(what, megabytes(bytes)), 'Delete', function(agreed)
      if agreed then
        clear(opts.root)
      end
    end)
  end)
end

return M
