-- Where the repository around a folder begins. A disk may be slow: other threads look at it, at all parents at once.
-- They are waited for a moment, far less than a frame; then what was seen last stands in, until the look is over.

local M = {}

local PATIENCE_MS = 5

---@type table<string, string|false> folder to the repository around it, false without one, as it was seen last
local seen = {}
---@type table<string, (fun())[]> folder to who waits for a look that is under way
local looking = {}

---@param folder string
---@param done fun() in a fast context
local function look(folder, done)
  if looking[folder] then
    -- A disk that hangs is not asked again and again.
    table.insert(looking[folder], done)
    return
  end
  looking[folder] = { done }
  local folders = { folder }
  for parent in vim.fs.parents(folder) do
    table.insert(folders, parent)
  end
  local left, nearest = #folders, math.huge
  for depth, each in ipairs(folders) do
    vim.uv.fs_stat(vim.fs.joinpath(each, '.git'), function(missing)
      nearest = missing and nearest or math.min(nearest, depth)
      left = left - 1
      if left > 0 then
        return
      end
      seen[folder] = folders[nearest] or false
      local waiting = looking[folder]
      looking[folder] = nil
      for _, call in ipairs(waiting) do
        call()
      end
    end)
  end
end

---Have the repositories around some folders known.
---@param folders string[] absolute
---@param later? fun() called on the main loop when they are known, if they are not when this returns
---@return boolean known whether they are: as the disk is now, or else as it was seen last
function M.learn(folders, later)
  local left, late, new = #folders, false, false
  local function one()
    left = left - 1
    if left == 0 and late and later then
      vim.schedule(later)
    end
  end
  for _, folder in ipairs(folders) do
    new = new or seen[folder] == nil
    look(folder, one)
  end
  -- Only what libuv calls runs meanwhile: neither keys nor other plugins come in between.
  vim.wait(PATIENCE_MS, function()
    return left == 0
  end, 1, true)
  late = left > 0 and new
  return not late
end

---@param folder string absolute
---@return string? root of the repository around it, as far as it is known
function M.git_root(folder)
  return seen[folder] or nil
end

return M
