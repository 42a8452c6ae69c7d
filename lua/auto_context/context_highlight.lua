-- Colours of the snippets in the context split: each is parsed by itself, for its own language, a snippet at a time so
-- that nobody waits. No 'filetype' is set that would start plugins and language servers on it.

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('auto_context_snippets')
local MOST_BYTES = 32 * 1024
local PAUSE_MS = 1

---@type table<integer, integer> the newest run of each buffer
local runs = {}

---Highlight groups, unless a colour scheme or the user has them.
function M.groups()
  for group, link in pairs({
    AutoContextTitle = 'FloatTitle',
    AutoContextContextHeading = 'Title',
    AutoContextContextTokens = 'Comment',
  }) do
    api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

---@param buffer integer
---@param language string
---@param text string
---@param row integer 0-based, of its first line
---@return boolean done
local function parsed(buffer, language, text, row)
  local ok, parser = pcall(vim.treesitter.get_string_parser, text, language)
  local query = ok and vim.treesitter.query.get(language, 'highlights')
  if not query then
    return false
  end
  local root = parser:parse()[1]:root()
  for id, node, metadata in query:iter_captures(root, text) do
    local name = query.captures[id]
    local first, from, last, to = node:range()
    if not vim.startswith(name, '_') and name ~= 'spell' and name ~= 'nospell' then
      pcall(api.nvim_buf_set_extmark, buffer, namespace, row + first, from, {
        end_row = row + last,
        end_col = to,
        hl_group = ('@%s.%s'):format(name, language),
        priority = tonumber(metadata.priority) or vim.highlight.priorities.treesitter,
      })
    end
  end
  return true
end

---Where there is no parser: Vim's own syntax, of that language between the fences.
---@param buffer integer
---@param filetype string
---@param block auto_context.Block
local function by_syntax(buffer, filetype, block)
  local cluster = 'auto_context_' .. filetype:gsub('%W', '_')
  api.nvim_buf_call(buffer, function()
    local known = vim.b.auto_context_syntax or {}
    if not known[cluster] then
      known[cluster] = true
      vim.b.auto_context_syntax = known
      vim.b.current_syntax = nil
      pcall(vim.cmd, ('syntax include @%s syntax/%s.vim'):format(cluster, filetype))
      vim.b.current_syntax = nil
    end
    local region = [[syntax region auto_context_snippet start=/\%%%dl^/ end=/\%%%dl^/ contains=@%s keepend]]
    pcall(vim.cmd, region:format(block.code, block.last, cluster))
  end)
end

---@param buffer integer
---@param item auto_context.ContextItem
---@param block auto_context.Block
local function one(buffer, item, block)
  local filetype = vim.filetype.match({ filename = item.path })
  if not filetype or #item.text > MOST_BYTES then
    return
  end
  local language = vim.treesitter.language.get_lang(filetype) or filetype
  if not parsed(buffer, language, item.text, block.code - 1) then
    by_syntax(buffer, filetype, block)
  end
end

---Colour every snippet, soon.
---@param buffer integer
---@param items auto_context.ContextItem[]
---@param blocks auto_context.Block[]
function M.start(buffer, items, blocks)
  local run = (runs[buffer] or 0) + 1
  runs[buffer] = run
  api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  api.nvim_buf_call(buffer, function()
    vim.cmd('syntax clear')
  end)
  vim.b[buffer].auto_context_syntax = vim.empty_dict()
  local pairs_of = vim.deepcopy(blocks)
  local shown = vim.list_slice(items)
  local function step(i)
    if not api.nvim_buf_is_valid(buffer) then
      runs[buffer] = nil
    elseif runs[buffer] == run and shown[i] then
      one(buffer, shown[i], pairs_of[i])
      vim.defer_fn(function()
        step(i + 1)
      end, PAUSE_MS)
    end
  end
  vim.defer_fn(function()
    step(1)
  end, PAUSE_MS)
end

return M
