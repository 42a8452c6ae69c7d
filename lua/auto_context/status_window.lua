-- `:AutoContext status`: what is indexed, what runs and what is wrong, in a floating window like `:ConformInfo`.

local errors = require('auto_context.errors')
local progress = require('auto_context.progress')
local rpc = require('auto_context.rpc')

local api = vim.api

local M = {}

local NAMESPACE = api.nvim_create_namespace('auto_context_status')
local REFRESH_MS = 1000
local MB = 1e6

---@class auto_context.StatusLine
---@field text string
---@field group? string highlight of the whole line
---@field label? integer bytes at the beginning that are a name

---@param values table<string, any>
---@return string `a 1, b 2`
local function counts(values)
  local names = vim.tbl_keys(values)
  table.sort(names)
  return table.concat(
    vim.tbl_map(function(name)
      return ('%s %s'):format(name, values[name])
    end, names),
    ', '
  )
end

---@param lines auto_context.StatusLine[]
---@param label string
---@param text string
---@param group? string
local function row(lines, label, text, group)
  local shown = ('  %-10s'):format(label)
  lines[#lines + 1] = { text = shown .. text:gsub('%s*\n%s*', ' '), label = #shown, group = group }
end

---@param seconds number since the epoch
---@return string
local function when(seconds)
  return os.date('%Y-%m-%d %H:%M', math.floor(seconds)) --[[@as string]]
end

---@param coverage table<string, number>
---@return string
local function legs(coverage)
  local parts = {}
  for _, leg in ipairs({ 'lexical', 'path', 'static', 'vector' }) do
    if coverage[leg] then
      parts[#parts + 1] = ('%s %d %%'):format(leg, math.floor(coverage[leg] * 100))
    end
  end
  return table.concat(parts, ', ')
end

---@param lines auto_context.StatusLine[]
---@param known table
local function repository(lines, known)
  lines[#lines + 1] = { text = vim.fn.fnamemodify(known.root, ':~'), group = 'AutoContextStatusHeading' }
  row(lines, 'branch', known.branch)
  if not known.indexed then
    row(lines, 'index', 'none: `:AutoContext index` makes it', 'AutoContextStatusWarning')
    return
  end
  row(lines, 'files', ('%s, %d stale'):format(progress.thousands(known.files), known.stale))
  row(lines, 'chunks', progress.thousands(known.chunks))
  row(lines, 'coverage', legs(known.coverage))
  if next(known.skipped) then
    row(lines, 'skipped', counts(known.skipped))
  end
  if known.redacted and next(known.redacted) then
    row(lines, 'secrets', counts(known.redacted))
  end
  row(lines, 'updated', when(known.updated_at))
  local made = known.embedding
  if made.ms_per_chunk then
    row(lines, 'embedding', ('%.1f ms a chunk, %d tokens/s'):format(made.ms_per_chunk, made.tokens_per_s))
  end
  row(lines, 'store', ('%.1f MB in %s'):format(known.store_bytes / MB, vim.fn.fnamemodify(known.store, ':~')))
  for _, warning in ipairs(known.warnings or {}) do
    row(lines, 'warning', errors.text(warning), 'AutoContextStatusWarning')
  end
end

---@param lines auto_context.StatusLine[]
---@param service table
local function running(lines, service)
  lines[#lines + 1] = { text = '' }
  lines[#lines + 1] = { text = 'service', group = 'AutoContextStatusHeading' }
  row(lines, 'version', ('%s, pid %d, up %s'):format(service.version, service.pid, progress.duration(service.uptime_s)))
  row(lines, 'memory', ('%.0f of %.0f MB'):format(service.memory_bytes / MB, service.memory_limit_bytes / MB))
  row(lines, 'model', service.worker, service.worker == 'down' and 'AutoContextStatusWarning' or nil)
  local searches = service.searches
  if searches.count > 0 then
    row(lines, 'searches', ('%d, p50 %.0f ms, p95 %.0f ms'):format(searches.count, searches.p50_ms, searches.p95_ms))
  end
  for name, found in vim.spairs(service.caches) do
    local asked = found.hits + found.misses
    if asked > 0 then
      row(lines, name, ('%d %% of %d were there already'):format(math.floor(100 * found.hits / asked), asked))
    end
  end
  row(lines, 'log', vim.fn.fnamemodify(service.log, ':~'))
  row(lines, 'own log', vim.fn.fnamemodify(require('auto_context.log').path(), ':~'))
end

---The lines of a reply.
---@param stats table reply of the `stats` method
---@return auto_context.StatusLine[]
function M.lines(stats)
  local lines = {}
  repository(lines, stats.repository)
  if stats.job then
    local now = stats.job.state == 'running' and progress.text(stats.job.progress) or stats.job.state
    row(lines, 'indexing', now, 'AutoContextStatusBusy')
  end
  running(lines, stats.service)
  return lines
end

---@param error auto_context.Error
---@return auto_context.StatusLine[]
local function fault(error)
  local lines = { { text = error.message:gsub('%s*\n%s*', ' '), group = 'AutoContextStatusWarning' } }
  if error.hint ~= '' then
    lines[2] = { text = error.hint }
  end
  return lines
end

---Highlight groups, unless a colour scheme or the user has them.
function M.highlights()
  for group, link in pairs({
    AutoContextStatusHeading = 'Title',
    AutoContextStatusLabel = 'Comment',
    AutoContextStatusWarning = 'WarningMsg',
    AutoContextStatusBusy = 'MoreMsg',
  }) do
    api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

---@param buffer integer
---@param lines auto_context.StatusLine[]
local function draw(buffer, lines)
  vim.bo[buffer].modifiable = true
  api.nvim_buf_set_lines(
    buffer,
    0,
    -1,
    true,
    vim.tbl_map(function(line)
      return line.text
    end, lines)
  )
  vim.bo[buffer].modifiable = false
  api.nvim_buf_clear_namespace(buffer, NAMESPACE, 0, -1)
  for at, line in ipairs(lines) do
    if line.label then
      local mark = { end_col = line.label, hl_group = 'AutoContextStatusLabel' }
      api.nvim_buf_set_extmark(buffer, NAMESPACE, at - 1, 0, mark)
    end
    if line.group and #line.text > 0 then
      local mark = { end_col = #line.text, hl_group = line.group }
      api.nvim_buf_set_extmark(buffer, NAMESPACE, at - 1, line.label or 0, mark)
    end
  end
end

---@param lines auto_context.StatusLine[]
---@return vim.api.keyset.win_config
local function place(lines)
  local widest = 30
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line.text))
  end
  local width = math.max(1, math.min(widest + 1, vim.o.columns - 4))
  local rows = 0
  for _, line in ipairs(lines) do
    rows = rows + math.max(1, math.ceil(vim.fn.strdisplaywidth(line.text) / width))
  end
  local height = math.max(1, math.min(rows, vim.o.lines - vim.o.cmdheight - 4))
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
  }
end

---@param lines auto_context.StatusLine[]
---@return integer buffer
---@return integer window
local function open_window(lines)
  M.highlights()
  local buffer = api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = 'wipe'
  draw(buffer, lines)
  local border, thickness = require('auto_context.config').border()
  local config = vim.tbl_extend('force', place(lines), { style = 'minimal', border = border })
  if thickness > 0 then
    config = vim.tbl_extend('force', config, { title = ' auto-context ', title_pos = 'center' })
  end
  local window = api.nvim_open_win(buffer, true, config)
  vim.wo[window].wrap = true
  vim.bo[buffer].filetype = 'auto-context-status'
  for _, key in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', key, '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'close' })
  end
  return buffer, window
end

---Show the window for a root. It is drawn anew, at most once a second, while something is indexed, until it is closed.
---@param root string
function M.open(root)
  local buffer, window
  local show, waiting
  local function later()
    if waiting then
      return
    end
    waiting = true
    vim.defer_fn(function()
      waiting = false
      if api.nvim_win_is_valid(window) then
        show()
      end
    end, REFRESH_MS)
  end
  local function opened()
    local offs = { rpc.on('progress', later), rpc.on('indexed', later) }
    api.nvim_create_autocmd('BufWipeout', {
      buffer = buffer,
      once = true,
      callback = function()
        for _, off in ipairs(offs) do
          off()
        end
      end,
    })
  end
  function show()
    rpc.request('stats', { root = root }, function(error, stats)
      local lines = error and fault(error) or M.lines(stats)
      if not buffer then
        buffer, window = open_window(lines)
        opened()
      elseif not api.nvim_win_is_valid(window) then
        return
      else
        draw(buffer, lines)
        api.nvim_win_set_config(window, place(lines))
      end
      if stats and stats.job then
        later()
      end
    end)
  end
  show()
end

return M
