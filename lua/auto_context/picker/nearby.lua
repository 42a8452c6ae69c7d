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
---@param name string absolute
---@return string? path relative to the root
local function inside(root, name)
  local prefix = root:gsub('/$', '') .. '/'
  return vim.startswith(name, prefix) and name:sub(#prefix + 1) or nil
end

---@param root string
---@return table<string, { line: integer, used: integer }> listed file buffers by path
local function buffers(root)
  local found = {}
  for _, info in ipairs(vim.fn.getbufinfo({ buflisted = 1 })) do
    local path = vim.bo[info.bufnr].buftype == '' and inside(root, info.name)
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

---Old files below the root that still exist, looked for off the main loop.
---@param root string
---@param skip table<string, any>
---@param limit integer
---@param callback fun(paths: string[])
local function old_files(root, skip, limit, callback)
  local wanted, there = {}, {}
  for _, name in ipairs(vim.v.oldfiles) do
    local path = inside(root, name)
    if path and not skip[path] and #wanted < limit then
      wanted[#wanted + 1] = path
    end
  end
  local left = #wanted
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
  local function local_only()
    local skip = vim.tbl_extend('force', near and { [near] = true } or {}, open)
    old_files(root, skip, math.max(0, limit - #rows), function(old)
      if live and #old > 0 then
        show(vim.list_extend(
          vim.list_slice(rows),
          vim.tbl_map(function(path)
            return row(path, 'recent')
          end, old)
        ))
      end
    end)
  end
  if repo.get(root).indexed == false then
    local_only()
    return function()
      live = false
    end
  end
  local params = { root = root, near = near, recent = #paths > 0 and paths or nil, limit = limit }
  local cancel = rpc.request('nearby', params, function(error, reply)
    if not live then
      return
    elseif error or #reply.hits == 0 then
      return local_only()
    end
    for _, hit in ipairs(reply.hits) do
      local line = open[hit.path] and open[hit.path].line
      hit.focus = line and { line, line } or hit.focus
      hit.fresh = hit.fresh ~= false
    end
    show(reply.hits)
  end)
  return function()
    live = false
    cancel()
  end
end

return M
