-- A trailing debounce with a cap.
--
--   call    x x   x                x x x x x x x x x
--   run             |-wait-|*      |-------max------|*
--
-- The owner closes it; a closed one never runs.

local M = {}

---@class auto_context.Debounce
---@field private timer uv.uv_timer_t
---@field private wait_ms integer
---@field private max_ms? integer
---@field private fn fun()
---@field private first? integer time of the oldest call not yet answered
local Debounce = {}
Debounce.__index = Debounce

---@param wait_ms integer
---@param max_ms? integer longest time a call waits however many follow it
---@param fn fun() runs on the main loop
---@return auto_context.Debounce
function M.new(wait_ms, max_ms, fn)
  return setmetatable({ timer = assert(vim.uv.new_timer()), wait_ms = wait_ms, max_ms = max_ms, fn = fn }, Debounce)
end

function Debounce:call()
  if self.timer:is_closing() then
    return
  end
  local now = vim.uv.now()
  self.first = self.first or now
  local wait = self.wait_ms
  if self.max_ms then
    wait = math.max(0, math.min(wait, self.first + self.max_ms - now))
  end
  self.timer:start(
    wait,
    0,
    vim.schedule_wrap(function()
      if not self.timer:is_closing() and self.first then
        self.first = nil
        self.fn()
      end
    end)
  )
end

---Forget the calls made so far.
function Debounce:cancel()
  self.first = nil
  self.timer:stop()
end

function Debounce:close()
  if not self.timer:is_closing() then
    self.timer:stop()
    self.timer:close()
  end
end

return M
