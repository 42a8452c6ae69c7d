-- Neovim runs LuaJIT and gives every script the table `vim`.
std = 'luajit'
globals = { 'vim' }
cache = false
codes = true
max_line_length = 120
self = false
