-- The picker's keys in its prompt, in insert and in normal mode. The manual lists the same.

---@param how auto_context.How
---@return fun(picker: auto_context.Picker)
local function accept(how)
  return function(picker)
    picker:accept(how)
  end
end

---@param step integer
---@return fun(picker: auto_context.Picker)
local function move(step)
  return function(picker)
    picker:move(step)
  end
end

---@param step 1|-1
---@return fun(picker: auto_context.Picker)
local function scroll(step)
  return function(picker)
    picker:scroll(step)
  end
end

---@param picker auto_context.Picker
local function escape(picker)
  picker:escape()
end

---@type table<string, fun(picker: auto_context.Picker)>
return {
  ['<CR>'] = accept('edit'),
  ['<C-x>'] = accept('split'),
  ['<C-v>'] = accept('vsplit'),
  ['<C-t>'] = accept('tabedit'),
  ['<C-q>'] = function(picker)
    picker:quickfix()
  end,
  ['<Down>'] = move(1),
  ['<C-n>'] = move(1),
  ['<Up>'] = move(-1),
  ['<C-p>'] = move(-1),
  ['<C-d>'] = scroll(1),
  ['<C-u>'] = scroll(-1),
  ['<Esc>'] = escape,
  ['<C-c>'] = escape,
}
