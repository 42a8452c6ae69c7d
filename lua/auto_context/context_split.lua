-- The split that shows a context as Markdown: snippets are jumped to, folded, removed, copied. One in an editor.
-- The items are the truth and the buffer is drawn from them; it knows nothing of how a context is asked for.

local highlight = require('auto_context.context_highlight')
local keys = require('auto_context.context_keys')
local markdown = require('auto_context.markdown')
local notify = require('auto_context.notify')
local progress = require('auto_context.progress')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_split')
M.NAME = 'auto-context://context'
local SHARE = 0.4 -- of the screen's height

---@class auto_context.Split
---@field buffer integer
---@field root string
---@field budget integer
---@field exact boolean
---@field place? string what it is the context of
---@field items auto_context.ContextItem[]
---@field blocks auto_context.Block[]
---@field removed { at: integer, item: auto_context.ContextItem }[][] newest last
---@field ask? fun(callback: fun(reply: auto_context.ContextReply)): fun()
---@field cancel? fun() of a refresh under way

---@type auto_context.Split?
local current

---@return auto_context.Split?
local function alive()
  if current and not api.nvim_buf_is_valid(current.buffer) then
    current = nil
  end
  return current
end

---@param split auto_context.Split
---@return string what the first line of the window says; `%` is doubled as a statusline needs it
local function title(split)
  local total = 0
  for _, item in ipairs(split.items) do
    total = total + item.tokens
  end
  local of = split.place and (' context of %s ·'):format(split.place) or ' context ·'
  local text = ('%s %s, %s%s of %s tokens'):format(
    of,
    progress.count(#split.items, 'snippet'),
    split.exact and '' or 'about ',
    progress.thousands(total),
    progress.thousands(split.budget)
  )
  return '%#AutoContextTitle#' .. text:gsub('%c', '?'):gsub('%%', '%%%%') .. '%*%=? help '
end

---@param split auto_context.Split
---@return table<string, true> the snippets that are folded, by their text
local function folded(split)
  local found = {}
  api.nvim_buf_call(split.buffer, function()
    for i, block in ipairs(split.blocks) do
      if split.items[i] and vim.fn.foldclosed(block.first) ~= -1 then
        found[split.items[i].path .. ':' .. split.items[i].start_line] = true
      end
    end
  end)
  return found
end

---@param split auto_context.Split
---@param window integer
---@param closed table<string, true>
local function fold(split, window, closed)
  api.nvim_win_call(window, function()
    local view = vim.fn.winsaveview()
    vim.cmd('silent! normal! zE')
    for i, block in ipairs(split.blocks) do
      vim.cmd(('silent %d,%dfold'):format(block.first, block.last))
      local key = split.items[i].path .. ':' .. split.items[i].start_line
      vim.cmd(('silent! %dfold%s'):format(block.first, closed[key] and 'close' or 'open'))
    end
    vim.fn.winrestview(view)
  end)
end

---@param split auto_context.Split
---@param closed? table<string, true>
local function draw(split, closed)
  closed = closed or {}
  local buffer = split.buffer
  local lines
  lines, split.blocks = markdown.document(split.items)
  vim.bo[buffer].modifiable = true
  api.nvim_buf_set_lines(buffer, 0, -1, true, #lines > 0 and lines or { 'No snippet is left: `u` brings one back.' })
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for i, block in ipairs(split.blocks) do
    local tokens = progress.count(split.items[i].tokens, 'token')
    api.nvim_buf_set_extmark(buffer, namespace, block.first - 1, 0, {
      end_col = #lines[block.first],
      hl_group = 'AutoContextContextHeading',
      virt_text = { { tokens, 'AutoContextContextTokens' } },
    })
  end
  highlight.start(buffer, split.items, split.blocks)
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    fold(split, window, closed)
    vim.wo[window].winbar = title(split)
  end
end

---@param split auto_context.Split
---@param first integer line
---@param last integer line
local function remove(split, first, last)
  local from, to = keys.at(split, first), keys.at(split, last)
  if not from then
    return
  end
  local closed, gone = folded(split), {}
  for i = to, from, -1 do
    table.insert(gone, 1, { at = i, item = table.remove(split.items, i) })
  end
  table.insert(split.removed, gone)
  draw(split, closed)
  local block = split.blocks[math.min(from, #split.blocks)]
  api.nvim_win_set_cursor(0, { block and block.first or 1, 0 })
end

---@param split auto_context.Split
local function restore(split)
  local back = table.remove(split.removed)
  if not back then
    return notify.info('nothing was removed')
  end
  local closed = folded(split)
  for _, one in ipairs(back) do
    table.insert(split.items, math.min(one.at, #split.items + 1), one.item)
  end
  draw(split, closed)
  api.nvim_win_set_cursor(0, { split.blocks[back[1].at].first, 0 })
end

---@param split auto_context.Split
local function copy(split)
  local text = markdown.text(split.items)
  vim.fn.setreg('"', text, 'l')
  if vim.fn.has('clipboard') == 1 then
    vim.fn.setreg('+', text, 'l')
  end
  notify.info('copied ' .. progress.count(#split.items, 'snippet'))
end

---@param split auto_context.Split
---@param reply auto_context.ContextReply
local function fill(split, reply)
  split.root, split.items, split.removed = reply.root, reply.items, {}
  split.budget, split.exact = reply.budget, reply.exact
  split.place = ('%s:%d'):format(vim.fs.basename(reply.path), reply.line)
end

---@param split auto_context.Split
local function refresh(split)
  if not split.ask then
    return notify.info('these snippets were picked: there is nothing to ask again')
  end
  if split.cancel then
    split.cancel()
  end
  split.cancel = split.ask(function(reply)
    split.cancel = nil
    if api.nvim_buf_is_valid(split.buffer) then
      local closed = folded(split)
      fill(split, reply)
      draw(split, closed)
    end
  end)
end

---@param split auto_context.Split
local function create(split)
  highlight.groups()
  split.buffer = api.nvim_create_buf(false, true)
  vim.bo[split.buffer].bufhidden = 'wipe'
  vim.bo[split.buffer].swapfile = false
  -- By this name a restored session's empty window is known.
  pcall(api.nvim_buf_set_name, split.buffer, M.NAME)
  vim.cmd(('botright %dsplit'):format(math.max(3, math.floor(vim.o.lines * SHARE))))
  local window = api.nvim_get_current_win()
  -- A float's own options, those of a diff or of a terminal's window do not fit.
  api.nvim_win_set_buf(window, split.buffer)
  for name, value in pairs({
    foldmethod = 'manual', foldenable = true, wrap = false, number = false, relativenumber = false, spell = false,
    list = false, diff = false, scrollbind = false, cursorbind = false, winfixbuf = true, winfixheight = true,
    foldtext = "getline(v:foldstart) . ' '", signcolumn = 'no', cursorline = true,
  }) do -- stylua: ignore
    api.nvim_set_option_value(name, value, { win = window, scope = 'local' })
  end
  keys.map(split, { remove = remove, restore = restore, copy = copy, refresh = refresh })
  api.nvim_create_autocmd('BufWipeout', {
    buffer = split.buffer,
    once = true,
    callback = function()
      if split.cancel then
        split.cancel()
      end
    end,
  })
  vim.bo[split.buffer].filetype = 'auto-context-context'
  current = split
end

---@param split auto_context.Split
---@return boolean whether a window of this tab page shows it now
local function focus(split)
  for _, window in ipairs(vim.fn.win_findbuf(split.buffer)) do
    if api.nvim_win_get_tabpage(window) == api.nvim_get_current_tabpage() then
      api.nvim_set_current_win(window)
      return true
    end
  end
  return false
end

---Show a context; one that is shown gives way to it.
---@param reply auto_context.ContextReply
---@param ask fun(callback: fun(reply: auto_context.ContextReply)): fun()
function M.open(reply, ask)
  if vim.fn.getcmdwintype() ~= '' then
    return notify.warn('a context cannot be shown in the command-line window; leave it first')
  end
  local split = alive()
  if split and not focus(split) then
    api.nvim_buf_delete(split.buffer, { force = true })
    split = nil
  end
  if not split then
    split = { items = {}, blocks = {}, removed = {} }
    create(split --[[@as auto_context.Split]])
  end
  split.ask = ask
  fill(split --[[@as auto_context.Split]], reply)
  draw(split --[[@as auto_context.Split]])
  api.nvim_win_set_cursor(0, { 1, 0 })
end

---Append snippets, except those whose lines stand there already.
---@param root string
---@param items auto_context.ContextItem[]
---@param budget integer of a new split
function M.add(root, items, budget)
  local split = alive()
  if split and split.root ~= root then
    api.nvim_buf_delete(split.buffer, { force = true })
    split = nil
  end
  local before = api.nvim_get_current_win()
  if not split then
    split = { root = root, budget = budget, exact = false, items = {}, blocks = {}, removed = {} }
    create(split --[[@as auto_context.Split]])
  end
  local closed = folded(split --[[@as auto_context.Split]])
  for _, item in ipairs(items) do
    local known = vim.iter(split.items):any(function(other)
      return other.path == item.path and other.start_line <= item.start_line and other.end_line >= item.end_line
    end)
    if not known then
      split.items[#split.items + 1] = item
      split.exact = false
    end
  end
  draw(split --[[@as auto_context.Split]], closed)
  if api.nvim_win_is_valid(before) then
    api.nvim_set_current_win(before)
  end
end

---A restored session has our window as an empty one: it goes.
function M.forget_restored()
  local buffer = vim.fn.bufnr('^' .. M.NAME .. '$')
  if buffer > 0 and not (alive() and current.buffer == buffer) then
    pcall(api.nvim_buf_delete, buffer, { force = true })
  end
end

return M
