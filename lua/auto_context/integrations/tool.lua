-- The one tool that chat plugins offer to their models: its description, its arguments, and how it is run. They ask for
-- it at their start, so nothing else is loaded before it runs.

local M = {}

local LIMIT = 10
local SYNC_MS = 10000 -- a person waits for a chat to be sent

M.name = 'auto_context_search'
M.title = 'Search this repository by meaning, name or file; answers with snippets of code, their paths and lines'
M.description = M.title
  .. '. Use it first when you do not know where something is: ask for what the code does ("where are failed uploads '
  .. 'retried"), for a name (`RetryPolicy`) or for a file (`uploads.py`). It runs on this machine and changes nothing.'

---The arguments, most important first.
---@type { name: string, type: string, description: string, required?: boolean }[]
M.arguments = {
  { name = 'query', type = 'string', required = true, description = 'What the code does, a name, or a file' },
  { name = 'path', type = 'string', description = 'Only files that match this glob, as in .gitignore: `src/**/*.py`' },
  { name = 'language', type = 'string', description = 'Only this language: `python`, `typescript`' },
  { name = 'limit', type = 'integer', description = 'Most hits, 1 to 50; 10 by default' },
  { name = 'budget', type = 'integer', description = 'Most tokens of the answer; 2000 by default' },
}

---As JSON schema.
---@return table
function M.schema()
  local properties, required = {}, {}
  for _, argument in ipairs(M.arguments) do
    properties[argument.name] = { type = argument.type, description = argument.description }
    if argument.required then
      required[#required + 1] = argument.name
    end
  end
  return { type = 'object', properties = properties, required = required }
end

---What a model wrote: an empty text or a null is an argument left out.
---@param value any
---@return string?
local function text_of(value)
  return type(value) == 'string' and value:match('%S') and value or nil
end

---@param value any
---@param low integer
---@param high integer
---@return integer?
local function number_of(value, low, high)
  local number = tonumber(value ~= vim.NIL and value or nil)
  return number and math.floor(math.max(low, math.min(high, number))) or nil
end

---@class auto_context.ToolPlace
---@field buffer? integer whose repository is searched; default the current one
---@field budget? integer where the model says none

---Run it. `callback` runs exactly once, on the main loop, unless it is cancelled.
---@param input table what the model wrote
---@param place auto_context.ToolPlace
---@param callback fun(text: string, ok: boolean) the answer, or why there is none, for the model
---@return fun() cancel
function M.run(input, place, callback)
  local query = type(input) == 'table' and text_of(input.query)
  if not query then
    vim.schedule(function()
      callback('`query` is missing: say what the code does, a name, or a file.', false)
    end)
    return function() end
  end
  local opts = {
    path = text_of(input.path),
    language = text_of(input.language),
    limit = number_of(input.limit, 1, 50) or LIMIT,
  }
  local budget = number_of(input.budget, 100, 100000) or place.budget
  local buffer = place.buffer and vim.api.nvim_buf_is_valid(place.buffer) and place.buffer or nil
  return require('auto_context.repo').find(buffer, function(root)
    opts.root = root
    return require('auto_context').search(query, opts, function(error, reply)
      local answer = require('auto_context.integrations.answer')
      if error then
        callback(answer.fault(error), false)
      else
        callback(answer.hits(query, reply, budget), true)
      end
    end)
  end)
end

---What one needs to work at a place, as Markdown within a budget; or why there is nothing.
---@param opts auto_context.ContextOpts
---@return string
function M.context_sync(opts)
  local reply, error = require('auto_context').context_sync(opts, SYNC_MS)
  if not reply then
    return require('auto_context.integrations.answer').fault(error)
  end
  return ('Code that belongs to %s:%d; paths are relative to %s.\n\n%s'):format(
    reply.path,
    reply.line,
    reply.root,
    reply.markdown
  )
end

return M
