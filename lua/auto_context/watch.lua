-- Watches a git directory for a moved HEAD. The directory and not the file: git renames HEAD.lock over HEAD, so a
-- watch on the file sees the first checkout and none after it.

local debounce = require('auto_context.debounce')
local log = require('auto_context.log')

local M = {}

local SETTLE_MS = 200
local POLL_MS = 2000

---@class auto_context.Watch
---@field close fun()

---@param git_dir string
---@param on_head fun() runs on the main loop after HEAD came to rest
---@return auto_context.Watch
function M.start(git_dir, on_head)
  local settled = debounce.new(SETTLE_MS, nil, on_head)
  local handle = assert(vim.uv.new_fs_event())
  local ok, problem = handle:start(git_dir, {}, function(error, name)
    -- Some systems do not say the name: then any change may be the one.
    if not error and (name == nil or name == 'HEAD') then
      settled:call()
    end
  end)
  if not ok then
    -- No watches left, or a file system without them: look at the file now and then.
    log.write('info', ('cannot watch %s: %s'):format(git_dir, problem))
    handle:close()
    handle = assert(vim.uv.new_fs_poll())
    handle:start(vim.fs.joinpath(git_dir, 'HEAD'), POLL_MS, function()
      settled:call()
    end)
  end
  return {
    close = function()
      settled:close()
      if not handle:is_closing() then
        handle:stop()
        handle:close()
      end
    end,
  }
end

return M
