-- helper.lua: runs the built program as a user does and captures what it says.
--
--   local cli = require "helper"            -- busted is started with --lpath=tests/cli/?.lua
--   before_each(cli.fresh)                  -- a new empty folder: the current folder of what follows
--   after_each(cli.clean)
--   local got = cli.run("run s.lua lr=0.1") -- { code =, out =, err = }
--   cli.run({ "new", "two words" }, { NO_COLOR = "1", stdin = "", cwd = "/" })
--
-- Environment: RNNLAB names the program (default: build/rnnlab or what PATH finds).
-- Results go to "results" in the fresh folder unless --results says otherwise.
local helper = {}

local function quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end
helper.quote = quote

local function absolute(path)
  if path:sub(1, 1) == "/" or not path:find("/", 1, true) then return path end
  local pipe = assert(io.popen("pwd"))
  local here = pipe:read "l"
  pipe:close()
  return here .. "/" .. path
end

helper.program = absolute(os.getenv "RNNLAB" or "build/rnnlab")

-- The project's folder, for its scripts.
local source = debug.getinfo(1, "S").source:sub(2)
helper.root = absolute((source:match "^(.*)/tests/cli/[^/]*$") or ".")
if helper.root == "." then helper.root = absolute "./." end

function helper.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

function helper.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
  return path
end

function helper.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- Run a shell command line; its standard output (trimmed) and whether it succeeded.
function helper.shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  local ok = pipe:close()
  return (text:gsub("%s+$", "")), ok == true
end

local scratch = {} -- folders to remove

-- A new empty folder, removed by clean().
function helper.folder()
  local name, ok = helper.shell 'd=$(mktemp -d "${TMPDIR:-/tmp}/rnnlab-cli.XXXXXX") && cd "$d" && pwd -P'
  assert(ok and name ~= "", "mktemp -d failed")
  scratch[#scratch + 1] = name
  return name
end

-- A new empty folder that becomes the current one of the runs that follow; also helper.dir.
function helper.fresh()
  helper.dir = helper.folder()
  return helper.dir
end

function helper.clean()
  for _, name in ipairs(scratch) do
    -- a test may have taken away the right to write
    os.execute("chmod -R u+rwX " .. quote(name) .. " 2>/dev/null; rm -rf " .. quote(name))
  end
  scratch = {}
  helper.dir = nil
end

-- A program that is to get a signal is this shell, which becomes it; its child waits until the program has a handler
-- for signal $1 (before that a signal ends it as it does any program, and on a busy machine that may be long), then
-- $2 seconds, and sends $3, but not to a process that has ended.
local signaller = [[
takes() {
  while read -r key mask; do
    [ "$key" = SigCgt: ] && return $(( (0x$mask >> ($1 - 1) & 1) == 0 ))
  done <"/proc/$$/status"
  kill -0 $$ || exit 0
  return 1
}
{
  until takes "$1"; do sleep .002; done
  sleep "$2"
  takes "$1" && kill -s "$3" $$
} </dev/null >/dev/null 2>&1 &
shift 3
exec "$@"]]
local numbers = { HUP = 1, INT = 2, KILL = 10, USR1 = 10, TERM = 15 } -- SIGKILL has no handler: SIGUSR1's tells

-- Run rnnlab. args: a string (split by the shell) or a list of words (passed as they are).
-- env: variables to set (a value of false unsets one), and besides these, in lower case:
--   cwd     the current folder (default: the fresh one)
--   stdin   text for the standard input (default: none, /dev/null)
--   stdout  where the output goes instead of being captured, e.g. "/dev/full"
--   closed  true: standard input, output and error are closed; "stdout": only this one
--   signal  { "INT", seconds }: send the signal so long after the program began to take signals
--   before  shell text put in front, e.g. "ulimit -f 10;"
-- Returns { code = exit code (128+n for a signal), out =, err = }.
function helper.run(args, env)
  env = env or {}
  local folder = helper.dir or helper.fresh()
  local words
  if type(args) == "table" then
    words = {}
    for i, word in ipairs(args) do words[i] = quote(word) end
    words = table.concat(words, " ")
  else
    words = args or ""
  end
  local own = { cwd = true, stdin = true, stdout = true, closed = true, signal = true, before = true }
  local names = {}
  for name in pairs(env) do
    if not own[name] then names[#names + 1] = name end
  end
  table.sort(names)
  local settings = {}
  for _, name in ipairs(names) do -- env wants its -u before any NAME=value
    if env[name] == false then table.insert(settings, 1, "-u " .. name)
    else settings[#settings + 1] = quote(name .. "=" .. tostring(env[name])) end
  end
  local out_path, err_path, in_path = os.tmpname(), os.tmpname(), nil
  if env.stdin then
    in_path = os.tmpname()
    helper.write(in_path, env.stdin)
  end
  local prefix = ""
  if env.signal then -- it is sent once, to the program alone
    prefix = ("sh -c %s sh %d %g %s"):format(quote(signaller), numbers[env.signal[1]], env.signal[2], env.signal[1])
  end
  local command = ("cd %s && %s %s env %s %s %s <%s >%s 2>%s %s"):format(
    quote(env.cwd or folder), env.before or "", prefix, table.concat(settings, " "), quote(helper.program), words,
    quote(in_path or "/dev/null"), quote(env.stdout or out_path), quote(err_path),
    env.closed == true and "<&- >&- 2>&-" or env.closed == "stdout" and ">&-" or "")
  local pipe = assert(io.popen(command))
  pipe:read "a"
  local _, how, code = pipe:close()
  if how == "signal" then code = 128 + code end
  local got = { code = code, out = helper.read(out_path), err = helper.read(err_path) }
  os.remove(out_path)
  os.remove(err_path)
  if in_path then os.remove(in_path) end
  return got
end

-- The last line of a text, which is where --json puts its object.
function helper.last_line(text) return text:match "([^\n]*)\n?$" end

-- A JSON text as a Lua value: objects and arrays as tables, null as helper.null. Raises for what is no JSON.
helper.null = setmetatable({}, { __tostring = function() return "null" end })
function helper.json(text)
  local at = 1
  local function fail(what) error(("JSON, byte %d: %s in %q"):format(at, what, text), 0) end
  local function blank() at = text:find("[^ \t\r\n]", at) or #text + 1 end
  local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
  local function string_()
    local parts = {}
    at = at + 1
    while true do
      local plain, stop = text:match('^([^"\\%c]*)(["\\])', at)
      if not plain then fail "bad string" end
      parts[#parts + 1] = plain
      at = at + #plain + 1
      if stop == '"' then return table.concat(parts) end
      local c = text:sub(at, at)
      if c == "u" then
        parts[#parts + 1] = utf8.char(tonumber(text:sub(at + 1, at + 4), 16) or fail "bad \\u")
        at = at + 5
      else
        parts[#parts + 1] = escapes[c] or fail "bad escape"
        at = at + 1
      end
    end
  end
  local value
  local function members(close, each)
    at = at + 1
    blank()
    if text:sub(at, at) == close then at = at + 1 return end
    while true do
      each()
      blank()
      local c = text:sub(at, at)
      at = at + 1
      if c == close then return end
      if c ~= "," then fail "',' expected" end
      blank()
    end
  end
  function value()
    blank()
    local c = text:sub(at, at)
    if c == "{" then
      local object = {}
      members("}", function()
        if text:sub(at, at) ~= '"' then fail "key expected" end
        local key = string_()
        blank()
        if text:sub(at, at) ~= ":" then fail "':' expected" end
        at = at + 1
        object[key] = value()
      end)
      return object
    elseif c == "[" then
      local array = {}
      members("]", function() array[#array + 1] = value() end)
      return array
    elseif c == '"' then
      return string_()
    end
    for word, meaning in pairs { ["true"] = true, ["false"] = false, null = helper.null } do
      if text:sub(at, at + #word - 1) == word then at = at + #word return meaning end
    end
    local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
    if not number or not tonumber(number) then fail "value expected" end
    at = at + #number
    return tonumber(number)
  end
  local result = value()
  blank()
  if at <= #text then fail "bytes behind the value" end
  return result
end

return helper
