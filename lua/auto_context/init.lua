-- The public Lua API. Requiring this loads nothing else; each function loads what it needs.

local M = {}

---Fill in the root of the current buffer where none is named, then go on: in nearly every case before this returns.
---@param params { root?: string }
---@param go fun(): fun()?
---@return fun() cancel
local function with_root(params, go)
  if params.root then
    return go() or function() end
  end
  return require('auto_context.repo').find(nil, function(root)
    params.root = root
    return go()
  end)
end

---Store options; optional. See |auto_context-options|.
---@param opts? table
function M.setup(opts)
  require('auto_context.config').set(opts)
end

---Open the picker: ours, or the one that the option `picker` names.
---@param opts? auto_context.OpenOpts
function M.open(opts)
  require('auto_context.integrations').open(opts)
end

---Search without a picker. Returns at once; `callback` runs on the main loop.
---@param query string
---@param opts? table as auto_context.SearchParams, without the query; `wait_ms` is 10000 by default
---@param callback fun(error?: auto_context.Error, reply?: auto_context.Reply)
---@return fun() cancel
function M.search(query, opts, callback)
  local params = vim.tbl_extend('force', { wait_ms = 10000 }, opts or {}, { query = query })
  return with_root(params, function()
    return require('auto_context.search').request(params, callback)
  end)
end

---Open the picker on code like the code under the cursor; what is typed then is an ordinary query.
---@param opts? { whole?: boolean } whole: like the whole file
function M.open_similar(opts)
  local like = require('auto_context.integrations.feed').here(opts and opts.whole)
  if like then
    M.open({ like = like })
  end
end

---Code like the code at a place. Returns at once; `callback` runs on the main loop.
---@param opts { path: string, line?: integer, root?: string, limit?: integer } without a line: like the whole file
---@param callback fun(error?: auto_context.Error, reply?: auto_context.Similar)
---@return fun() cancel
function M.similar(opts, callback)
  local params = vim.tbl_extend('force', {}, opts)
  return with_root(params, function()
    return require('auto_context.rpc').request('similar', params, callback)
  end)
end

---What one needs to work at a place. Returns at once; `callback` runs on the main loop.
---@param opts? auto_context.ContextOpts
---@param callback fun(error?: auto_context.Error, reply?: auto_context.ContextReply)
---@return fun() cancel
function M.context(opts, callback)
  return require('auto_context.context').request(opts, callback)
end

---The same in a split; with a range, of those lines.
---@param opts? auto_context.ContextOpts
function M.open_context(opts)
  require('auto_context.context').open(opts)
end

---`context`, waiting for the answer. Not for callbacks of libuv.
---@param opts? auto_context.ContextOpts
---@param timeout_ms? integer default 10000
---@return auto_context.ContextReply? reply nil with an error
---@return auto_context.Error? error
function M.context_sync(opts, timeout_ms)
  return require('auto_context.blocking').wait(function(callback)
    return M.context(opts, callback)
  end, timeout_ms)
end

---`search`, waiting for the answer. Not for callbacks of libuv.
---@param query string
---@param opts? table
---@param timeout_ms? integer default 10000
---@return auto_context.Reply? reply nil with an error
---@return auto_context.Error? error
function M.search_sync(query, opts, timeout_ms)
  local limits = vim.tbl_extend('keep', opts or {}, { wait_ms = timeout_ms })
  return require('auto_context.blocking').wait(function(callback)
    return M.search(query, limits, callback)
  end, timeout_ms)
end

---Bring the index of a root up to date, or make it.
---@param opts? { root?: string, force?: boolean, confirmed?: boolean, shown?: boolean } shown: say how far it is
---@param callback? fun(error?: auto_context.Error, result?: { job: string })
function M.index(opts, callback)
  local params = vim.tbl_extend('force', {}, opts or {})
  with_root(params, function()
    require('auto_context.schedule').tend(params.root)
    require('auto_context.index').update(params.root, opts, callback)
  end)
end

---A file was written by something that is not a buffer: bring the index up to date with it, soon.
---@param path string
function M.handle_write(path)
  require('auto_context.schedule').handle_write(path)
end

---What this editor knows of a root, from memory: for a statusline. Loads no more and asks nobody.
---@param root? string default: that of the current buffer
---@return auto_context.StatusInfo? nil before the first use
function M.status(root)
  return require('auto_context.status').info(root)
end

---End everything this plugin runs in this editor: timers, watches, and the remote plugin.
function M.stop()
  require('auto_context.schedule').close()
  require('auto_context.host').stop()
end

return M
