-- How a hit came to its place, as lines a person can read. Pure.

local hits = require('auto_context.hit')

local M = {}

local LEGS = {
  lexical = 'words of the text',
  path = 'the file name',
  static = 'coarse meaning',
  vector = 'meaning',
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
  lines[#lines + 1] = 'Found by'
  local legs = vim.tbl_keys(how.legs)
  table.sort(legs)
  for _, leg in ipairs(legs) do
    local found = how.legs[leg]
    local text = ('  %-18s place %-4d score %s   weight %s'):format(
      LEGS[leg] or leg,
      found.rank,
      figure(found.score),
      figure(found.weight)
    )
    lines[#lines + 1] = text
  end
  if #legs == 0 then
    lines[#lines + 1] = '  no leg by itself: it was added by a step'
  end
  lines[#lines + 1] = ('  %-18s %s'):format('together', figure(how.fused))
  lines[#lines + 1] = ''
  lines[#lines + 1] = 'Then moved by'
  for _, step in ipairs(how.steps or {}) do
    lines[#lines + 1] = ('  %-28s x %.2f'):format(step.step, step.factor)
  end
  if #(how.steps or {}) == 0 then
    lines[#lines + 1] = '  nothing'
  end
  lines[#lines + 1] = ''
  lines[#lines + 1] = ('Score %s'):format(figure(how.score))
  return lines
end

return M
