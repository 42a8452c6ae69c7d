-- :AutoContext and its subcommands.

local errors = require('auto_context.errors')
local host = require('auto_context.host')
local notify = require('auto_context.notify')

local M = {}

---@class auto_context.Subcommand
---@field text string what it does, for the manual's test and messages
---@field run fun(rest: string, bang: boolean, range?: integer[])

---@param error? auto_context.Error
local function say(error)
  if error then
    notify.fault(error, { asked = true })
  end
end

---@param bang boolean
local function index(bang)
  require('auto_context').index({ force = bang, confirmed = bang, shown = true }, say)
end

local function status()
  require('auto_context.status_window').open(require('auto_context.repo').of_buffer())
end

local function stop()
  local rpc = require('auto_context.rpc')
  local install = package.loaded['auto_context.install']
  if install and install.cancel() then
    return notify.info('the installation ends; what was there before stays in use')
  end
  require('auto_context.index').cancel_all()
  require('auto_context.schedule').close()
  if host.state() ~= 'running' then
    return notify.info('nothing runs in this editor')
  end
  rpc.request('stop', vim.empty_dict(), function(error)
    host.stop()
    if error then
      say(error)
    else
      notify.info('stopped; the next use starts it again')
    end
  end)
end

local function cancel()
  local install = package.loaded['auto_context.install']
  if install and install.cancel() then
    return notify.info('the installation ends; what was there before stays in use')
  end
  local index_module = package.loaded['auto_context.index']
  if not index_module or index_module.cancel_all() == 0 then
    notify.info('nothing is being indexed by this editor')
  end
end

---@return string? the service's log: the worker's and the engine's words are there
local function service_log()
  local folder = require('auto_context.folders').log()
  local newest, newest_at
  for name, kind in vim.fs.dir(folder) do
    local path = vim.fs.joinpath(folder, name)
    local stat = kind == 'file' and name:match('%.log$') and vim.uv.fs_stat(path)
    if stat and (not newest_at or stat.mtime.sec > newest_at) then
      newest, newest_at = path, stat.mtime.sec
    end
  end
  return newest
end

local function log()
  local own, service = require('auto_context.log').path(), service_log()
  local function open(how, path)
    vim.cmd({ cmd = how, args = { path }, magic = { file = false, bar = false } })
    vim.bo.autoread = true
    vim.cmd('normal! G')
  end
  open('tabedit', own)
  if service then
    open('split', service)
  end
end

---@param rest string
---@param bang boolean
local function install(rest, bang)
  if rest ~= '' and rest ~= 'gpu' then
    return say(errors.new('bad_request', ('unknown kind of environment `%s`'):format(rest), 'known: gpu'))
  end
  require('auto_context.install').install({ gpu = rest == 'gpu', confirmed = bang })
end

---@param rest string
---@param bang boolean
local function clear(rest, bang)
  if rest ~= '' and rest ~= 'all' then
    return say(errors.new('bad_request', ('`clear` knows no `%s`'):format(rest), 'say `clear` or `clear all`'))
  end
  local root = rest == '' and require('auto_context.repo').of_buffer() or nil
  require('auto_context.removal').clear({ root = root, confirmed = bang })
end

---@param rest string
---@param range? integer[]
local function context(rest, range)
  local budget = tonumber(rest)
  if rest ~= '' and not (budget and budget >= 50 and budget == math.floor(budget)) then
    return say(errors.new('bad_request', ('`%s` is no number of tokens'):format(rest), 'a whole number from 50 on'))
  end
  require('auto_context').open_context({ budget = budget, range = range })
end

---@type table<string, auto_context.Subcommand>
M.subcommands = {
  search = {
    text = 'open the picker with a query',
    run = function(rest)
      require('auto_context').open({ query = rest ~= '' and rest or nil })
    end,
  },
  resume = {
    text = 'open the picker as it was closed last: query, rows, marks and filters',
    run = function()
      require('auto_context').open({ resume = true })
    end,
  },
  similar = {
    text = 'open the picker on code like the code under the cursor; with ! like the whole file',
    run = function(_, bang)
      require('auto_context').open_similar({ whole = bang })
    end,
  },
  context = {
    text = 'code that belongs to the place under the cursor or to a range, in a split; a number: most tokens',
    run = function(rest, _, range)
      context(rest, range)
    end,
  },
  index = {
    text = 'bring the index of this repository up to date; with ! from scratch, and also where it is large',
    run = function(_, bang)
      index(bang)
    end,
  },
  status = { text = 'a window that says what is indexed, what runs and what is wrong', run = status },
  cancel = { text = 'cancel indexing, or an installation; everything else goes on', run = cancel },
  stop = { text = 'cancel indexing and end the service and everything this editor runs', run = stop },
  install = { text = 'make the Python environment; `gpu`: for a GPU; with ! without asking', run = install },
  uninstall = {
    text = 'remove that environment; with ! without asking',
    run = function(_, bang)
      require('auto_context.removal').uninstall({ confirmed = bang })
    end,
  },
  clear = { text = 'delete the index of this repository, or `all`; with ! without asking', run = clear },
  log = { text = "open the plugin's log and the service's", run = log },
}

---@return string[]
local function names()
  local list = vim.tbl_keys(M.subcommands)
  table.sort(list)
  return list
end

---@param command { args: string, bang: boolean, range: integer, line1: integer, line2: integer }
function M.run(command)
  -- A person asks: a fault said before is said again, and a remote plugin that gave up gets another try.
  notify.forget()
  host.retry()
  -- The bang may stand behind the subcommand, as the manual writes it, or behind the command.
  local name, mark, rest = command.args:match('^%s*([^%s!]*)(!?)%s*(.-)%s*$')
  local bang = command.bang or mark == '!'
  if name == '' then
    return require('auto_context').open()
  end
  local subcommand = M.subcommands[name]
  if subcommand then
    return subcommand.run(rest, bang, command.range > 0 and { command.line1, command.line2 } or nil)
  end
  local near = require('auto_context.config').nearest(name, names())
  local advice = near and ('did you mean `%s`?'):format(near) or 'known: ' .. table.concat(names(), ', ')
  say(errors.new('bad_request', ('unknown subcommand `%s`'):format(name), advice))
end

---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  -- Only the first word is a subcommand; a query is free text.
  if line:sub(1, position):match('^.-AutoContext!?%s+%S*$') == nil then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names())
end

return M
