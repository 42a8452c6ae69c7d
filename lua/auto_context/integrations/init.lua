-- Which picker opens: the option `picker`. A chosen plugin that is not there is said once, and ours opens.

local config = require('auto_context.config')
local feeds = require('auto_context.integrations.feed')
local repo = require('auto_context.repo')

local M = {}

---The module that opens each choice, and the plugin it needs.
---@type table<string, { adapter: string, needs?: string }>
local pickers = {
  builtin = { adapter = 'auto_context.picker' },
  telescope = { adapter = 'auto_context.integrations.telescope', needs = 'telescope.pickers' },
  snacks = { adapter = 'auto_context.integrations.snacks', needs = 'snacks.picker' },
  ['fzf-lua'] = { adapter = 'auto_context.integrations.fzf_lua', needs = 'fzf-lua' },
  ['mini.pick'] = { adapter = 'auto_context.integrations.mini_pick', needs = 'mini.pick' },
  select = { adapter = 'auto_context.integrations.select' },
}
local HINT = 'the built-in picker opens instead; see the option `picker`'

---@param opts auto_context.OpenOpts
local function open(opts)
  local picker = pickers[config.get().picker]
  if opts.resume then
    picker = pickers.builtin -- the others have ways of their own to resume
  end
  if picker.needs and not feeds.plugin(picker.needs, HINT) then
    picker = pickers.builtin
  end
  require(picker.adapter).open(opts)
end

---@param opts? auto_context.OpenOpts
function M.open(opts)
  opts = vim.tbl_extend('force', {}, opts or {})
  if opts.root or opts.resume then
    return open(opts)
  end
  repo.find(nil, function(root)
    opts.root = root
    open(opts)
  end)
end

return M
