-- file_rules.lua ROOT: what every source file keeps to: at most 650 lines of at most 120 characters, an
-- opening comment that says what the file owns, no tabs or trailing blanks, a newline at the end, no
-- markers of unfinished work and no paths of somebody's machine. Prints each breach, exits 1 if any.

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local tree = require "tree"

local root = assert(arg[1], "usage: file_rules.lua ROOT")
local most_lines, widest = 650, 120

-- Spelled so that this file does not breach its own rule.
local markers = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X" }
local private = { "/ho" .. "me/", "/wo" .. "rk/", "/Us" .. "ers/" }

local opening = {
  c = "^/[*/]", h = "^/[*/]", inc = "^/[*/]", lua = "^%-%-", sh = "^#", cmake = "^#",
}

local breaches, looked_at = 0, 0
local function breach(file, line, ...)
  breaches = breaches + 1
  io.stderr:write(("%s:%d: "):format(file, line), string.format(...), "\n")
end

local function check(file)
  looked_at = looked_at + 1
  local text, count = tree.read(root .. "/" .. file), 0
  local ending = file:match("%.(%w+)$") or "sh"
  if opening[ending] and not text:gsub("^#![^\n]*\n", ""):find(opening[ending]) then
    breach(file, 1, "opens without a comment that says what the file owns")
  end
  if text ~= "" and text:sub(-1) ~= "\n" then
    breach(file, 1, "does not end with a newline")
  end
  for number, line in tree.lines(text) do
    count = number
    if (utf8.len(line) or #line) > widest then
      breach(file, number, "%d characters; at most %d", utf8.len(line) or #line, widest)
    end
    if line:find("\t", 1, true) then
      breach(file, number, "has a tab")
    end
    if line:find("%s$") then
      breach(file, number, "ends in blanks")
    end
    for _, marker in ipairs(markers) do
      if line:find("%f[%w]" .. marker .. "%f[^%w]") then
        breach(file, number, "has the marker %s", marker)
      end
    end
    for _, path in ipairs(private) do
      if line:find(path, 1, true) then
        breach(file, number, "names a folder of one machine (%s)", path)
      end
    end
  end
  if count > most_lines then
    breach(file, count, "%d lines; at most %d: split it by what its parts own", count, most_lines)
  end
end

for _, folder in ipairs({ "src", "lua", "scripts", "tests", "cmake" }) do
  for _, path in ipairs(tree.files(root, folder, { "c", "h", "inc", "lua", "sh", "txt", "cmake" })) do
    check(folder .. "/" .. path)
  end
end
for _, file in ipairs({ "bootstrap", "CMakeLists.txt", ".ci/run" }) do
  if tree.exists(root .. "/" .. file) then
    check(file)
  end
end

if looked_at == 0 then
  breach(root, 0, "holds no source files: nothing was checked")
end
if breaches > 0 then
  io.stderr:write(("file_rules: %d found in %d files\n"):format(breaches, looked_at))
  os.exit(1)
end
print(("file_rules: %d files in order"):format(looked_at))
