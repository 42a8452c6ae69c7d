-- What a choice does: open the place in a window, a split or a tab, or send all places to the quickfix list.

local errors = require('auto_context.errors')
local hits = require('auto_context.hit')
local notify = require('auto_context.notify')

local M = {}

local api = vim.api

---@alias auto_context.How 'edit'|'split'|'vsplit'|'tabedit'

---@param origin integer
---@return integer window a place for a file: where the picker was opened, unless that is gone or floats itself
function M.landing(origin)
  local candidates = vim.list_extend({ origin }, api.nvim_tabpage_list_wins(0))
  for _, win in ipairs(candidates) do
    if api.nvim_win_is_valid(win) and api.nvim_win_get_config(win).relative == '' then
      return win
    end
  end
  return api.nvim_get_current_win()
end

---@param path string
---@return boolean
local function exists(path)
  return vim.uv.fs_stat(path) ~= nil or vim.fn.bufloaded(path) == 1
end

---@param path string
---@param how auto_context.How
local function open(path, how)
  local current = api.nvim_buf_get_name(0) == path
  if how == 'edit' and current then
    return
  end
  -- A window that must keep its buffer gets a neighbour.
  if how == 'edit' and vim.wo.winfixbuf then
    how = 'split'
  end
  vim.cmd({ cmd = how, args = { path }, magic = { file = false, bar = false } })
end

---Put the cursor on the hit's first focus line, centred; the place left is in the jump list.
---@param root string
---@param hit auto_context.Hit
---@param how? auto_context.How
---@return boolean whether the file is open now
function M.jump(root, hit, how)
  local path = hits.file(root, hit)
  if not exists(path) then
    notify.fault(errors.new('path_missing', hit.path .. ' is gone', 'the index follows soon'), { asked = true })
    return false
  end
  vim.cmd("normal! m'")
  local ok, problem = pcall(open, path, how or 'edit')
  if not ok then
    notify.warn(vim.trim(tostring(problem)))
    return false
  end
  local line = math.min(hits.focus(hit), api.nvim_buf_line_count(0))
  api.nvim_win_set_cursor(0, { line, 0 })
  vim.cmd('normal! ^zvzz')
  return true
end

---@param root string
---@param query string
---@param rows auto_context.Hit[]
function M.quickfix(root, query, rows)
  local items = vim.tbl_map(function(hit)
    return hits.quickfix(root, hit)
  end, rows)
  local context = { source = 'auto_context', query = query }
  vim.fn.setqflist({}, ' ', { title = 'AutoContext: ' .. query, items = items, context = context })
  vim.cmd('botright copen')
end

return M
