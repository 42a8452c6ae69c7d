-- A context as Markdown, as `auto_context.render` writes it in Python, and where in it each snippet stands. Pure.

local M = {}

---@class auto_context.Block where a snippet stands in the document; lines are 1-based
---@field first integer its heading
---@field code integer its first line of code
---@field last integer its closing fence

---@param text string
---@return string fence longer than any inside the text
local function fence(text)
  local longest = 2
  for run in text:gmatch('```+') do
    longest = math.max(longest, #run)
  end
  return ('`'):rep(longest + 1)
end

---@param item auto_context.ContextItem
---@return string[]
local function snippet(item)
  local symbol = item.symbol ~= '' and (' `%s`'):format(item.symbol) or ''
  local mark = fence(item.text)
  local heading = ('### %s:%d-%d%s (%s)'):format(item.path, item.start_line, item.end_line, symbol, item.reason)
  local lines = { (heading:gsub('%c', '?')), '', mark .. item.language }
  vim.list_extend(lines, vim.split(item.text, '\n', { plain = true }))
  lines[#lines + 1] = mark
  return lines
end

---@param items auto_context.ContextItem[]
---@return string[] lines
---@return auto_context.Block[] blocks one for each item
function M.document(items)
  local lines, blocks = {}, {}
  for _, item in ipairs(items) do
    if #lines > 0 then
      lines[#lines + 1] = ''
    end
    local first = #lines + 1
    vim.list_extend(lines, snippet(item))
    blocks[#blocks + 1] = { first = first, code = first + 3, last = #lines }
  end
  return lines, blocks
end

---@param items auto_context.ContextItem[]
---@return string
function M.text(items)
  return table.concat((M.document(items)), '\n') .. (#items > 0 and '\n' or '')
end

return M
