-- Keeps the index current: saves, branch switches, and a timer. Owns every timer and watch outside the picker.

local config = require('auto_context.config')
local debounce = require('auto_context.debounce')
local events = require('auto_context.events')
local index = require('auto_context.index')
local repo = require('auto_context.repo')
local watch = require('auto_context.watch')

local M = {}

local SAVE_WAIT_MS = 500
local SAVE_MAX_MS = 5000

---@class auto_context.Tended
---@field paths table<string, true> saved, not yet sent
---@field saves auto_context.Debounce
---@field watch? auto_context.Watch
---@field branch? string the last one that was not in the middle of something
---@field moved? boolean HEAD moved since the last update

---@type table<string, auto_context.Tended>
local tended = {}
---@type uv.uv_timer_t?
local timer
local focused = true

---@param root string
local function send_saves(root)
  local entry = tended[root]
  local paths = entry and vim.tbl_keys(entry.paths) or {}
  if #paths == 0 then
    return
  end
  entry.paths = {}
  table.sort(paths)
  index.is_indexed(root, function(indexed)
    if indexed then
      index.incremental(root, paths)
    end
  end)
end

---@param root string
---@param now auto_context.Repo
---@param before? string the branch that was known
local function branch_settled(root, now, before)
  local entry = tended[root]
  if not entry then
    return
  end
  local was = entry.branch or before
  entry.branch = now.branch
  if was ~= nil and now.branch ~= was then
    events.fire('Branch', { root = root, branch = now.branch, before = was })
  end
  if entry.moved and config.get().auto_update then
    -- Asked where it is unknown: a picker that was left at once had no time to learn it.
    index.is_indexed(root, function(indexed)
      if indexed then
        index.update(root)
      end
    end)
  end
  entry.moved = false
end

---@param root string
---@param moved? boolean HEAD moved, if only to another commit
local function check_branch(root, moved)
  repo.refresh(root, function(now, before)
    local entry = tended[root]
    -- Without a branch git could not be asked: the folder is gone, or was renamed.
    if not entry or (now.git_dir and not now.branch) then
      return
    end
    entry.moved = entry.moved or moved or (before ~= nil and now.branch ~= before)
    repo.operation(now.git_dir, function(operation)
      -- A rebase moves HEAD with every commit, and no update runs in its middle: one afterwards.
      if not operation then
        branch_settled(root, now, before)
      end
    end)
  end)
end

---Stop looking after one root.
---@param root string
local function release(root)
  local entry = tended[root]
  tended[root] = nil
  if entry then
    entry.saves:close()
    if entry.watch then
      entry.watch.close()
    end
  end
end

---One beat of the timer. Skipped when nobody looks or an update runs; the next beat comes anyway.
function M.tick()
  if not focused or index.any_busy() then
    return
  end
  for root in pairs(tended) do
    vim.uv.fs_stat(
      root,
      vim.schedule_wrap(function(missing)
        local known = repo.get(root)
        if missing then
          release(root) -- removed or renamed: the next use of the new name begins anew
        elseif known.indexed then
          index.update(root)
        else
          -- The shell or another editor may have indexed it meanwhile: the next save asks again.
          known.indexed = nil
        end
      end)
    )
  end
end

local function check_branches()
  for root in pairs(tended) do
    check_branch(root)
  end
end

local function begin()
  local group = vim.api.nvim_create_augroup('AutoContextSchedule', {})
  vim.api.nvim_create_autocmd('FocusGained', {
    group = group,
    callback = function()
      focused = true
      check_branches()
    end,
  })
  vim.api.nvim_create_autocmd('FocusLost', {
    group = group,
    callback = function()
      focused = false
    end,
  })
  -- Where watches miss something: another folder, a command that ran in a terminal.
  local safety_net = { 'DirChanged', 'TermClose', 'ShellCmdPost' }
  vim.api.nvim_create_autocmd(safety_net, { group = group, callback = check_branches })
  vim.api.nvim_create_autocmd('VimLeavePre', { group = group, callback = M.close })
  local interval = math.floor(config.get().interval_minutes * 60000)
  if config.get().auto_update and interval > 0 then
    timer = assert(vim.uv.new_timer())
    timer:start(interval, interval, vim.schedule_wrap(M.tick))
  end
end

---Look after a root from now on. Does nothing when it is looked after already.
---@param root string
function M.tend(root)
  if tended[root] then
    return
  end
  if next(tended) == nil then
    begin()
  end
  local saves = debounce.new(SAVE_WAIT_MS, SAVE_MAX_MS, function()
    send_saves(root)
  end)
  tended[root] = { paths = {}, saves = saves }
  repo.refresh(root, function(now)
    local entry = tended[root]
    if entry and now.git_dir and not entry.watch then
      entry.branch = now.branch
      entry.watch = watch.start(now.git_dir, function()
        check_branch(root, true)
      end)
    end
  end)
end

---@param path string
---@param go fun() on the main loop, when it exists
local function if_there(path, go)
  vim.uv.fs_stat(
    path,
    vim.schedule_wrap(function(missing)
      if not missing then
        go()
      end
    end)
  )
end

---@param go fun() on the main loop, when any index exists on this machine, as far as a look at the data folder tells
local function if_any_index(go)
  if_there(require('auto_context.folders').data(), go)
end

---A file was written: bring the index up to date with it, soon. For callers that write files without a buffer, too.
---Does nothing for a repository without an index, and starts nothing on a machine without one.
---@param path string
function M.handle_write(path)
  if not config.get().auto_update then
    return
  end
  path = repo.absolute(path)
  repo.find_of_path(path, function(root)
    if not root or repo.get(root).indexed == false then
      return
    end
    if_any_index(function()
      M.tend(root)
      tended[root].paths[path] = true
      tended[root].saves:call()
    end)
  end)
end

---@param event { buf: integer, match: string }
function M.on_write(event)
  if vim.bo[event.buf].buftype == '' and not event.match:match('^%w+://') then
    M.handle_write(event.match)
  end
end

---What `auto_start` does, once Neovim is idle: look after the repository of the current directory, and bring its index
---up to date where it has one. None is made unasked.
function M.start_early()
  repo.find(nil, function(root)
    if_there(vim.fs.joinpath(root, '.git'), function()
      if_any_index(function()
        M.tend(root)
        index.is_indexed(root, function(indexed)
          if indexed and config.get().auto_update and not repo.get(root).caught_up then
            index.update(root)
          end
        end)
      end)
    end)
  end)
end

---Stop looking after everything; no timer, watch or autocommand of this module is left.
function M.close()
  pcall(vim.api.nvim_del_augroup_by_name, 'AutoContextSchedule')
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
  timer = nil
  for _, root in ipairs(vim.tbl_keys(tended)) do
    release(root)
  end
end

return M
