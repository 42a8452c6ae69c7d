-- The source `auto_context` of snacks.picker: `Snacks.picker.auto_context()` once `register()` ran.

local feeds = require('auto_context.integrations.feed')
local hits = require('auto_context.hit')

local M = {}

---@param root string
---@param hit auto_context.Hit
---@return table item
local function item_of(root, hit)
  local first, last = hits.focus(hit)
  return {
    text = hits.key(hit),
    cwd = root,
    file = hit.path,
    pos = { first, 0 },
    end_pos = last > first and { last, 0 } or nil,
    line = hits.quickfix(root, hit).text,
    hit = hit,
  }
end

---@param item table
---@return table[] pieces text and highlight group
local function format(item)
  local text, spans = feeds.row(item.hit)
  local pieces, at = {}, 0
  for _, span in ipairs(spans) do
    if span.first > at then
      pieces[#pieces + 1] = { text:sub(at + 1, span.first) }
    end
    pieces[#pieces + 1] = { text:sub(span.first + 1, span.last), span.group }
    at = span.last
  end
  return pieces
end

---The row that the cursor goes to when a better answer takes the place of `before`: the hit a person moved to, else
---the first one.
---@param picker table
---@param rows auto_context.Hit[]
---@return integer
local function landing(picker, rows)
  local item = picker.list.cursor > 1 and picker:current()
  for index, hit in ipairs(rows) do
    if item and hits.key(hit) == item.text then
      return index
    end
  end
  return item and picker.list.cursor or 1
end

---The finder of one picker. The first answer of a query is waited for; a better one is put in place by finding again.
---@param feed auto_context.Feed
---@return fun(opts: table, context: table): table|fun(add: fun(item: table))
local function finder_of(feed)
  local asked, rows ---@type string?, auto_context.Hit[]?
  local function items()
    return vim.tbl_map(function(hit)
      return item_of(feed.root, hit)
    end, rows)
  end
  return function(_, context)
    local query, picker = context.filter.search, context.picker
    local waiting
    if asked ~= query or not rows then
      asked, rows = query, nil
      feed:ask(query, function(found)
        local better = rows ~= nil
        rows = found
        if better then
          picker.list:set_target(landing(picker, rows), nil, { force = true })
          picker:find()
        elseif waiting then
          waiting:resume()
        end
      end)
    end
    if rows then
      return items()
    end
    return function(add)
      waiting = context.async
      while rows == nil do
        waiting:suspend()
      end
      for _, item in ipairs(waiting:schedule(items)) do -- it runs where most of the API may not be called
        add(item)
      end
    end
  end
end

---@param opts table as merged by snacks, with ours: `query`, `root`, `like`
---@return table opts
local function configure(opts)
  local feed = feeds.new({ root = opts.root or opts.cwd, like = opts.like })
  local on_close = opts.on_close
  opts.title = opts.title or (opts.like and 'AutoContext similar' or 'AutoContext')
  opts.search = opts.search or opts.query
  opts.finder = finder_of(feed)
  opts.on_close = function(picker)
    feed:close()
    if on_close then
      on_close(picker)
    end
  end
  return opts
end

---Make it a source by name, for `Snacks.picker.auto_context()` and the list of pickers.
function M.register()
  local sources = feeds.plugin('snacks.picker.config.sources', 'install it, or load it before register()')
  if sources and not rawget(sources, 'auto_context') then
    sources.auto_context = { live = true, supports_live = true, format = format, preview = 'file', config = configure }
  end
end

---@param opts? table of snacks.picker, with ours: `query`, `root`, `like`
function M.open(opts)
  M.register()
  require('snacks.picker').pick('auto_context', opts)
end

return M
