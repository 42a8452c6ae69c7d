-- How a hit reads: its place, its row in a list, its quickfix item. Pure, shared by every picker.

local M = {}

---What found it, in words a person would use, and the letter where there is no room for words.
---Both kinds of vectors are its meaning, the one coarser than the other.
---@type { legs: string[], word: string, letter: string }[]
local marks = {
  { legs = { 'lexical' }, word = 'name', letter = 'n' },
  { legs = { 'path' }, word = 'path', letter = 'p' },
  { legs = { 'vector', 'static' }, word = 'meaning', letter = 'm' },
}
local WIDE = 64
local NARROW = 16
local ELLIPSIS = '…'
local UNSAVED = '[+]'

---@param leg string
---@return string
function M.word(leg)
  for _, mark in ipairs(marks) do
    if vim.tbl_contains(mark.legs, leg) then
      return mark.word
    end
  end
  return leg
end

---@param hit auto_context.Hit
---@param mark { legs: string[] }
---@return boolean
local function has(hit, mark)
  for _, leg in ipairs(mark.legs) do
    if vim.tbl_contains(hit.legs, leg) then
      return true
    end
  end
  return false
end

---@param hit auto_context.Hit
---@return string
function M.key(hit)
  return hit.path .. ':' .. hit.start_line
end

---@param hit auto_context.Hit
---@return integer first
---@return integer last
function M.focus(hit)
  local first = math.max(1, hit.focus[1] or hit.start_line)
  return first, math.max(first, hit.focus[2] or first)
end

---Text that is safe in one line of a buffer.
---@param text string
---@return string
function M.printable(text)
  return (text:gsub('%c', '?'))
end

---@param text string printable
---@return integer cells
local function cells(text)
  return text:find('[\128-\255]') and vim.fn.strdisplaywidth(text) or #text
end

---Cut to a width in cells; wide characters count as they are drawn.
---@param text string
---@param width integer
---@param side 'left'|'right' the side that is cut off
---@return string
function M.truncate(text, width, side)
  if cells(text) <= width then
    return text
  end
  if width <= 0 then
    return ''
  end
  if not text:find('[\128-\255]') then
    return side == 'right' and text:sub(1, width - 1) .. ELLIPSIS or ELLIPSIS .. text:sub(#text - width + 2)
  end
  local characters = vim.fn.split(text, [[\zs]])
  local kept, used = {}, 1
  local first, last, step = 1, #characters, 1
  if side == 'left' then
    first, last, step = #characters, 1, -1
  end
  for i = first, last, step do
    used = used + vim.fn.strdisplaywidth(characters[i])
    if used > width then
      break
    end
    kept[#kept + 1] = characters[i]
  end
  if side == 'right' then
    return table.concat(kept) .. ELLIPSIS
  end
  return ELLIPSIS .. table.concat(vim.fn.reverse(kept))
end

---A path that fits: the file's name stays, folders in the middle go before the first and the last one.
---@param path string
---@param width integer in cells
---@return string
function M.shorten(path, width)
  if cells(path) <= width then
    return path
  end
  local folders = vim.split(path, '/', { plain = true })
  local name = table.remove(folders)
  for dropped = 1, #folders - 1 do
    local kept = { folders[1], ELLIPSIS }
    vim.list_extend(kept, folders, 2 + dropped)
    local text = table.concat(kept, '/') .. '/' .. name
    if cells(text) <= width then
      return text
    end
  end
  local bare = #folders > 0 and ELLIPSIS .. '/' .. name or name
  return cells(bare) <= width and bare or M.truncate(path, width, 'left')
end

---What it is, what found it, and the last commit of its file, in words.
---@param hit auto_context.Hit
---@return string
function M.describe(hit)
  local words = {}
  for _, mark in ipairs(marks) do
    if has(hit, mark) then
      words[#words + 1] = mark.word
    end
  end
  local parts = { hit.kind, table.concat(words, ', ') }
  if hit.copy then
    parts[#parts + 1] = 'the same code'
  end
  if hit.reason then
    parts = { hit.reason }
  end
  if hit.unsaved then
    parts[#parts + 1] = 'not saved'
  elseif not hit.fresh then
    parts[#parts + 1] = 'changed since it was indexed'
  end
  if hit.last_commit then
    parts[#parts + 1] = os.date('%Y-%m-%d ', hit.last_commit.time) .. M.printable(hit.last_commit.subject)
  end
  return table.concat(parts, ' · ')
end

---@param hit auto_context.Hit
---@param width integer of the row
---@return string
local function mark_text(hit, width)
  if width < NARROW then
    return ''
  end
  local words = {}
  for _, mark in ipairs(marks) do
    if has(hit, mark) then
      words[#words + 1] = width >= WIDE and mark.word or mark.letter
    end
  end
  local text = hit.reason or table.concat(words, width >= WIDE and ' ' or '')
  if hit.unsaved then
    return vim.trim(UNSAVED .. ' ' .. text)
  end
  return hit.fresh and text or 'stale ' .. text
end

---What found it, one letter each, always as wide: for a column.
---@param hit auto_context.Hit
---@return string
function M.letters(hit)
  local letters = {}
  for _, mark in ipairs(marks) do
    letters[#letters + 1] = has(hit, mark) and mark.letter or '-'
  end
  return table.concat(letters)
end

---One row: the place, the symbol, and what found it at the right edge. The place keeps its end, the symbol its start.
---@param hit auto_context.Hit
---@param width integer in cells
---@param bare? boolean without what found it
---@return string text
---@return auto_context.Span[] spans
function M.row(hit, width, bare)
  local found = bare and '' or mark_text(hit, width)
  -- A file that no search found has a place in it only where a person left it.
  local line = hit.reason and M.focus(hit) == 1 and '' or ':' .. M.focus(hit)
  local room = width - (found == '' and 0 or 1 + cells(found))
  local path = M.shorten(M.printable(hit.path), room - #line)
  local text = path .. line
  local spans = {
    { first = 0, last = #path, group = 'AutoContextPath' },
    { first = #path, last = #text, group = 'AutoContextLine' },
  }
  local left = room - cells(text) - 2
  if hit.symbol ~= '' and left >= 3 then
    local start = #text + 2
    text = text .. '  ' .. M.truncate(M.printable(hit.symbol), left, 'right')
    spans[#spans + 1] = { first = start, last = #text, group = 'AutoContextSymbol' }
  end
  if found ~= '' then
    local start = #text + math.max(1, width - cells(text) - cells(found))
    text = text .. (' '):rep(start - #text) .. found
    local group = hit.unsaved and 'AutoContextUnsaved' or hit.fresh and 'AutoContextLegs' or 'AutoContextStale'
    spans[#spans + 1] = { first = start, last = #text, group = group }
  end
  return text, spans
end

---@param root string
---@param hit auto_context.Hit
---@return string
function M.file(root, hit)
  return vim.fs.joinpath(root, hit.path)
end

---@param root string
---@param hit auto_context.Hit
---@return table item for setqflist()
function M.quickfix(root, hit)
  local first, last = M.focus(hit)
  local lines = vim.split(hit.text, '\n', { plain = true })
  local text = vim.trim(lines[first - hit.start_line + 1] or '')
  if hit.symbol ~= '' then
    text = hit.symbol .. ': ' .. text
  end
  return { filename = M.file(root, hit), lnum = first, end_lnum = last, col = 1, text = text }
end

return M
