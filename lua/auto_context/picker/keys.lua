-- The picker's actions: their keys in its prompt, what each does in words, and how. The help window, the manual and
-- the option `keys` follow this one table. A key that begins with a printable character works in normal mode only.

local M = {}

---@class auto_context.picker.Action
---@field keys string[]
---@field text string for the help window and the manual
---@field run fun(picker: auto_context.Picker)

---@param keys string[]
---@param text string
---@param method string of the picker
---@param ... any its arguments
---@return auto_context.picker.Action
local function action(keys, text, method, ...)
  local arguments = { ... }
  return {
    keys = keys,
    text = text,
    run = function(picker)
      picker[method](picker, unpack(arguments))
    end,
  }
end

---@type table<string, auto_context.picker.Action>
M.actions = {
  open = action({ '<CR>' }, 'open; with several rows marked the first, and all in the quickfix list', 'accept', 'edit'),
  open_split = action({ '<C-x>' }, 'open in a split, all marked rows', 'accept', 'split'),
  open_vsplit = action({ '<C-v>' }, 'open in a vertical split, all marked rows', 'accept', 'vsplit'),
  open_tab = action({ '<C-t>' }, 'open in a tab page, all marked rows', 'accept', 'tabedit'),
  quickfix = action({ '<C-q>' }, 'send the marked rows, else all, to the quickfix list', 'list', 'quickfix'),
  loclist = action({ '<C-l>' }, 'the same to the location list', 'list', 'loclist'),
  next = action({ '<Down>', '<C-n>', 'j' }, 'next row', 'move', 1),
  previous = action({ '<Up>', '<C-p>', 'k' }, 'previous row', 'move', -1),
  first = action({ 'gg' }, 'first row', 'go', 1),
  last = action({ 'G' }, 'last row', 'go', math.huge),
  page_down = action({ '<PageDown>' }, 'a page of rows down', 'page', 1),
  page_up = action({ '<PageUp>' }, 'a page of rows up', 'page', -1),
  mark = action({ '<Tab>' }, 'mark the row or take its mark away, then the next row', 'mark', 1),
  mark_back = action({ '<S-Tab>' }, 'the same, then the previous row', 'mark', -1),
  mark_all = action({ '<C-a>' }, 'mark every row, or none', 'mark_all'),
  preview_down = action({ '<C-d>' }, 'scroll the preview down', 'scroll', 1),
  preview_up = action({ '<C-u>' }, 'scroll the preview up', 'scroll', -1),
  preview = action({ '<C-g>p', '<M-p>' }, 'show or hide the preview', 'toggle_preview'),
  layout = action({ '<C-g>w', '<M-w>' }, 'the next layout: auto, wide, tall', 'cycle_layout'),
  history_back = action({ '<C-Up>' }, 'an earlier query', 'history', -1),
  history_forward = action({ '<C-Down>' }, 'a later query', 'history', 1),
  filter_folder = action({ '<C-g>f' }, "only the current file's folder", 'filter', 'folder'),
  filter_language = action({ '<C-g>l' }, "only the current file's language", 'filter', 'language'),
  filter_tests = action({ '<C-g>t' }, 'with tests, without them, only them', 'filter', 'tests'),
  filter_buffers = action({ '<C-g>b' }, 'only open buffers', 'filter', 'buffers'),
  filter_none = action({ '<C-g>x' }, 'no filter', 'filter'),
  similar = action({ '<C-g>s' }, 'find code like this row', 'similar'),
  context = action({ '<C-g>c' }, 'add the marked rows, else this one, to the context', 'add_context'),
  explain = action({ '<C-g>e' }, 'say how the row came to its place, or show the file again', 'toggle_explain'),
  yank_path = action({ '<C-y>' }, "yank the row's path and line", 'yank', 'path'),
  yank_snippet = action({ '<C-g>y' }, "yank the row's code", 'yank', 'text'),
  help = action({ '?', '<F1>', '<C-/>', '<C-_>' }, 'these keys', 'help'),
  close = action({ '<Esc>', '<C-c>' }, 'close', 'escape'),
}

---The order in which a person reads them.
M.order = {
  { 'open', 'open_split', 'open_vsplit', 'open_tab', 'quickfix', 'loclist' },
  { 'next', 'previous', 'first', 'last', 'page_down', 'page_up', 'mark', 'mark_back', 'mark_all' },
  { 'preview_down', 'preview_up', 'preview', 'layout', 'explain' },
  { 'history_back', 'history_forward' },
  { 'filter_folder', 'filter_language', 'filter_tests', 'filter_buffers', 'filter_none' },
  { 'similar', 'context', 'yank_path', 'yank_snippet' },
  { 'help', 'close' },
}

---@param value any
---@return boolean whether it may be an action's value in the option `keys`
function M.fits(value)
  if type(value) == 'table' then
    for i, key in pairs(value) do
      if type(i) ~= 'number' or type(key) ~= 'string' or key == '' then
        return false
      end
    end
    return true
  end
  return value == false or (type(value) == 'string' and value ~= '')
end

---@param key string
---@return string the same for every way to write it
local function canonical(key)
  return vim.api.nvim_replace_termcodes(key, true, true, true)
end

---The keys of each action: a person's, else ours where a person gave them to no other action.
---@param chosen? table<string, string|string[]|false>
---@return table<string, string[]>
function M.resolve(chosen)
  local taken, keys = {}, {}
  for name, value in pairs(chosen or {}) do
    keys[name] = value and (type(value) == 'table' and value or { value }) or {}
    for _, key in ipairs(keys[name]) do
      taken[canonical(key)] = true
    end
  end
  for name, each in pairs(M.actions) do
    keys[name] = keys[name] or vim.tbl_filter(function(key)
      return not taken[canonical(key)]
    end, each.keys)
  end
  return keys
end

---@param key string
---@return string[] modes it works in
function M.modes(key)
  return key:sub(1, 1) == '<' and #key > 1 and { 'i', 'n' } or { 'n' }
end

---@param name string of an action
---@param key string
---@return boolean whether it works in an empty prompt as well: no query begins with it
function M.at_start(name, key)
  return name == 'help' and key == '?'
end

return M
