-- The only place that calls vim.notify: scheduled, one line, a background fault shown once until it is forgotten.

local errors = require('auto_context.errors')
local log = require('auto_context.log')

local M = {}

local PREFIX = 'auto-context: '

---@type table<string, true>
local shown = {}

---@param text string
---@param level 'info'|'warn'|'error'
local function say(text, level)
  vim.notify(PREFIX .. text:gsub('%s*\n%s*', ' '), vim.log.levels[level:upper()])
end

---@param text string
---@param level 'info'|'warn'|'error'
local function show(text, level)
  log.write(level, text)
  vim.schedule(function()
    say(text, level)
  end)
end

---A text in one screen line: its middle goes, which of a path says the least.
---@param text string
---@return string
local function in_one_line(text)
  local room, long = vim.v.echospace - #PREFIX, vim.fn.strchars(text)
  if vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  local kept = math.max(2, room - 1)
  local head = math.floor(kept / 3)
  return vim.fn.strcharpart(text, 0, head) .. '…' .. vim.fn.strcharpart(text, long - (kept - head))
end

---What is good to know stops nobody with a prompt.
---@param text string
function M.info(text)
  log.write('info', text)
  vim.schedule(function()
    say(in_one_line(text), 'info')
  end)
end

---@param text string
function M.warn(text)
  show(text, 'warn')
end

---The text of a fault in one screen line: what to do about it is kept, what happened is shortened.
---@param error auto_context.Error
---@return string
local function fitted(error)
  local room = vim.v.echospace - #PREFIX
  local text = errors.text(error)
  if vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  local kept = math.max(room - #error.hint - 3, math.floor(room / 2))
  text = vim.fn.strcharpart(error.message, 0, kept) .. '…; ' .. error.hint
  return vim.fn.strcharpart(text, 0, room)
end

---A fault at its level. One that nobody asked for (a save, a timer) is shown once per distinct fault, and in one
---line: it must not stop a person who is typing with a prompt.
---@param error auto_context.Error
---@param opts? { asked?: boolean } asked: the person's own command failed, so say it every time
function M.fault(error, opts)
  local key = error.code .. '\0' .. error.message
  if shown[key] and not (opts and opts.asked) then
    log.write('debug', 'again: ' .. error.message)
    return
  end
  shown[key] = true
  local level = errors.levels[error.code] or 'error'
  if opts and opts.asked then
    return show(errors.text(error), level)
  end
  log.write(level, errors.text(error))
  vim.schedule(function()
    say(fitted(error), level)
  end)
end

---@type table<string, table> fidget.nvim's handles of what goes on
local handles = {}

---fidget.nvim's own display, for those who use it.
---@param id string
---@param text string
---@param status 'running'|'success'|'failed'|'cancel'
---@param percent? integer
---@return boolean shown
local function fidget(id, text, status, percent)
  local ok, result = pcall(function()
    if not package.loaded['fidget'] then
      return false
    end
    local handle = handles[id]
    if not handle then
      handle = require('fidget.progress').handle.create({
        title = 'auto-context',
        message = text,
        percentage = percent,
        lsp_client = { name = 'auto-context' },
      })
      handles[id] = handle
    end
    if status == 'running' then
      handle:report({ message = text, percentage = percent })
      return true
    end
    handles[id] = nil
    handle.message = text
    handle[status == 'success' and 'finish' or 'cancel'](handle)
    return true
  end)
  if not ok then
    log.write('info', 'fidget: ' .. tostring(result))
  end
  return ok and result
end

---How something goes on that takes long: one message that is rewritten, never a prompt. Before Neovim 0.12 what has a
---percentage is left to whoever says its start and its end: a figure that moves would cover what a person reads.
---@param id string
---@param text string
---@param status 'running'|'success'|'failed'|'cancel'
---@param percent? number
function M.progress(id, text, status, percent)
  vim.schedule(function()
    percent = percent and math.floor(percent)
    if fidget(id, text, status, percent) then
      return
    end
    text = vim.fn.strcharpart(text, 0, vim.v.echospace - #PREFIX)
    if vim.fn.has('nvim-0.12') == 1 then
      local options = { id = 'auto_context.' .. id, kind = 'progress', status = status, title = 'auto-context' }
      options.source = 'auto_context'
      options.percent = percent and math.max(1, percent) -- 0 counts as none there
      vim.api.nvim_echo({ { text } }, false, options)
    elseif status == 'running' and not percent and vim.api.nvim_get_mode().mode:sub(1, 1) == 'n' then
      vim.api.nvim_echo({ { PREFIX .. text } }, false, {})
    end
    if status ~= 'running' then
      vim.cmd.redraw() -- what is said next would stand below it, and wait for a key
    end
  end)
end

---Forget what was shown, so that the next fault is said again: called when a person starts something anew.
function M.forget()
  shown = {}
end

return M
