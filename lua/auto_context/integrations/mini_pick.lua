-- The source `auto_context` of mini.pick: `:Pick auto_context` once `register()` ran.

local feeds = require('auto_context.integrations.feed')
local hits = require('auto_context.hit')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_mini_pick')

---@param root string
---@param hit auto_context.Hit
---@return table item
local function item_of(root, hit)
  local first, last = hits.focus(hit)
  local item = { path = hits.file(root, hit), lnum = first, col = 1, hit = hit }
  if last > first then
    item.end_lnum, item.end_col = last, 1
  end
  item.text = feeds.row(hit)
  return item
end

---@param buffer integer
---@param items table[]
local function show(buffer, items)
  local lines = vim.tbl_map(function(item)
    return item.text
  end, items)
  api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for row, item in ipairs(items) do
    local _, spans = feeds.row(item.hit)
    for _, span in ipairs(spans) do
      local mark = { end_col = span.last, hl_group = span.group, priority = 200 }
      api.nvim_buf_set_extmark(buffer, namespace, row - 1, span.first, mark)
    end
  end
end

---Put rows in place of what is shown. The hit a person moved to stays the current one; a preview stays as it is.
---@param pick table the plugin
---@param items table[]
---@param tick integer of the query they answer
local function put(pick, items, tick)
  local state = pick.get_picker_state()
  if state.buffers.preview and api.nvim_win_get_buf(state.windows.main) == state.buffers.preview then
    return
  end
  local before = pick.get_picker_matches() or {}
  local moved = before.current_ind and before.current_ind > 1 and hits.key(before.current.hit)
  pick.set_picker_items(items, { do_match = false, querytick = tick })
  for index, item in ipairs(items) do
    if moved and hits.key(item.hit) == moved then
      pick.set_picker_match_inds({ index }, 'current')
    end
  end
end

---@param event string
---@param run fun()
local function once(event, run)
  api.nvim_create_autocmd('User', { pattern = event, once = true, callback = run })
end

---@param pick table the plugin
---@param feed auto_context.Feed
---@return fun(stritems: string[], inds: integer[], query: string[])
local function match_of(pick, feed)
  local asked
  local live = false
  return function(_, _, query)
    local tick = pick.get_querytick()
    if tick == asked then
      return
    end
    asked = tick
    if not live then
      live = true
      once('MiniPickStop', function() -- here, since a picker that is resumed does not return to `open`
        live, asked = false, nil
        feed:close()
      end)
    end
    local first = true
    feed:ask(table.concat(query), function(rows)
      if not pick.is_picker_active() or pick.get_querytick() ~= tick then
        return
      end
      local items = vim.tbl_map(function(hit)
        return item_of(feed.root, hit)
      end, rows)
      if first then
        first = false
        pick.set_picker_items(items, { do_match = false, querytick = tick })
      else
        put(pick, items, tick)
      end
    end)
  end
end

---Open it; returns when it is closed, as every picker of mini.pick does.
---@param opts? auto_context.OpenOpts
---@param start_opts? table of |MiniPick.start()|
---@return any chosen
function M.open(opts, start_opts)
  opts = opts or {}
  local pick = require('mini.pick')
  if not _G.MiniPick then
    pick.setup()
  end
  local feed = feeds.new(opts)
  local source = {
    name = opts.like and 'AutoContext similar' or 'AutoContext',
    cwd = feed.root,
    items = {},
    match = match_of(pick, feed),
    show = show,
  }
  if opts.query then
    once('MiniPickStart', function()
      pick.set_picker_query(vim.fn.split(opts.query, [[\zs]]))
    end)
  end
  return pick.start(vim.tbl_deep_extend('keep', start_opts or {}, { source = source }))
end

---Make it a picker by name, for `:Pick auto_context`. mini.pick has to be set up before.
function M.register()
  local pick = feeds.plugin('mini.pick', 'install it, or load it before register()')
  if pick then
    pick.registry.auto_context = M.open
  end
end

return M
