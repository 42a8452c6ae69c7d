-- What a statusline shows: branch, state, per cent. From memory alone: it reads what others have loaded, loads nothing,
-- asks nobody, and looks at no file.

local M = {}

local api = vim.api

---@class auto_context.StatusInfo
---@field root string
---@field branch? string
---@field indexed? boolean nil while nobody asked
---@field state 'idle'|'none'|'starting'|'indexing'|'paused'|'failed'
---@field percent? integer while something is indexed
---@field progress? auto_context.Progress the newest of it
---@field text string what `get` returns

local WORDS = { none = 'no index', starting = 'indexing', failed = 'failed' }

---@type table<string, auto_context.StatusInfo> by root; each is kept while what it was made of is the same
local infos = {}

---@param repo table the module
---@return string? root of the current buffer that is in use; nothing is looked for on the disk
local function current_root(repo)
  local name = api.nvim_buf_get_name(0)
  if name == '' or vim.bo.buftype ~= '' then
    name = vim.fn.getcwd()
  end
  return repo.used(name)
end

---@param known auto_context.Repo
---@param progress? auto_context.Progress
---@param busy boolean
---@param failed boolean
---@return auto_context.StatusInfo
local function made(known, progress, busy, failed)
  local info = { root = known.root, branch = known.branch, indexed = known.indexed, progress = progress }
  info.state = progress and ((progress.paused or '') ~= '' and 'paused' or 'indexing')
    or busy and 'starting'
    or failed and 'failed'
    or known.indexed == false and 'none'
    or 'idle'
  info.percent = progress and math.floor(progress.percent) or nil
  local word = info.percent and ('%s %d%%'):format(info.state, info.percent) or WORDS[info.state]
  info.text = table.concat(vim.tbl_values({ known.branch or '-', word }), ' ')
  return info
end

---What is known of a root.
---@param root? string default: that of the current buffer
---@return auto_context.StatusInfo? a table that is kept while nothing changes; nil before the first use
function M.info(root)
  local repo, index = package.loaded['auto_context.repo'], package.loaded['auto_context.index']
  if not (repo and index) then
    return nil
  end
  root = root or current_root(repo)
  if not root then
    return nil
  end
  local known, progress, busy, failed = repo.get(root), index.progress(root), index.busy(root), index.failed(root)
  local info = infos[root]
  local same = info
    and info.branch == known.branch
    and info.indexed == known.indexed
    and info.progress == progress
    and info.busy == busy
    and info.failed == failed
  if not same then
    info = made(known, progress, busy, failed)
    info.busy, info.failed = busy, failed
    infos[root] = info
  end
  return info
end

---One short text: the branch, then what is going on. Empty before the first use, and where nothing is in use.
---@return string
function M.get()
  local info = M.info()
  return info and info.text or ''
end

-- A statusline is drawn when Neovim sees a reason; ours is one of these.
local before = ''
api.nvim_create_autocmd('User', {
  group = api.nvim_create_augroup('AutoContextStatus', {}),
  pattern = { 'AutoContextIndexStarted', 'AutoContextProgress', 'AutoContextIndexed', 'AutoContextBranch' },
  desc = 'AutoContext: draw the statusline anew',
  callback = function()
    local now = M.get()
    if now ~= before then
      before = now
      vim.cmd('redrawstatus!')
    end
  end,
})

return M
