-- `:Telescope auto_context`, `:Telescope auto_context similar` and `:Telescope auto_context context`.

local pickers = require('auto_context.integrations.telescope')

return require('telescope').register_extension({
  exports = { auto_context = pickers.open, similar = pickers.similar, context = pickers.context },
})
