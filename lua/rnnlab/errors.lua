-- rnnlab.errors owns how a mistake becomes one line and an exit code.
--
-- A mistake on the command line is thrown as a table { exit = 2, message = ... }; other failures that
-- need no place in a script as { exit = 1, ... }. Anything else (a string, whatever a script throws) is
-- given the script's file and line by errors.handler, which xpcall calls while the stack still stands.
local errors = {}

local Error = {} -- no __index: a script that catches one finds nothing behind it
Error.__tostring = function(e) return e.message end
Error.__metatable = false

-- An error with an exit code; its message is printed as it is.
function errors.new(exit, message)
  return setmetatable({ exit = exit, message = message }, Error)
end

-- Raise one.
function errors.throw(exit, format, ...)
  error(errors.new(exit, format:format(...)), 0)
end

-- The user's command line is wrong: exit 2.
function errors.usage(format, ...)
  error(errors.new(2, format:format(...)), 0)
end

-- Something failed that has no line in a script: exit 1.
function errors.failure(format, ...)
  error(errors.new(1, format:format(...)), 0)
end

-- Is it one of ours?
function errors.is(value)
  return type(value) == "table" and type(rawget(value, "exit")) == "number" and rawget(value, "message") ~= nil
end

-- Take away what names no file of the user: our own modules' positions at the head of a message.
local function without_own_position(message)
  local rest = message
  repeat
    local before = rest
    rest = rest:gsub("^%[string \"rnnlab[^\n]-\"%]:%d+: ", ""):gsub("^[^%s:]*rnnlab[./][%w_./]+:%d+: ", "")
  until rest == before
  return rest
end

-- A file's name as Lua shortens it in messages, for the chunk name "@" .. name.
local function shortened(name)
  return #name < 60 and name or "..." .. name:sub(-(60 - 4))
end

-- The line of the last `return` of a function, which is where it stood when it made a tail call: of these
-- Lua keeps no trace. nil where there is none.
local function return_line(info, script)
  local number, found, outermost = 0, nil, nil
  local main = info.what == "main"
  for line in (script.text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if (main or number >= info.linedefined and number <= info.lastlinedefined)
      and line:find "%f[%w_]return%f[^%w_]" then
      found = number
      if main and line:find "^return" then outermost = number end
    end
  end
  return outermost or found
end

-- "script.lua:12: " for the innermost line of the user's that is running, or of `f`, which was called; else
-- the file `otherwise`.
local function position(sources, f, otherwise)
  for level = 3, 200 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    local script = sources[info.source]
    if script and info.currentline > 0 then
      return ("%s:%d: "):format(script.name, info.currentline)
    end
  end
  local info = debug.getinfo(f, "S")
  local script = sources[info.source]
  if not script then return otherwise and otherwise .. ": " or "" end
  local line = return_line(info, script)
  return line and ("%s:%d: "):format(script.name, line) or script.name .. ": "
end

-- sources: chunk name (as debug.getinfo's source) -> { name = file to show, text = its text }. f: the function
-- that is called. otherwise: the file to name where no line is known. Returns a message handler that makes an
-- error table with the script's position in its message.
function errors.handler(sources, f, otherwise)
  return function(value)
    if errors.is(value) then
      return value
    end
    if os.getenv "RNNLAB_TRACEBACK" == "1" then -- for work on these modules themselves
      io.stderr:write(debug.traceback(tostring(value), 2), "\n")
    end
    local message
    if type(value) == "string" then
      message = value
    elseif type(value) == "table" and getmetatable(value) and getmetatable(value).__tostring then
      message = tostring(value)
    else
      message = ("the script raised a %s value as its error"):format(type(value))
    end
    message = without_own_position(message)
    for source, script in pairs(sources) do
      local short = shortened(source:sub(2))
      if message:sub(1, #short + 1) == short .. ":" then
        return errors.new(1, script.name .. message:sub(#short + 1))
      end
    end
    return errors.new(1, position(sources, f, otherwise) .. message)
  end
end

-- Call f; on failure rethrow as a table with the script's position.
function errors.call(sources, otherwise, f, ...)
  local results = table.pack(xpcall(f, errors.handler(sources, f, otherwise), ...))
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

return errors
