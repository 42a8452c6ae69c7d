-- What a choice does: open the place in a window, a split or a tab, or send all places to the quickfix list.

local errors = require('auto_context.errors')
local hits = require('auto_context.hit')
local notify = require('auto_context.notify')

local M = {}

local api = vim.api

---@alias auto_context.How 'edit'|'split'|'vsplit'|'tabedit'

---@param origin integer
---@param but? integer a buffer whose windows must keep it
---@return integer? window a place for a file: where one came from, unless that is gone, floats, or shows that buffer
function M.landing(origin, but)
  for _, win in ipairs({ origin, unpack(api.nvim_tabpage_list_wins(0)) }) do
    local free = api.nvim_win_is_valid(win) and api.nvim_win_get_config(win).relative == ''
    if free and api.nvim_win_get_buf(win) ~= but then
      return win
    end
  end
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
  local mark = hit.reason and api.nvim_buf_get_mark(0, '"') or { 0, 0 }
  local line = math.min(hits.focus(hit), api.nvim_buf_line_count(0))
  -- A file that no search found is left where it was last left.
  if mark[1] > 0 and mark[1] <= api.nvim_buf_line_count(0) then
    api.nvim_win_set_cursor(0, mark)
    vim.cmd('normal! zvzz')
  else
    api.nvim_win_set_cursor(0, { line, 0 })
    vim.cmd('normal! ^zvzz')
  end
  return true
end

---Fill a list with rows. It is opened unless `quiet`.
---@param root string
---@param query string
---@param rows auto_context.Hit[]
---@param kind 'quickfix'|'loclist'
---@param quiet? boolean
function M.list(root, query, rows, kind, quiet)
  local items = vim.tbl_map(function(hit)
    return hits.quickfix(root, hit)
  end, rows)
  local what = { title = 'AutoContext: ' .. query, items = items }
  what.context = { source = 'auto_context', query = query }
  if kind == 'quickfix' then
    vim.fn.setqflist({}, ' ', what)
  else
    vim.fn.setloclist(0, {}, ' ', what)
  end
  if not quiet then
    vim.cmd(kind == 'quickfix' and 'botright copen' or 'lopen')
  end
end

---Open rows: each in a window of its own, or in this window the first, with all of them in the quickfix list.
---@param root string
---@param query string
---@param rows auto_context.Hit[]
---@param how auto_context.How
function M.open_all(root, query, rows, how)
  if #rows == 1 then
    M.jump(root, rows[1], how)
  elseif how == 'edit' then
    M.list(root, query, rows, 'quickfix', true)
    M.jump(root, rows[1], how)
  else
    for _, hit in ipairs(rows) do
      M.jump(root, hit, how)
    end
  end
end

---@param text string
---@param what string for the message
function M.yank(text, what)
  vim.fn.setreg('"', text)
  pcall(vim.fn.setreg, '+', text) -- without a clipboard the unnamed register has it
  notify.info('yanked ' .. what)
end

return M
