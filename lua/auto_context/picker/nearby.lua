-- Rows for an empty prompt: open buffers at once, then what the service knows to be recent or near; else old files.

local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')

local M = {}

local api = vim.api

---@param path string relative to the root
---@param reason string
---@param line? integer
---@return auto_context.Hit
local function row(path, reason, line)
  return {
    path = path,
    start_line = 1,
    end_line = 1,
    focus = { line or 1, line or 1 },
    symbol = '',
    kind = 'file',
    language = '',
    score = 0,
    legs = {},
    fresh = true,
    text = '',
    reason = reason,
  }
end

---@param root string
---@return table<string, { line: integer, used: integer }> listed file buffers by path
local function buffers(root)
  local found = {}
  for _, info in ipairs(vim.fn.getbufinfo({ buflisted = 1 })) do
    local path = repo.file_of(root, info.bufnr)
    if path then
      -- A buffer that was only added has neither a mark nor a cursor line.
      local line = info.loaded == 1 and api.nvim_buf_get_mark(info.bufnr, '"')[1] or info.lnum
      found[path] = { line = math.max(1, line), used = info.lastused }
    end
  end
  return found
end

---@param root string
---@param near? string
---@return string[] paths of open buffers but the current, the last used first
---@return table<string, { line: integer, used: integer }>
local function recent(root, near)
  local open = buffers(root)
  local paths = vim.tbl_filter(function(path)
    return path ~= near
  end, vim.tbl_keys(open))
  table.sort(paths, function(a, b)
    if open[a].used ~= open[b].used then
      return open[a].used > open[b].used
    end
    return a < b
  end)
  return paths, open
end

---@param root string
---@param skip table<string, any>
---@param limit integer
---@return string[] paths below the root that earlier sessions had open
local function old_files(root, skip, limit)
  local paths = {}
  for _, name in ipairs(vim.v.oldfiles) do
    local path = repo.below(root, name)
    if path and not skip[path] and #paths < limit then
      paths[#paths + 1] = path
    end
  end
  return paths
end

---Which of them still exist, looked for off the main loop.
---@param root string
---@param wanted string[]
---@param callback fun(paths: string[])
local function existing(root, wanted, callback)
  local there, left = {}, #wanted
  if left == 0 then
    return callback({})
  end
  for i, path in ipairs(wanted) do
    vim.uv.fs_stat(vim.fs.joinpath(root, path), function(_, stat)
      there[i] = stat ~= nil and stat.type == 'file'
      left = left - 1
      if left == 0 then
        vim.schedule(function()
          local paths = {}
          for at, each in ipairs(wanted) do
            paths[#paths + 1] = there[at] and each or nil
          end
          callback(paths)
        end)
      end
    end)
  end
end

---Open buffers keep their rows, also those the index does not know (yet); the service adds what it knows of them.
---@param rows auto_context.Hit[] of open buffers
---@param hits auto_context.Hit[]
---@param limit integer
---@return auto_context.Hit[]
local function merged(rows, hits, limit)
  local all, at = vim.list_slice(rows), {}
  for i, each in ipairs(rows) do
    at[each.path] = i
  end
  for _, hit in ipairs(hits) do
    local i = at[hit.path]
    if i then
      all[i] = vim.tbl_extend('force', hit, { focus = rows[i].focus, reason = 'open', fresh = true })
    elseif #all < limit then
      all[#all + 1] = vim.tbl_extend('force', hit, { fresh = true })
    end
  end
  return all
end

---@param root string
---@param near? string the current file, which is no place to go to
---@param limit integer
---@param show fun(rows: auto_context.Hit[]) runs at once, and again when more is known
---@return fun() cancel
function M.request(root, near, limit, show)
  local live = true
  local paths, open = recent(root, near)
  local rows = {}
  for i = 1, math.min(limit, #paths) do
    rows[i] = row(paths[i], 'open', open[paths[i]].line)
  end
  show(rows)
  local skip = vim.tbl_extend('force', near and { [near] = true } or {}, open)
  local old = old_files(root, skip, limit)
  local function local_only()
    existing(root, old, function(there)
      if live and #there > 0 then
        local more = vim.tbl_map(function(path)
          return row(path, 'recent')
        end, there)
        show(merged(rows, more, limit))
      end
    end)
  end
  if repo.get(root).indexed == false then
    local_only()
    return function()
      live = false
    end
  end
  local params = { root = root, near = near, open = vim.list_slice(paths, 1, limit), recent = old, limit = limit }
  local cancel = rpc.request('nearby', params, function(error, reply)
    if not live then
      return
    elseif error or #reply.hits == 0 then
      return local_only()
    end
    show(merged(rows, reply.hits, limit))
  end)
  return function()
    live = false
    cancel()
  end
end

return M
