-- What a person narrowed the picker to, besides the query: parameters for a search, and words for the title.

local repo = require('auto_context.repo')

local M = {}

local TESTS = { with = 'without', without = 'only', only = 'with' }

local MOST_OPEN = 1000 -- the service takes no more

---@class auto_context.picker.Filters
---@field private root string
---@field private near? string the current file, relative to the root
---@field private folder? string
---@field private language? string
---@field private tests 'with'|'without'|'only'
---@field private buffers boolean
local Filters = {}
Filters.__index = Filters

---@param root string
---@param near? string
---@return auto_context.picker.Filters
function M.new(root, near)
  return setmetatable({ root = root, near = near, tests = 'with', buffers = false }, Filters)
end

---Paths of the listed buffers below the root, as the service names them.
---@private
---@return string[]
function Filters:_open_paths()
  local paths = {}
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if #paths < MOST_OPEN and vim.bo[buffer].buflisted then
      paths[#paths + 1] = repo.file_of(self.root, buffer)
    end
  end
  return paths
end

---@param name? 'folder'|'language'|'tests'|'buffers' nil: take all of them away
---@return string? problem why it cannot be
function Filters:toggle(name)
  if not name then
    self.folder, self.language, self.tests, self.buffers = nil, nil, 'with', false
  elseif name == 'tests' then
    self.tests = TESTS[self.tests]
  elseif name == 'buffers' then
    self.buffers = not self.buffers
  elseif self[name] then
    self[name] = nil
  elseif not self.near then
    return 'the picker was opened from no file of this repository'
  elseif name == 'folder' then
    self.folder = self.near:match('^(.+)/[^/]*$')
    return not self.folder and 'the current file lies in no folder of this repository' or nil
  else
    -- The service knows a language by the ending of its files too.
    self.language = self.near:match('[^/]%.([%w_]+)$') or vim.filetype.match({ filename = self.near })
    return not self.language and "the current file's language is not known" or nil
  end
end

---@return table params of a search
function Filters:params()
  return {
    -- Its brackets and stars are letters here.
    path = self.folder and '/' .. self.folder:gsub('[][*?\\]', '\\%0') .. '/**' or nil,
    language = self.language,
    tests = self.tests ~= 'with' and self.tests or nil,
    paths = self.buffers and self:_open_paths() or nil,
  }
end

---Whether a row that no search found may stand in the list.
---@param path string
---@return boolean
function Filters:admits(path)
  if self.folder and not vim.startswith(path, self.folder .. '/') then
    return false
  elseif self.language and path:match('%.([%w_]+)$') ~= self.language then
    return false
  end
  return not self.buffers or vim.tbl_contains(self:_open_paths(), path)
end

---@return string[] words for the title
function Filters:words()
  local words = {}
  words[#words + 1] = self.folder and 'in ' .. self.folder .. '/'
  words[#words + 1] = self.language and 'only ' .. self.language
  words[#words + 1] = self.tests ~= 'with' and self.tests .. ' tests' or nil
  words[#words + 1] = self.buffers and 'open buffers' or nil
  return words
end

return M
