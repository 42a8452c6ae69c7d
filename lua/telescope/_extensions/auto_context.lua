-- `:Telescope auto_context`: live, in the engine's order, with a preview at the line. Public extension API only.

local telescope = require('telescope')

local hits = require('auto_context.hit')
local notify = require('auto_context.notify')
local repo = require('auto_context.repo')
local schedule = require('auto_context.schedule')
local search = require('auto_context.search')

local DEBOUNCE_MS = 80
local WAIT_MS = 2000 -- Telescope shows one answer for a prompt: wait a moment for the meaning
local ROW_WIDTH = 100

---@param root string
---@param hit auto_context.Hit
---@return table entry
local function entry_of(root, hit)
  local first = hits.focus(hit)
  return {
    value = hit,
    ordinal = hits.key(hit),
    display = function()
      -- Telescope does not tell its rows' width: what found it stands in front, where it is never cut off.
      local text, spans = hits.row(hit, ROW_WIDTH, true)
      local letters = hits.letters(hit) .. '  '
      local groups = { { { 0, #letters }, 'AutoContextLegs' } }
      for _, span in ipairs(spans) do
        groups[#groups + 1] = { { #letters + span.first, #letters + span.last }, span.group }
      end
      return letters .. text, groups
    end,
    path = hits.file(root, hit),
    filename = hits.file(root, hit),
    lnum = first,
    col = 1,
  }
end

---A finder of Telescope's callable form: asks anew for every prompt and drops the answer to an older one.
---@param root string
---@return table finder
local function finder_of(root)
  local cancel = function() end
  return setmetatable({
    close = function()
      cancel()
    end,
  }, {
    __call = function(_, prompt, process_result, process_complete)
      cancel()
      if not prompt:match('%S') then
        return process_complete()
      end
      cancel = search.request({ query = prompt, root = root, wait_ms = WAIT_MS }, function(error, reply)
        if error then
          notify.fault(error, { asked = true })
        else
          for _, hit in ipairs(reply.hits) do
            process_result(entry_of(root, hit))
          end
        end
        process_complete()
      end)
    end,
  })
end

---@param opts? table
local function pick(opts)
  opts = opts or {}
  local values = require('telescope.config').values
  local root = opts.cwd or repo.of_buffer()
  schedule.tend(root)
  require('auto_context.picker.view').highlights()
  require('telescope.pickers')
    .new(vim.tbl_extend('keep', opts, { debounce = DEBOUNCE_MS, prompt_title = 'AutoContext' }), {
      finder = finder_of(root),
      previewer = values.grep_previewer(opts),
      sorter = require('telescope.sorters').empty(),
    })
    :find()
end

return telescope.register_extension({ exports = { auto_context = pick } })
