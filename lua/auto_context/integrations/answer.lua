-- What a model is told: hits as Markdown that fits a budget of tokens, or in a sentence why there are none and what
-- to do about it. Pure.

local errors = require('auto_context.errors')
local markdown = require('auto_context.markdown')

local M = {}

local CHARACTERS_PER_TOKEN = 4
local BUDGET = 2000
local LINES_BEFORE = 2 -- that are kept before the focus of a snippet that has to be cut

---@param text string
---@return integer tokens about as many as a language model counts in code
function M.tokens(text)
  return math.ceil(#text / CHARACTERS_PER_TOKEN)
end

---@param hit auto_context.Hit
---@param first integer line
---@param last integer line
---@return string
local function snippet(hit, first, last)
  local lines = vim.split(hit.text, '\n', { plain = true })
  local item = {
    path = hit.path,
    start_line = first,
    end_line = last,
    symbol = hit.symbol,
    language = hit.language,
    reason = hit.fresh and hit.kind or hit.kind .. ', changed since it was indexed',
    text = table.concat(vim.list_slice(lines, first - hit.start_line + 1, last - hit.start_line + 1), '\n'),
  }
  return markdown.text({ item })
end

---The lines around the focus of a hit that is too long as a whole.
---@param hit auto_context.Hit
---@param room integer tokens
---@return string? snippet nil when not even the first line of its focus fits
local function shortened(hit, room)
  local first = math.max(hit.start_line, hit.focus[1] - LINES_BEFORE)
  local best
  for last = math.max(first, hit.focus[1]), hit.end_line do
    local text = snippet(hit, first, last)
    if M.tokens(text) > room then
      break
    end
    best = text
  end
  return best
end

---@param reply auto_context.Reply
---@return string? note
local function missing(reply)
  local state = reply.legs.vector
  if state == 'pending' or state == 'loading' or state == 'down' then
    return ('The model that knows what code means did not answer (%s): these were found by less.'):format(state)
  end
end

---@param query string
---@param reply auto_context.Reply
---@param budget? integer tokens, about four characters each
---@return string
function M.hits(query, reply, budget)
  if #reply.hits == 0 then
    local none = ('Nothing was found for %q in %s.'):format(query, reply.root)
    if reply.legs.lexical == 'empty' then
      return none .. ' Its index has nothing in it yet: try again in a minute, or search in another way.'
    end
    return none .. ' Say it in other words, or leave out `path` and `language`.'
  end
  local left = budget or BUDGET
  local parts = {}
  local function add(text)
    parts[#parts + 1] = text
    left = left - M.tokens(text) - 1
  end
  add(('Found for %q in %s, best first; paths are relative to it.\n'):format(query, reply.root))
  local note = missing(reply)
  if note then
    add(note .. '\n')
  end
  local more = ('%d more did not fit: ask with a larger `budget`, or narrow it by `path` or `language`.\n')
  left = left - M.tokens(more)
  local shown = 0
  for _, hit in ipairs(reply.hits) do
    local text = snippet(hit, hit.start_line, hit.end_line)
    text = M.tokens(text) < left and text or shortened(hit, left - 1)
    if not text then
      break
    end
    add(text)
    shown = shown + 1
  end
  if shown < #reply.hits then
    parts[#parts + 1] = more:format(#reply.hits - shown)
  end
  return table.concat(parts, '\n')
end

---@param error auto_context.Error
---@return string
function M.fault(error)
  if error.code == 'not_indexed' then
    return 'There is no index of this repository yet. Ask the user to run `:AutoContext index` in Neovim; until then '
      .. 'search in another way.'
  end
  return ('The search failed (%s): %s'):format(error.code, errors.text(error))
end

return M
