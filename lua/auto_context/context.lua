-- What one needs to work at a place: asked for, shown in a split, added to from a picker.

local errors = require('auto_context.errors')
local notify = require('auto_context.notify')
local repo = require('auto_context.repo')
local rpc = require('auto_context.rpc')
local split = require('auto_context.context_split')

local M = {}

local api = vim.api

local BUDGET = 2000
local SMALLEST = 50 -- the service takes no less
local CHARACTERS_PER_TOKEN = 2.5 -- as the service estimates: too many rather than too few

---@class auto_context.ContextOpts
---@field root? string default: the buffer's repository
---@field path? string absolute, or relative to the root; default: the buffer's file
---@field line? integer 1-based; default: the cursor's
---@field column? integer 1-based, in characters; the name there counts most
---@field budget? integer most tokens
---@field range? integer[] first and last line that the context is of; they stand first
---@field selection? string text of the range; default: of the current buffer

---@param text string
---@return integer
local function estimate(text)
  return math.floor(vim.fn.strchars(text) / CHARACTERS_PER_TOKEN) + 1
end

---@param buffer integer
---@return boolean
local function is_file(buffer)
  local name = api.nvim_buf_get_name(buffer)
  return name ~= '' and vim.bo[buffer].buftype == '' and not name:match('^%w+://')
end

---The first line of a range that says something: a blank one, or one of brackets alone, says nothing.
---@param lines string[]
---@return integer offset
local function telling(lines)
  for at, line in ipairs(lines) do
    if line:match('[%w_]') or line:match('[\128-\255]') then
      return at - 1
    end
  end
  return 0
end

---@param opts auto_context.ContextOpts
---@return auto_context.ContextOpts? filled in from the current buffer where nothing is said
---@return auto_context.Error?
local function filled(opts)
  local asked = vim.deepcopy(opts)
  if not asked.path then
    if not is_file(0) then
      return nil, errors.new('bad_request', 'this buffer is no file: there is no place in it', 'name a `path`')
    end
    asked.path = api.nvim_buf_get_name(0)
    if asked.range then
      local lines = api.nvim_buf_get_lines(0, asked.range[1] - 1, asked.range[2], false)
      asked.range[2] = asked.range[1] + math.max(0, #lines - 1)
      asked.selection = asked.selection or table.concat(lines, '\n')
      asked.line = asked.line or asked.range[1] + telling(lines)
    elseif not asked.line then
      asked.line, asked.column = api.nvim_win_get_cursor(0)[1], vim.fn.charcol('.')
    end
  end
  asked.line = asked.line or (asked.range and asked.range[1]) or 1
  asked.budget = asked.budget or BUDGET
  return asked
end

---@param asked auto_context.ContextOpts
---@return auto_context.ContextItem? what was selected, as the first snippet
local function selected(asked)
  if not (asked.range and asked.selection) then
    return nil
  end
  local path = repo.below(asked.root --[[@as string]], asked.path) or asked.path
  return {
    path = path,
    start_line = asked.range[1],
    end_line = asked.range[2],
    symbol = '',
    kind = 'selection',
    language = vim.filetype.match({ filename = path }) or '',
    score = 1,
    reason = 'selected',
    tokens = estimate(asked.selection),
    text = asked.selection,
  }
end

---The selection in place of what stands around it.
---@param reply auto_context.ContextReply
---@param first auto_context.ContextItem
---@param budget integer
local function head(reply, first, budget)
  reply.items = vim.tbl_filter(function(item)
    return item.reason ~= 'here'
      and not (item.path == first.path and item.start_line >= first.start_line and item.end_line <= first.end_line)
  end, reply.items)
  table.insert(reply.items, 1, first)
  reply.budget, reply.tokens, reply.exact = budget, 0, false
  for _, item in ipairs(reply.items) do
    reply.tokens = reply.tokens + item.tokens
  end
  reply.markdown = require('auto_context.markdown').text(reply.items)
end

---@param asked auto_context.ContextOpts with its root
---@param callback fun(error?: auto_context.Error, reply?: auto_context.ContextReply)
---@return fun() cancel
local function send(asked, callback)
  local first = selected(asked)
  local params = { root = asked.root, path = asked.path, line = asked.line, column = asked.column }
  params.budget = math.max(SMALLEST, asked.budget - (first and first.tokens or 0))
  return rpc.request('context', params, function(error, reply)
    if reply and first then
      head(reply, first, asked.budget)
    end
    callback(error, reply)
  end)
end

---Ask. `callback` runs exactly once, on the main loop, unless it is cancelled.
---@param opts? auto_context.ContextOpts
---@param callback fun(error?: auto_context.Error, reply?: auto_context.ContextReply)
---@return fun() cancel
function M.request(opts, callback)
  local asked, problem = filled(opts or {})
  if not asked then
    local live = true
    vim.schedule(function()
      if live then
        callback(problem)
      end
    end)
    return function()
      live = false
    end
  end
  if asked.root then
    return send(asked, callback)
  end
  local function at(root)
    asked.root = root
    return send(asked, callback)
  end
  return repo.find_of_path(asked.path, function(root)
    return root and at(root) or repo.find(nil, at)
  end)
end

---The context of a place in a split. Nothing is opened when it fails.
---@param opts? auto_context.ContextOpts
function M.open(opts)
  local asked, problem = filled(opts or {})
  if not asked then
    return notify.fault(problem --[[@as auto_context.Error]], { asked = true })
  end
  local function ask(callback)
    return M.request(asked, function(error, reply)
      if error then
        notify.fault(error, { asked = true })
      else
        callback(reply)
      end
    end)
  end
  ask(function(reply)
    split.open(reply, ask)
  end)
end

---Append a picker's rows to the split; it is opened when it is closed. What stands there already is not added again.
---@param root string
---@param hits auto_context.Hit[]
function M.add(root, hits)
  local items = vim.tbl_map(function(hit)
    return {
      path = hit.path,
      start_line = hit.start_line,
      end_line = hit.end_line,
      symbol = hit.symbol,
      kind = hit.kind,
      language = hit.language,
      score = hit.score,
      reason = 'picked',
      tokens = estimate(hit.text),
      text = hit.text,
    }
  end, hits)
  split.add(root, items, BUDGET)
end

return M
