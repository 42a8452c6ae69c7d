-- Which parts of a line a query's words stand for: text that begins a word with one of them. Pure, shared by rows
-- and previews.

local M = {}

---@param text string
---@param at integer 1-based byte
---@return boolean whether a word begins there; a part of a camelCase or snake_case name is one
local function begins(text, at)
  if at == 1 then
    return true
  end
  local before, here = text:sub(at - 1, at - 1), text:sub(at, at)
  if not before:match('[%w\128-\255]') then
    return true
  elseif not here:match('%u') then
    return false
  end
  return before:match('[%l%d]') ~= nil or text:sub(at + 1, at + 1):match('%l') ~= nil
end

---@param text string
---@param terms string[] in lower case
---@return { first: integer, last: integer }[] spans of bytes: the first 0-based, the last excluded
function M.spans(text, terms)
  local spans = {}
  if #terms == 0 then
    return spans
  end
  local lower = text:lower()
  for _, term in ipairs(terms) do
    local from = 1
    while term ~= '' do
      local first, last = lower:find(term, from, true)
      if not first then
        break
      end
      if begins(text, first) then
        spans[#spans + 1] = { first = first - 1, last = last }
      end
      from = last + 1
    end
  end
  return spans
end

return M
