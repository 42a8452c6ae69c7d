-- How a hit came to its place, as lines a person can read. Pure.

local hits = require('auto_context.hit')

local M = {}

local LEGS = {
  lexical = 'words of the text',
  path = 'the file name',
  static = 'coarse meaning',
  vector = 'meaning',
}

---What each step of the ranking is about.
---@type table<string, string>
local STEPS = {
  definition = 'it defines that name',
  verbatim = 'the very text stands there',
  stem = 'the query names the file',
  coherence = 'several hits in the file',
  noise = 'a test, documentation, or code of others',
  near = 'near the file you came from',
  recency = 'changed lately',
  diversity = 'further hits of one file count less',
}

---@param number any
---@return string
local function figure(number)
  return type(number) == 'number' and ('%.3f'):format(number) or '-'
end

---@param hit auto_context.Hit with `explain`
---@return string[] lines
function M.lines(hit)
  local how = hit.explain
  local lines = { hits.key(hit), '' }
  if hit.symbol ~= '' then
    table.insert(lines, 2, hit.symbol)
  end
  if not how then
    lines[#lines + 1] = 'nothing is known of how it was found'
    return lines
  end
  lines[#lines + 1] = ('The query was taken for: %s'):format(how.intent)
  lines[#lines + 1] = ''
  lines[#lines + 1] = ('%-20s %5s %8s %7s'):format('Found by', 'place', 'score', 'weight')
  local legs = vim.tbl_keys(how.legs)
  table.sort(legs)
  for _, leg in ipairs(legs) do
    local found = how.legs[leg]
    local name, score, weight = LEGS[leg] or leg, figure(found.score), figure(found.weight)
    lines[#lines + 1] = ('  %-18s %5d %8s %7s'):format(name, found.rank, score, weight)
  end
  if #legs == 0 then
    lines[#lines + 1] = '  no leg by itself: it was added by a step'
  end
  lines[#lines + 1] = ('  %-18s %14s'):format('together', figure(how.fused))
  lines[#lines + 1] = ''
  lines[#lines + 1] = 'Then moved by'
  local before = #lines
  for _, step in ipairs(how.steps or {}) do
    local factor = ('%.2f'):format(step.factor)
    if factor ~= '1.00' then
      lines[#lines + 1] = ('  x %s  %s'):format(factor, STEPS[step.step] or step.step)
    end
  end
  if #lines == before then
    lines[#lines + 1] = '  nothing'
  end
  lines[#lines + 1] = ''
  lines[#lines + 1] = ('Score %s'):format(figure(how.score))
  return lines
end

return M
