-- The plugin's own log: `stdpath('log')/auto_context.log`, at most two files of `LIMIT` bytes.

local M = {}

local LIMIT = 1024 * 1024
local LONGEST_LINE = 2000

---@return string path
function M.path()
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], 'auto_context.log')
end

---@return file*?
local function open()
  local path = M.path()
  local stat = vim.uv.fs_stat(path)
  if not stat then
    vim.fn.mkdir(vim.fs.dirname(path), 'p')
  elseif stat.size > LIMIT then
    os.rename(path, path .. '.1')
  end
  return (io.open(path, 'a'))
end

---Append one line. Safe anywhere, also in callbacks of libuv; a log that cannot be written is no fault.
---@param level 'debug'|'info'|'warn'|'error'
---@param text string
function M.write(level, text)
  local line = ('%s %-5s %s\n'):format(os.date('%Y-%m-%d %H:%M:%S'), level, text:sub(1, LONGEST_LINE))
  local function append()
    local ok, file = pcall(open)
    if ok and file then
      file:write(line)
      file:close()
    end
  end
  if vim.in_fast_event() then
    vim.schedule(append)
  else
    append()
  end
end

return M
