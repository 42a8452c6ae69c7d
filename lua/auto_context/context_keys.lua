-- The keys of the context split, and the way from a line of it to that line of its file. The manual lists the same.

local actions = require('auto_context.picker.actions')

local M = {}

local api = vim.api
local NEAR = 500 -- lines up and down that a line is looked for

M.help = {
  { '<CR>', 'jump to the line under the cursor' },
  { '<C-x>', 'the same in a split' },
  { '<C-v>', 'the same in a vertical split' },
  { '<C-t>', 'the same in a tab page' },
  { 'za', 'fold or unfold the snippet' },
  { 'dd', 'remove the snippet; in visual mode `d`' },
  { 'u', 'bring back what was removed last' },
  { 'gy', 'copy all of it as Markdown' },
  { 'R', 'ask again' },
  { 'q', 'close' },
  { '?', 'this help' },
}

---@param split auto_context.Split
---@param line integer
---@return integer? index of the snippet at a line; the blank line below one belongs to it
function M.at(split, line)
  for i = #split.blocks, 1, -1 do
    if split.blocks[i].first <= line then
      return i
    end
  end
  return #split.blocks > 0 and 1 or nil
end

---Where a line of the split is now: the file may have lines more or less above it since.
---@param text? string the line, as the split shows it
---@param line integer
---@return integer
local function anchored(text, line)
  local count = api.nvim_buf_line_count(0)
  local function is(candidate)
    return candidate >= 1
      and candidate <= count
      and api.nvim_buf_get_lines(0, candidate - 1, candidate, true)[1] == text
  end
  if text and text:match('%S') then
    for distance = 0, NEAR do
      if is(line - distance) then
        return line - distance
      elseif is(line + distance) then
        return line + distance
      end
    end
  end
  return math.max(1, math.min(line, count))
end

---@param split auto_context.Split
---@param how auto_context.How
local function jump(split, how)
  local cursor = api.nvim_win_get_cursor(0)
  local number = M.at(split, cursor[1])
  if not number then
    return
  end
  local item, block = split.items[number], split.blocks[number]
  local offset = math.max(0, math.min(cursor[1] - block.code, item.end_line - item.start_line))
  local line = item.start_line + offset
  local inside = cursor[1] >= block.code and cursor[1] < block.last
  local text = vim.split(item.text, '\n', { plain = true })[offset + 1]
  local own = api.nvim_get_current_win()
  local landing = actions.landing(vim.fn.win_getid(vim.fn.winnr('#')), split.buffer)
  if landing then
    api.nvim_set_current_win(landing)
  elseif how == 'edit' then
    how = 'split' -- it stands alone
  end
  local hit = { path = item.path, start_line = line, end_line = line, focus = { line, line } }
  if not actions.jump(split.root, hit --[[@as auto_context.Hit]], how) then
    return api.nvim_set_current_win(own)
  end
  api.nvim_win_set_cursor(0, { anchored(text, line), inside and cursor[2] or 0 })
end

local function help()
  local lines = vim.tbl_map(function(row)
    return ('%-6s %s'):format(row[1], row[2])
  end, M.help)
  vim.lsp.util.open_floating_preview(lines, '', {
    border = (require('auto_context.config').border()),
    focus_id = 'auto_context_help',
    close_events = { 'CursorMoved', 'BufLeave', 'WinClosed' },
  })
end

---@param split auto_context.Split
---@param run table<string, fun(split: auto_context.Split, first?: integer, last?: integer)>
function M.map(split, run)
  ---@param mode string
  ---@param key string
  ---@param action fun()
  local function map(mode, key, action)
    vim.keymap.set(mode, key, action, { buffer = split.buffer, nowait = true, desc = 'AutoContext' })
  end
  for key, how in pairs({ ['<CR>'] = 'edit', ['<C-x>'] = 'split', ['<C-v>'] = 'vsplit', ['<C-t>'] = 'tabedit' }) do
    map('n', key, function()
      jump(split, how)
    end)
  end
  map('n', 'dd', function()
    local line = vim.fn.line('.')
    local last = split.blocks[math.min(#split.blocks, (M.at(split, line) or 1) + vim.v.count1 - 1)]
    run.remove(split, line, last and last.first or line)
  end)
  map('x', 'd', function()
    local first, last = vim.fn.line('v'), vim.fn.line('.')
    vim.cmd('normal! \27')
    run.remove(split, math.min(first, last), math.max(first, last))
  end)
  local plain = { u = run.restore, gy = run.copy, R = run.refresh, ['?'] = help }
  for key, action in pairs(plain) do
    map('n', key, function()
      action(split)
    end)
  end
  map('n', 'q', function()
    -- As the only window it cannot be closed: then its buffer gives way.
    if not pcall(api.nvim_win_close, 0, false) then
      vim.wo.winfixbuf = false
      vim.cmd.enew()
    end
  end)
end

return M
