-- Which hits a person marked, in the order of marking. Marks outlive a query: what was found before stays chosen.

local hits = require('auto_context.hit')

local M = {}

---@class auto_context.picker.Marks
---@field version integer grows with every change
---@field private chosen table<string, auto_context.Hit> by key
---@field private order string[]
local Marks = {}
Marks.__index = Marks

---@return auto_context.picker.Marks
function M.new()
  return setmetatable({ version = 0, chosen = {}, order = {} }, Marks)
end

---@param hit auto_context.Hit
---@return boolean
function Marks:has(hit)
  return self.chosen[hits.key(hit)] ~= nil
end

---@return integer
function Marks:count()
  return #self.order
end

---@return auto_context.Hit[]
function Marks:list()
  return vim.tbl_map(function(key)
    return self.chosen[key]
  end, self.order)
end

---@param hit auto_context.Hit
function Marks:toggle(hit)
  local key = hits.key(hit)
  self.version = self.version + 1
  if self.chosen[key] then
    self.chosen[key] = nil
    self.order = vim.tbl_filter(function(other)
      return other ~= key
    end, self.order)
  else
    self.chosen[key] = hit
    self.order[#self.order + 1] = key
  end
end

---Mark all of these; when all are marked, none of them.
---@param rows auto_context.Hit[]
function Marks:toggle_all(rows)
  local missing = vim.tbl_filter(function(hit)
    return not self:has(hit)
  end, rows)
  for _, hit in ipairs(#missing > 0 and missing or rows) do
    self:toggle(hit)
  end
end

return M
