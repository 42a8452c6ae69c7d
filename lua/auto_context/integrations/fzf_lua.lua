-- A provider for fzf-lua: `:FzfLua auto_context` once `register()` ran.

local feeds = require('auto_context.integrations.feed')
local hits = require('auto_context.hit')

local M = {}

---A line as fzf-lua's own previewer and actions read it: what found it, then `path:line:column:text`.
---@param utils table of fzf-lua
---@param root string
---@param hit auto_context.Hit
---@return string
local function line_of(utils, root, hit)
  local item = hits.quickfix(root, hit)
  local place = {
    utils.ansi_from_hl('AutoContextPath', hits.printable(hit.path)),
    utils.ansi_from_hl('AutoContextLine', tostring(item.lnum)),
    '1',
    hits.printable(item.text),
  }
  local letters = utils.ansi_from_hl('AutoContextLegs', hits.letters(hit))
  return letters .. utils.nbsp .. utils.nbsp .. table.concat(place, ':')
end

---@param opts? table of fzf-lua, with ours: `query`, `root`, `like`
function M.open(opts)
  opts = opts or {}
  local fzf, utils = require('fzf-lua'), require('fzf-lua.utils')
  local feed = feeds.new({ root = opts.root or opts.cwd, like = opts.like }, true)
  local theirs = vim.tbl_get(opts, 'winopts', 'on_close')
  local defaults = {
    prompt = opts.like and 'AutoContext similar> ' or 'AutoContext> ',
    previewer = 'builtin',
    actions = fzf.defaults.actions.files,
    fzf_opts = { ['--no-sort'] = true, ['--multi'] = true },
    exec_empty_query = opts.like ~= nil,
  }
  local ours = {
    cwd = feed.root,
    winopts = {
      on_close = function()
        feed:close()
        if theirs then
          theirs()
        end
      end,
    },
  }
  fzf.fzf_live(function(args)
    return function(give)
      feed:ask(args[1] or '', function(rows)
        for _, hit in ipairs(rows) do
          give(line_of(utils, feed.root, hit))
        end
        give(nil)
      end)
    end
  end, vim.tbl_deep_extend('force', defaults, opts, ours))
end

---Make it a provider by name, for `:FzfLua auto_context`.
function M.register()
  local fzf = feeds.plugin('fzf-lua', 'install it, or load it before register()')
  if fzf then
    fzf.register_extension('auto_context', M.open, {}, true)
  end
end

return M
