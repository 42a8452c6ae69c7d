-- CodeCompanion: the tool `@{auto_context_search}`, the slash command `/auto_context`, and `#{auto_context}` for what
-- belongs to the place a chat was opened from.

local tools = require('auto_context.integrations.tool')

local M = {}

---@class auto_context.CodeCompanionOpts
---@field budget? integer tokens of an answer, where the model says none

---@param output any what the tool gave: nested lists of texts
---@return string
local function joined(output)
  return vim.iter(output or {}):flatten(3):join('\n')
end

---@param options auto_context.CodeCompanionOpts
---@return table tool
local function tool_of(options)
  local schema = { name = tools.name, description = tools.description, parameters = tools.schema() }
  return {
    name = tools.name,
    schema = { type = 'function', ['function'] = schema },
    cmds = {
      function(self, input, opts)
        local buffer = vim.tbl_get(self, 'chat', 'buffer_context', 'bufnr')
        local cancel = tools.run(input, { buffer = buffer, budget = options.budget }, function(text, ok)
          opts.output_cb({ status = ok and 'success' or 'error', data = text })
        end)
        opts.register_job({ kill = cancel }) -- it is ended as a process would be
      end,
    },
    output = {
      success = function(self, output, meta)
        local query = tostring(self.args.query)
        meta.tools.chat:add_tool_output(self, joined(output), ('Searched the repository for `%s`'):format(query))
      end,
      error = function(self, output, meta)
        meta.tools.chat:add_tool_output(self, joined(output))
      end,
    },
  }
end

---@param options auto_context.CodeCompanionOpts
---@return fun(chat: table)
local function command_of(options)
  return function(chat)
    vim.ui.input({ prompt = 'Search the repository: ' }, function(query)
      if not (query and query:match('%S')) then
        return
      end
      local buffer = vim.tbl_get(chat, 'buffer_context', 'bufnr')
      tools.run({ query = query }, { buffer = buffer, budget = options.budget }, function(text)
        local id = ('<auto_context>%s</auto_context>'):format(query)
        chat:add_context({ role = 'user', content = text }, 'auto_context', id)
      end)
    end)
  end
end

---@param options auto_context.CodeCompanionOpts
---@return fun(context: table): string
local function context_of(options)
  return function(context)
    local place = vim.tbl_get(context, 'Chat', 'buffer_context') or {}
    local buffer = place.bufnr or vim.api.nvim_get_current_buf()
    local name = vim.api.nvim_buf_is_valid(buffer) and vim.api.nvim_buf_get_name(buffer) or ''
    if name == '' or vim.bo[buffer].buftype ~= '' then
      return 'The chat was not opened from a file, so there is no code that belongs to its place.'
    end
    local line = place.cursor_pos and place.cursor_pos[1] or 1
    return tools.context_sync({ path = name, line = line, budget = options.budget })
  end
end

---@param options? auto_context.CodeCompanionOpts
function M.setup(options)
  options = options or {}
  local interactions = require('codecompanion.config').interactions
  interactions.chat.tools[tools.name] = {
    description = tools.title,
    callback = function()
      return tool_of(options)
    end,
  }
  interactions.chat.slash_commands.auto_context = {
    description = 'Search this repository, and add what is found',
    callback = command_of(options),
    opts = { contains_code = true },
  }
  interactions.shared.editor_context.auto_context = {
    description = 'Code that belongs to the place under the cursor',
    callback = context_of(options),
    opts = { contains_code = true },
  }
end

M.exports = { search = tools.run }

return M
