-- kills.lua: how many kills there were, and where each came. A kill came inside a write where the process, or one that
-- went with it, was inside a call that writes, syncs, cuts or renames a file of the results folder (instant.c tells),
-- or between the first and the last of the calls that replace a file (its temporary one is left), or where a journal's
-- last line is torn.
--
--   RNNLAB_FAULT_KILLS   how many in all (20)      RNNLAB_FAULT_SEED   other instants (1)
--   RNNLAB_FAULT_LOG     a file that gets a line for each
local cli = require "helper"

local kills = { wanted = tonumber(os.getenv "RNNLAB_FAULT_KILLS" or "20"), kinds = {}, all = 0, inside = 0 }

local draw = math.tointeger(tonumber(os.getenv "RNNLAB_FAULT_SEED" or "1"))

-- Fractions in [0, 1).
function kills.random()
  draw = draw * 6364136223846793005 + 1442695040888963407 -- modulo 2^64
  return (draw >> 11) * 2.0 ^ -53
end

-- A sanitizer must be the first library; then what is left behind in the folders is all that is known.
local plain = (os.getenv "RNNLAB_TEST_PRELOAD" or "") == ""

-- The library of a name, or nil.
function kills.library(name)
  local path = ("%s/tests/fault/librnl_%s.so"):format(os.getenv "RNNLAB_BUILD", name)
  assert(cli.exists(path), path)
  return plain and path or nil
end

-- The environment of processes that are going to be killed.
function kills.environment()
  if not plain then return {} end
  cli.shell(("mkdir -p %s/instants"):format(cli.quote(cli.dir)))
  return { LD_PRELOAD = kills.library "instant", RNNLAB_INSTANT = cli.dir .. "/instants" }
end

-- Where processes were that have ended since the last time: a list of "fsync metrics.csv".
local function instants()
  local list = {}
  for pid in cli.shell(("ls %s/instants 2>/dev/null"):format(cli.quote(cli.dir))):gmatch "%d+" do
    if not cli.exists(("/proc/%s/stat"):format(pid)) then
      local path = ("%s/instants/%s"):format(cli.dir, pid)
      local call, file = (cli.read(path) or ""):match "^(%l+) ([^%z]+)"
      file = file and file:gsub("^.*/results/", ""):gsub("%.tmp%-[%d-]+", "")
      if call then list[#list + 1] = call .. " " .. file end
      os.remove(path)
    end
  end
  return list
end

local seen = {} -- what an earlier kill left and nobody has cleared away

-- What replaced files have left half-written in a folder of a run or sweep.
local function temporaries(dir)
  local list = {}
  for name in cli.shell(("cd %s 2>/dev/null && find . -name '*.tmp-*'"):format(cli.quote(dir))):gmatch "[^\n]+" do
    if not seen[dir .. name] then list[#list + 1] = "replacing " .. name:gsub("^%./", ""):gsub("%.tmp%-.*", "") end
    seen[dir .. name] = true
  end
  return list
end

-- Journals of a sweep's folder that end in the middle of a line, and did not when they were looked at last.
function kills.torn(dir)
  local list = {}
  for path in cli.shell("ls " .. cli.quote(dir) .. "/journal-*.jsonl 2>/dev/null"):gmatch "[^\n]+" do
    local text = cli.read(path) or ""
    if text ~= "" and text:sub(-1) ~= "\n" and seen[path] ~= #text then
      list[#list + 1], seen[path] = "torn " .. path:match "[^/]*$", #text
    end
  end
  return list
end

function kills.log(format, ...)
  local path = os.getenv "RNNLAB_FAULT_LOG"
  if not path then return end
  local file = assert(io.open(path, "a"))
  file:write(format:format(...), "\n")
  file:close()
end

-- A kill of this kind came: `what` for the log, dir the folder it came to. True where it came inside a write.
function kills.add(kind, what, dir)
  local found = instants()
  for _, list in ipairs { temporaries(dir), kills.torn(dir) } do table.move(list, 1, #list, #found + 1, found) end
  local of = kills.kinds[kind] or { all = 0, inside = 0 }
  kills.kinds[kind] = of
  local inside = #found > 0 and 1 or 0
  of.all, of.inside, kills.all, kills.inside = of.all + 1, of.inside + inside, kills.all + 1, kills.inside + inside
  kills.log("%4d  %s: kill -9 of %s%s", kills.all, kind, what,
    #found > 0 and ", inside a write: " .. table.concat(found, ", ") or "")
  return #found > 0
end

-- "12 kills of runs, 5 inside a write; ... 24 in all, 9 inside a write"
function kills.summary()
  local parts, kinds = {}, {}
  for kind in pairs(kills.kinds) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for i, kind in ipairs(kinds) do
    parts[i] = ("%s: %d kills, %d inside a write"):format(kind, kills.kinds[kind].all, kills.kinds[kind].inside)
  end
  return ("%s; in all: %d kills, %d inside a write"):format(table.concat(parts, "; "), kills.all, kills.inside)
end

return kills
