-- Unsaved buffers win: the service is told what a person typed and has not written, before each search. Only what
-- changed since the last time is sent.

local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')

local M = {}

local api = vim.api

local MOST_BUFFERS = 20
local MAX_BYTES = 1024 * 1024

---@type table<string, table<string, integer>> by root: the tick at which each path was sent
local sent = {}

---@param root string
---@return table<string, integer> buffers with unsaved text, by path
local function unsaved(root)
  local found, count = {}, 0
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    local options = vim.bo[buffer]
    if count < MOST_BUFFERS and options.modified and options.buftype == '' and api.nvim_buf_is_loaded(buffer) then
      local name = api.nvim_buf_get_name(buffer)
      if name ~= '' and repo.inside(name, root) then
        found[name], count = buffer, count + 1
      end
    end
  end
  return found
end

---@param buffer integer
---@return string? text nil when there is too much of it
local function text_of(buffer)
  if api.nvim_buf_get_offset(buffer, api.nvim_buf_line_count(buffer)) > MAX_BYTES then
    return nil
  end
  return table.concat(api.nvim_buf_get_lines(buffer, 0, -1, true), '\n') .. '\n'
end

---Tell the service of the buffers of a root that changed since the last time. Cheap when none did.
---@param root string
function M.sync(root)
  if repo.get(root).indexed == false then
    return
  end
  local before, now, files = sent[root] or {}, {}, {}
  for path, buffer in pairs(unsaved(root)) do
    local tick = api.nvim_buf_get_changedtick(buffer)
    local text = before[path] ~= tick and text_of(buffer)
    if text then
      files[path] = text
    end
    now[path] = text ~= nil and tick or nil
  end
  for path in pairs(before) do
    if not now[path] then
      files[path] = false
    end
  end
  sent[root] = now
  if next(files) ~= nil then
    rpc.request('buffers', { root = root, files = files }, function(error)
      if error then
        sent[root] = nil -- all of it again, with the next search
      end
    end)
  end
end

-- A new remote plugin knows of nothing.
rpc.on('exit', function()
  sent = {}
end)

return M
