-- Watches a git directory for a moved HEAD, and for the end of a rebase or a merge. The directory and not the file: git
-- renames HEAD.lock over HEAD, so a watch on the file sees the first checkout and none after it.

local debounce = require('auto_context.debounce')
local log = require('auto_context.log')
local repo = require('auto_context.repo')

local M = {}

local SETTLE_MS = 200
local POLL_MS = 2000

---@class auto_context.Watch
---@field close fun()

---@param folder string
---@param names table<string, any> of what to look for in it
---@param settled auto_context.Debounce
---@return uv.uv_fs_event_t|uv.uv_fs_poll_t
local function watch_folder(folder, names, settled)
  local handle = assert(vim.uv.new_fs_event())
  local ok, problem = handle:start(folder, {}, function(error, name)
    -- Some systems do not say the name: then any change may be the one.
    if not error and (name == nil or names[name]) then
      settled:call()
    end
  end)
  if not ok then
    -- No watches left, or a file system without them: look at the file now and then.
    log.write('info', ('cannot watch %s: %s'):format(folder, problem))
    handle:close()
    handle = assert(vim.uv.new_fs_poll())
    handle:start(vim.fs.joinpath(folder, names.HEAD and 'HEAD' or 'tables.list'), POLL_MS, function()
      settled:call()
    end)
  end
  return handle
end

---@param git_dir string
---@param on_head fun() runs on the main loop after HEAD came to rest
---@return auto_context.Watch
function M.start(git_dir, on_head)
  local settled = debounce.new(SETTLE_MS, nil, on_head)
  local handles = { watch_folder(git_dir, vim.tbl_extend('error', { HEAD = 'head' }, repo.OPERATIONS), settled) }
  -- With reftable the file HEAD never changes.
  local tables = vim.fs.joinpath(git_dir, 'reftable')
  local closed = false
  vim.uv.fs_stat(
    tables,
    vim.schedule_wrap(function(missing)
      if not missing and not closed then
        table.insert(handles, watch_folder(tables, { ['tables.list'] = true }, settled))
      end
    end)
  )
  return {
    close = function()
      closed = true
      settled:close()
      for _, handle in ipairs(handles) do
        if not handle:is_closing() then
          handle:stop()
          handle:close()
        end
      end
    end,
  }
end

return M
