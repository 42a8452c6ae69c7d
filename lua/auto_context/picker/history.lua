-- Earlier queries of this session, by root. Each stands once, where it was asked last.

local M = {}

local MOST = 100

---@type table<string, string[]> the newest last
local queries = {}

---@param root string
---@param query string
function M.add(root, query)
  if not query:match('%S') then
    return
  end
  local list = vim.tbl_filter(function(other)
    return other ~= query
  end, queries[root] or {})
  list[#list + 1] = query
  if #list > MOST then
    table.remove(list, 1)
  end
  queries[root] = list
end

---@class auto_context.picker.History a walk through the queries of a root
---@field private list string[]
---@field private at integer
---@field private draft string what was typed when the walk began
local History = {}
History.__index = History

---@param root string
---@return auto_context.picker.History
function M.walk(root)
  local list = vim.deepcopy(queries[root] or {})
  return setmetatable({ list = list, at = #list + 1, draft = '' }, History)
end

---@param step -1|1 back or forward
---@param now string the prompt's text
---@return string? text for the prompt; nil at either end
function History:step(step, now)
  if self.list[self.at] ~= now then
    self.at, self.draft = #self.list + 1, now
  end
  local at = self.at + step
  if step < 0 and self.list[at] == now then -- what is typed is the newest query already
    at = at - 1
  end
  if at < 1 or at > #self.list + 1 then
    return nil
  end
  self.at = at
  return self.list[at] or self.draft
end

return M
