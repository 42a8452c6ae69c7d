-- Without any picker: the query through `vim.ui.input`, the hits through `vim.ui.select`, whoever provides them.

local actions = require('auto_context.picker.actions')
local feeds = require('auto_context.integrations.feed')
local hits = require('auto_context.hit')
local notify = require('auto_context.notify')

local M = {}

local api = vim.api

---The hit's text, at its focus, for a `vim.ui.select` that shows previews (from Neovim 0.12 on they are asked for).
---@param hit auto_context.Hit
---@return { buf: integer, pos: integer[], pos_end: integer[] } lines 1-based, columns 0-based, the end excluded
local function preview(hit)
  local buffer = api.nvim_create_buf(false, true)
  local lines = vim.split(hit.text, '\n', { plain = true })
  api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  vim.bo[buffer].bufhidden = 'wipe'
  -- Not by 'filetype', which would start plugins and language servers on a preview.
  local filetype = vim.filetype.match({ filename = hit.path })
  local language = filetype and vim.treesitter.language.get_lang(filetype)
  if not (language and pcall(vim.treesitter.start, buffer, language)) then
    vim.bo[buffer].syntax = filetype or ''
  end
  local first, last = hits.focus(hit)
  local from = math.min(first - hit.start_line + 1, #lines)
  local to = math.min(last - hit.start_line + 1, #lines)
  return { buf = buffer, pos = { from, 0 }, pos_end = { to, #lines[to] } }
end

---@param feed auto_context.Feed
---@param query string
local function choose(feed, query)
  local asked = false
  feed:ask(query, function(rows, error)
    if asked then
      return
    end
    asked = true
    feed:close()
    if error then
      return
    elseif #rows == 0 then
      return notify.info(('nothing found for %q'):format(query))
    end
    vim.ui.select(rows, {
      prompt = 'AutoContext: ' .. query,
      kind = 'auto_context',
      format_item = function(hit)
        return (feeds.row(hit))
      end,
      preview_item = preview,
    }, function(hit)
      if hit then
        actions.jump(feed.root, hit)
      end
    end)
  end)
end

---@param opts? auto_context.OpenOpts
function M.open(opts)
  opts = opts or {}
  local feed = feeds.new(opts, true)
  if opts.query or opts.like then
    return choose(feed, opts.query or '')
  end
  vim.ui.input({ prompt = 'AutoContext: ' }, function(query)
    if query and query:match('%S') then
      choose(feed, query)
    end
  end)
end

return M
