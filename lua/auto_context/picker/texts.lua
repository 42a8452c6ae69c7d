-- What the picker says in words: its title, and what stands in the list when there are no rows. Pure.

local hits = require('auto_context.hit')
local progress = require('auto_context.progress')

local M = {}

M.HINT = 'Type what it does, a name, or a file; ? for keys'

---How much can be found by meaning, by the newest news of it.
---@param source auto_context.picker.Source
---@return table<string, number>?
local function coverage(source)
  local now = source.progress and source.progress.coverage
  if now and now.vector then
    return now
  end
  local known = source.status and source.status.repository
  if source.reply and source.reply.coverage then
    return source.reply.coverage
  elseif known and known.indexed then
    local chunks = math.max(1, known.chunks)
    return { static = known.static_vectors / chunks, vector = known.chunks == 0 and 1 or known.vectors / chunks }
  end
end

---Branch, filters, marks, files, how much can be found by meaning, and which leg is missing.
---@param source auto_context.picker.Source
---@param branch? string
---@param marked integer rows
---@return string
function M.title(source, branch, marked)
  local parts = {}
  local known = source.status and source.status.repository
  local reply = source.reply
  local names = { reply and reply.branch or '', branch or '', known and known.branch or '' }
  parts[1] = vim.fs.basename(source.root)
  for i = #names, 1, -1 do
    parts[1] = names[i] ~= '' and names[i] or parts[1] -- without git there is no branch
  end
  if source.like and not source.query:match('%S') then
    local line = source.like.line and ':' .. source.like.line or ''
    parts[#parts + 1] = 'like ' .. vim.fs.basename(source.like.path) .. line
  end
  if marked > 0 then
    parts[#parts + 1] = ('%d marked'):format(marked)
  end
  -- What is like some code is not kept to anything.
  if source.query:match('%S') or not source.like then
    vim.list_extend(parts, source.filters:words())
  end
  -- A query's own embedding is pending for an instant at every key: that is not worth a word.
  for _, leg in ipairs({ 'lexical', 'path' }) do
    local state = reply and reply.legs[leg]
    if state == 'down' or state == 'loading' then
      parts[#parts + 1] = ('%s: %s'):format(hits.word(leg), state)
    end
  end
  local missing = reply and progress.meaning_state(reply.legs)
  if missing then
    parts[#parts + 1] = ('%s: %s'):format(hits.word('vector'), missing)
  end
  if known and known.indexed and known.updated_at > 0 then
    parts[#parts + 1] = progress.count(known.files, 'file')
  elseif not source.status and not source.error then
    parts[#parts + 1] = 'starting'
  end
  local covered = coverage(source)
  if covered then
    parts[#parts + 1] = progress.meaning(covered)
  end
  if source.indexing then
    parts[#parts + 1] = progress.brief(source.progress)
  end
  return table.concat(parts, ' · ')
end

---What stands in the list when there are no rows.
---@param source auto_context.picker.Source
---@return string[] lines
---@return string group
function M.message(source)
  if source.question then
    return { source.question, 'Index it?  <CR> or y: yes   <Esc>: no' }, 'AutoContextHint'
  elseif source.error then
    return { source.error.message, source.error.hint }, 'AutoContextError'
  end
  local known = source.status and source.status.repository
  if source.indexing and not (known and known.updated_at > 0) then
    local far = 'indexing: ' .. (source.progress and progress.text(source.progress) or 'starting')
    local asks = source.query:match('%S') or source.like
    return not asks and { M.HINT, far } or source.reply and { 'nothing found yet', far } or { far }, 'AutoContextHint'
  elseif source.query:match('^%s*$') and not source.like then
    return { M.HINT }, 'AutoContextHint'
  elseif source.waiting then
    return { 'searching' }, 'AutoContextHint'
  end
  return { 'nothing found' }, 'AutoContextHint'
end

return M
