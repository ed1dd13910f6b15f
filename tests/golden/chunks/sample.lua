-- A shop.
local M = {}

local LIMIT = 10

--- Adds.
function M.add(a, b)
  local function inner()
    return a
  end
  return inner() + b
end

function M:close()
  self.open = false
end

local double = function(x)
  return x * 2
end

M.handlers = {
  click = function(event)
    return event
  end,
}

function helper(...)
  return ...
end

return M
