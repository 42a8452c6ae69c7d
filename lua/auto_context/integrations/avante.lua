-- avante: a tool of the model, for `custom_tools` of its setup().

local tools = require('auto_context.integrations.tool')

local M = {}

---@param options? { budget?: integer } tokens of an answer, where the model says none
---@return table
function M.tool(options)
  local place = { budget = options and options.budget }
  local fields, usage = {}, {}
  for _, argument in ipairs(tools.arguments) do
    local field = { name = argument.name, type = argument.type, description = argument.description }
    field.optional = not argument.required or nil
    fields[#fields + 1] = field
    usage[argument.name] = argument.description
  end
  return {
    name = tools.name,
    description = tools.description,
    param = { type = 'table', fields = fields, usage = usage },
    returns = {
      { name = 'result', type = 'string', description = 'Snippets of code as Markdown, with path and lines' },
      { name = 'error', type = 'string', description = 'Why there is none', optional = true },
    },
    func = function(input, opts)
      tools.run(input, place, function(text, ok)
        opts.on_complete(ok and text or nil, not ok and text or nil)
      end)
      return nil, nil -- the answer comes later
    end,
  }
end

return M
