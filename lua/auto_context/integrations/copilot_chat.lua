-- CopilotChat: a function, for `#auto_context:query` in a prompt and as a tool of the model (`@auto_context`).

local tools = require('auto_context.integrations.tool')

local M = {}

---For `functions.auto_context` of its setup().
---@param options? { budget?: integer } tokens of an answer, where the model says none
---@return table
function M.tool(options)
  local budget = options and options.budget
  return {
    description = tools.description,
    uri = 'auto_context://{query}',
    schema = tools.schema(),
    -- Called in a coroutine of plenary, which the plugin brings along.
    resolve = function(input, source)
      local run = require('plenary.async').wrap(function(callback)
        vim.schedule(function()
          tools.run(input, { buffer = source and source.bufnr, budget = budget }, callback)
        end)
      end, 1)
      local query = tostring(input.query or '')
      return {
        { uri = 'auto_context://' .. query, name = query, mimetype = 'text/markdown', data = (run()) },
      }
    end,
  }
end

return M
