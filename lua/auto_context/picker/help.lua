-- The help window's lines: every action with its keys and what it does.

local keys = require('auto_context.picker.keys')

local M = {}

local COLUMN = 22
local WIDE = 104

---@param chosen? table<string, string|string[]|false> the option `keys`
---@param columns integer of the screen; the actions' names stand there where there is room
---@return string[] lines
---@return { line: integer, span: auto_context.Span }[] highlights
function M.lines(chosen, columns)
  local resolved = keys.resolve(chosen)
  local lines, spans = {}, {}
  for i, group in ipairs(keys.order) do
    if i > 1 then
      lines[#lines + 1] = ''
    end
    for _, name in ipairs(group) do
      local pressed = #resolved[name] > 0 and table.concat(resolved[name], '  ') or '(no key)'
      local room = math.max(1, COLUMN - #pressed)
      local shown = columns >= WIDE and ('%-16s '):format(name) or ''
      lines[#lines + 1] = (' %s%s%s%s'):format(pressed, (' '):rep(room), shown, keys.actions[name].text)
      spans[#spans + 1] = { line = #lines, span = { first = 1, last = 1 + #pressed, group = 'AutoContextKey' } }
    end
  end
  return lines, spans
end

return M
