-- Defines the command, the <Plug> map and one autocommand. Requires nothing and starts no process:
-- every module is loaded on first use.
if vim.g.loaded_auto_context then
  return
end
vim.g.loaded_auto_context = 1

if vim.fn.has('nvim-0.10.4') == 0 then
  vim.api.nvim_create_user_command('AutoContext', function()
    error('auto-context needs Neovim 0.10.4 or newer', 0)
  end, { nargs = '*', bang = true })
  return
end

vim.api.nvim_create_user_command('AutoContext', function(command)
  require('auto_context.command').run(command)
end, {
  nargs = '*',
  bang = true,
  range = true,
  desc = 'Search this repository by meaning, name or file',
  complete = function(lead, line, position)
    return require('auto_context.command').complete(lead, line, position)
  end,
})

vim.keymap.set('n', '<Plug>(AutoContext)', function()
  require('auto_context').open()
end, { desc = 'AutoContext: open the picker' })

vim.keymap.set('n', '<Plug>(AutoContextContext)', function()
  require('auto_context').open_context()
end, { desc = 'AutoContext: the context of this place' })

vim.keymap.set('x', '<Plug>(AutoContextContext)', ':AutoContext context<CR>', {
  silent = true,
  desc = 'AutoContext: the context of these lines',
})

-- A restored session has only the empty window of a context.
vim.api.nvim_create_autocmd('SessionLoadPost', {
  group = vim.api.nvim_create_augroup('AutoContextSession', {}),
  desc = 'AutoContext: close windows whose contents no session keeps',
  callback = function()
    if vim.fn.bufexists('auto-context://context') == 1 then
      require('auto_context.context_split').forget_restored()
    end
  end,
})

-- `auto_start`: read from where it was set, so that nothing is loaded where it was not.
vim.api.nvim_create_autocmd('UIEnter', {
  group = vim.api.nvim_create_augroup('AutoContextStart', {}),
  desc = 'AutoContext: begin early, if that was asked for',
  once = true,
  callback = function()
    vim.defer_fn(function()
      local given = vim.g.auto_context
      local config = package.loaded['auto_context.config']
      local named = type(given) == 'function' or (type(given) == 'table' and given.auto_start)
      if (config or named) and require('auto_context.config').get().auto_start then
        require('auto_context.schedule').start_early()
      end
    end, 100)
  end,
})

-- A repository that has an index stays current from the first save of a session.
vim.api.nvim_create_autocmd('BufWritePost', {
  group = vim.api.nvim_create_augroup('AutoContextWrite', {}),
  desc = 'AutoContext: bring the index up to date with a saved file',
  callback = function(event)
    require('auto_context.schedule').on_write(event)
  end,
})
