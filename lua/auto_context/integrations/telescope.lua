-- Pickers of Telescope: live, in the engine's order, with a preview at the line. Its public API only.

local feeds = require('auto_context.integrations.feed')
local hits = require('auto_context.hit')
local notify = require('auto_context.notify')

local M = {}

local ROW_WIDTH = 100 -- Telescope does not tell its rows' width
local REASON_WIDTH = 24

---@param root string
---@param hit auto_context.Hit
---@param row? fun(hit: auto_context.Hit): string, auto_context.Span[]
---@return table entry
local function entry_of(root, hit, row)
  local first, last = hits.focus(hit)
  return {
    value = hit,
    ordinal = hits.key(hit),
    display = function()
      local text, spans = (row or feeds.row)(hit)
      return text, vim.tbl_map(function(span)
        return { { span.first, span.last }, span.group }
      end, spans)
    end,
    path = hits.file(root, hit),
    filename = hits.file(root, hit),
    lnum = first,
    lnend = last,
    col = 1,
    text = hits.quickfix(root, hit).text,
  }
end

---A finder of Telescope's callable form: asks anew for every prompt and drops the answer to an older one. Telescope
---shows one answer for a prompt.
---@param feed auto_context.Feed
---@return table finder
local function finder_of(feed)
  return setmetatable({
    close = function()
      feed:close()
    end,
  }, {
    __call = function(_, prompt, process_result, process_complete)
      local done = false
      feed:ask(prompt, function(rows)
        if not done then
          done = true
          for _, hit in ipairs(rows) do
            process_result(entry_of(feed.root, hit))
          end
          process_complete()
        end
      end)
    end,
  })
end

---@param opts table of Telescope's, with ours
---@param title string
---@param finder table
---@param sorter table
local function show(opts, title, finder, sorter)
  require('telescope.pickers')
    .new(vim.tbl_extend('keep', opts, { prompt_title = title, default_text = opts.query }), {
      finder = finder,
      previewer = require('telescope.config').values.grep_previewer(opts),
      sorter = sorter,
    })
    :find()
end

---@param opts? table of Telescope, with ours: `query`, `root` (or `cwd`), `like`
function M.open(opts)
  opts = opts or {}
  local feed = feeds.new({ root = opts.root or opts.cwd, like = opts.like }, true)
  local title = opts.like and 'AutoContext similar' or 'AutoContext'
  show(opts, title, finder_of(feed), require('telescope.sorters').empty())
end

---Code like the code under the cursor; what is typed then is an ordinary query.
---@param opts? table of Telescope, with ours: `whole` (like the whole file)
function M.similar(opts)
  opts = opts or {}
  local like = feeds.here(opts.whole)
  if like then
    M.open(vim.tbl_extend('keep', { like = like }, opts))
  end
end

---@param item table of the context: a hit with the reason why it is there
---@return string text
---@return auto_context.Span[] spans
local function context_row(item)
  local reason = hits.truncate(hits.printable(item.reason), REASON_WIDTH, 'right')
  reason = reason .. (' '):rep(REASON_WIDTH + 2 - vim.fn.strdisplaywidth(reason))
  local text, spans = hits.row(item, ROW_WIDTH, true)
  local all = { { first = 0, last = #reason, group = 'AutoContextLegs' } }
  for _, span in ipairs(spans) do
    all[#all + 1] = { first = #reason + span.first, last = #reason + span.last, group = span.group }
  end
  return reason .. text, all
end

---What one needs to work at the cursor: definitions, similar code, tests. What is typed filters these.
---@param opts? table of Telescope, with ours: `budget` (tokens)
function M.context(opts)
  opts = opts or {}
  require('auto_context.context').request({ budget = tonumber(opts.budget) }, function(error, reply)
    if error then
      return notify.fault(error, { asked = true })
    end
    require('auto_context.picker.view').highlights()
    local finder = require('telescope.finders').new_table({
      results = reply.items,
      entry_maker = function(item)
        item.focus = { item.start_line, item.end_line }
        local entry = entry_of(reply.root, item, context_row)
        entry.ordinal = table.concat({ item.reason, item.path, item.symbol }, ' ')
        return entry
      end,
    })
    show(opts, 'AutoContext context', finder, require('telescope.config').values.generic_sorter(opts))
  end)
end

return M
