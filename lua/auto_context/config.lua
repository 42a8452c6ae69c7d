-- Options: `vim.g.auto_context` and `setup()` merged over the defaults. A bad option is named and left out; it never
-- throws and never keeps the plugin from working. The schema is that of the Python package (`auto_context.config`),
-- which a test compares: nothing is read at the start.

local errors = require('auto_context.errors')
local notify = require('auto_context.notify')

local M = {}

---@class auto_context.Config
---@field python? string
---@field picker 'builtin'|'telescope'|'snacks'|'fzf-lua'|'mini.pick'|'select'
---@field limit? integer
---@field threshold? number
---@field debounce_ms integer
---@field auto_update boolean
---@field auto_start boolean
---@field interval_minutes number
---@field width number
---@field height number
---@field preview boolean
---@field layout 'auto'|'wide'|'tall'
---@field border? string
---@field icons boolean
---@field keys? table<string, string|string[]|false> of the picker, by action

---@class auto_context.Option
---@field type string what `type()` says
---@field whole? boolean no fractions
---@field default any nil: Neovim or the service decides
---@field min? number
---@field max? number
---@field choices? string[]

---@type table<string, auto_context.Option>
M.schema = {
  python = { type = 'string' },
  picker = {
    type = 'string',
    default = 'builtin',
    choices = { 'builtin', 'telescope', 'snacks', 'fzf-lua', 'mini.pick', 'select' },
  },
  limit = { type = 'number', whole = true, min = 1, max = 200 },
  threshold = { type = 'number', min = 0, max = 1 },
  debounce_ms = { type = 'number', whole = true, default = 40, min = 0, max = 1000 },
  auto_start = { type = 'boolean', default = false },
  auto_update = { type = 'boolean', default = true },
  interval_minutes = { type = 'number', default = 10, min = 0, max = 1440 },
  width = { type = 'number', default = 0.9, min = 0.1, max = 1 },
  height = { type = 'number', default = 0.85, min = 0.1, max = 1 },
  preview = { type = 'boolean', default = true },
  layout = { type = 'string', default = 'auto', choices = { 'auto', 'wide', 'tall' } },
  border = { type = 'string' },
  icons = { type = 'boolean', default = true },
  keys = { type = 'table' },
}

---@type table?
local given
---@type auto_context.Config?
local merged

---Edit distance, for naming the option that was meant.
---@param a string
---@param b string
---@return integer
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local substitution = diagonal + (a:byte(i) == b:byte(j) and 0 or 1)
      diagonal = row[j]
      row[j] = math.min(substitution, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

---The entry of `names` that `name` was most likely meant to be, if any is near.
---@param name string
---@param names string[]
---@return string?
function M.nearest(name, names)
  local best, best_distance
  for _, candidate in ipairs(names) do
    local d = distance(name, candidate)
    if not best_distance or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  if best and best_distance <= math.max(2, math.floor(#name / 3)) then
    return best
  end
end

---@param kind string
---@param name any
---@param known table<string, any>
---@return string
local function unknown(kind, name, known)
  local names = vim.tbl_keys(known)
  table.sort(names)
  local near = M.nearest(tostring(name), names)
  local advice = near and ('did you mean `%s`?'):format(near) or 'known: ' .. table.concat(names, ', ')
  return ('unknown %s `%s`; %s'):format(kind, tostring(name), advice)
end

---The keys that may be: the others are named.
---@param given_keys table
---@param report fun(problem: string)
---@return table<string, string|string[]|false>
local function checked_keys(given_keys, report)
  local keys, kept = require('auto_context.picker.keys'), {}
  for name, value in pairs(given_keys) do
    if not keys.actions[name] then
      report(unknown('action of `keys`', name, keys.actions))
    elseif not keys.fits(value) then
      report(('`keys.%s` must be a key, a list of keys or false, not %s'):format(name, vim.inspect(value)))
    else
      kept[name] = value
    end
  end
  return kept
end

---@param name any
---@param value any
---@return string? problem
local function problem_of(name, value)
  local option = M.schema[name]
  if not option then
    return unknown('option', name, M.schema)
  end
  local range = option.min and (' from %s to %s'):format(option.min, option.max) or ''
  local kind = option.whole and 'whole number' or option.type
  if option.choices then
    kind = 'one of ' .. table.concat(option.choices, ', ')
  end
  local fits = type(value) == option.type
    and (not option.choices or vim.tbl_contains(option.choices, value))
    and (not option.min or (value >= option.min and value <= option.max)) -- not a number is neither
    and (not option.whole or value == math.floor(value))
  if not fits then
    local article = option.choices and '' or 'a '
    return ('option `%s` must be %s%s%s, not %s'):format(name, article, kind, range, vim.inspect(value))
  end
end

---@param target table
---@param source any
---@param origin string
local function merge(target, source, origin)
  if type(source) == 'function' then
    local ok, value = pcall(source)
    source = ok and value or {}
    if not ok then
      notify.fault(errors.new('config_invalid', ('%s: %s'):format(origin, value), ''))
    end
  end
  if type(source) ~= 'table' then
    notify.fault(errors.new('config_invalid', ('%s must be a table, not a %s'):format(origin, type(source)), ''))
    return
  end
  local function report(problem)
    notify.fault(errors.new('config_invalid', ('%s: %s'):format(origin, problem), ''))
  end
  for name, value in pairs(source) do
    local problem = problem_of(name, value)
    if problem then
      report(problem)
    elseif name == 'keys' then
      target.keys = vim.tbl_extend('force', target.keys or {}, checked_keys(value, report))
    else
      target[name] = value
    end
  end
end

---@return auto_context.Config
function M.get()
  if merged then
    return merged
  end
  local result = {}
  for name, option in pairs(M.schema) do
    result[name] = option.default
  end
  if vim.g.auto_context ~= nil then
    merge(result, vim.g.auto_context, 'vim.g.auto_context')
  end
  if given ~= nil then
    merge(result, given, 'setup()')
  end
  merged = result
  return result
end

---The border of our windows: the option, else 'winborder', else rounded.
---@return string|string[] border
---@return integer thickness
function M.border()
  local value = M.get().border
  if not value and vim.fn.exists('+winborder') == 1 and vim.o.winborder ~= '' then
    value = vim.o.winborder
  end
  value = value or 'rounded'
  if value:find(',', 1, true) then
    return vim.split(value, ',', { plain = true }), 1
  end
  return value, value == 'none' and 0 or 1
end

---Store the options of `setup()`; they win over `vim.g.auto_context`.
---@param opts? table
function M.set(opts)
  given, merged = opts, nil
  M.get()
end

return M
