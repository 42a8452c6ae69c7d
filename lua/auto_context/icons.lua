-- A file's icon, from mini.icons or nvim-web-devicons when one of them can be loaded; else none.

local config = require('auto_context.config')

local M = {}

---@alias auto_context.IconProvider fun(path: string): string?, string?

---@type auto_context.IconProvider|false|nil nil: not looked for yet
local provider

---@return auto_context.IconProvider|false
local function find()
  local ok, mini = pcall(require, 'mini.icons')
  if ok and type(mini) == 'table' and mini.get then
    return function(path)
      return mini.get('file', path)
    end
  end
  local found, devicons = pcall(require, 'nvim-web-devicons')
  if found and type(devicons) == 'table' and devicons.get_icon then
    return function(path)
      local name = path:match('[^/]*$')
      return devicons.get_icon(name, name:match('%.([^.]+)$'), { default = true })
    end
  end
  return false
end

---@param path string
---@return string? icon
---@return string? group highlight group
function M.get(path)
  if not config.get().icons then
    return nil
  end
  if provider == nil then
    provider = find()
  end
  if not provider then
    return nil
  end
  -- Another plugin's mistake costs an icon, not the list.
  local ok, icon, group = pcall(provider, path)
  if not ok then
    provider = false
    return nil
  end
  return icon, group
end

return M
