-- How far an index is, in words. Pure: the picker, its title and the messages say the same.

local M = {}

local MINUTE = 60
local HOUR = 3600
local WORTH_A_LOOK = 0.02 -- of the chunks: so many more with a precise vector can change a list

---@param n integer
---@return string
function M.thousands(n)
  local text = tostring(math.floor(n))
  local from = #text % 3
  local grouped = text:sub(1, from) .. text:sub(from + 1):gsub('%d%d%d', ',%0')
  return (grouped:gsub('^,', ''))
end

---@param n integer
---@param word string
---@return string
function M.count(n, word)
  return ('%s %s%s'):format(M.thousands(n), word, n == 1 and '' or 's')
end

---@param share number 0 to 1
---@return string whole per cent, 100 only for all of it
local function percent(share)
  return ('%d %%'):format(math.floor(math.max(0, math.min(1, share)) * 100))
end

---@param seconds number
---@return string
function M.duration(seconds)
  if seconds < 1.5 * MINUTE then
    return ('%d s'):format(math.ceil(seconds))
  elseif seconds < 1.5 * HOUR then
    return ('%.0f min'):format(seconds / MINUTE)
  end
  return ('%.1f h'):format(seconds / HOUR)
end

---How much can be found by meaning. What only has its static vector is found by a coarser one: the rest is precise.
---@param coverage table<string, number>
---@return string
function M.meaning(coverage)
  local coarse, precise = coverage.static or 0, coverage.vector or 0
  if precise < 1 and coarse >= 1 then
    -- Less than one in a hundred is not worth a number.
    return precise < 0.01 and 'meaning coarse' or ('meaning %s precise'):format(percent(precise))
  end
  return 'meaning ' .. percent(math.max(coarse, precise))
end

---@param state? auto_context.LegState
---@return boolean whether a leg answers, or is about to
local function answers(state)
  return state == 'ok' or state == 'partial' or state == 'pending'
end

---What is wrong with the search by meaning. Either kind of vector will do, so nothing is said while one answers: only a
---transformer that failed is.
---@param legs table<string, auto_context.LegState>
---@return 'loading'|'down'|'coarse'|nil
function M.meaning_state(legs)
  if answers(legs.vector) then
    return nil
  elseif answers(legs.static) then
    return legs.vector == 'down' and 'coarse' or nil
  elseif legs.vector == 'loading' or legs.static == 'loading' then
    return 'loading'
  end
  return legs.vector == 'down' and 'down' or nil
end

---@param progress auto_context.Progress
---@return string what is being done, and how much of it is
local function stage(progress)
  local chunks = M.count(progress.chunks_total, 'chunk')
  if progress.phase == 'scan' then
    return 'looking for files'
  elseif progress.phase == 'chunk' then
    return ('reading %s of %s, %s'):format(
      M.thousands(progress.files_done),
      M.count(progress.files_total, 'file'),
      chunks
    )
  elseif progress.phase == 'static' then
    return ('%s read, vectors of %s'):format(M.count(progress.files_total, 'file'), chunks)
  elseif progress.phase == 'embed' then
    local read = progress.files_total > 0 and M.count(progress.files_total, 'file') .. ' read, ' or ''
    return ('%s%s of %s embedded'):format(read, M.thousands(progress.chunks_done), chunks)
  end
  return 'done'
end

---Stage, files, chunks, per cent, speed and time left; and why it stands still, when it does.
---@param progress auto_context.Progress
---@return string
function M.text(progress)
  local text = ('%s, %d %%'):format(stage(progress), progress.percent)
  if (progress.tokens_per_s or 0) > 0 then
    text = ('%s, %s tokens/s'):format(text, M.thousands(progress.tokens_per_s))
  end
  if (progress.paused or '') ~= '' then
    return ('%s, paused: %s'):format(text, progress.paused)
  end
  return text .. (progress.eta_s and (', %s left'):format(M.duration(progress.eta_s)) or '')
end

---The same where there is little room.
---@param progress? auto_context.Progress
---@return string
function M.brief(progress)
  if not progress then
    return 'indexing'
  end
  local text = ('indexing %d %%'):format(progress.percent)
  if (progress.paused or '') ~= '' then
    return 'indexing paused: ' .. progress.paused
  end
  -- While files are read the time left is of the reading alone, which is soon over.
  if progress.phase == 'embed' and progress.eta_s then
    return ('%s, %s left'):format(text, M.duration(progress.eta_s))
  end
  return text
end

---Whether an index holds so much more than before that an answer may change.
---@param before? auto_context.Progress
---@param now auto_context.Progress
---@return boolean
function M.grew(before, now)
  if not before or before.job ~= now.job then
    return true
  end
  local function share(progress, leg)
    return progress.coverage and progress.coverage[leg] or 0
  end
  return now.chunks_total > before.chunks_total
    or share(now, 'static') > share(before, 'static')
    or share(now, 'vector') >= share(before, 'vector') + WORTH_A_LOOK
end

return M
