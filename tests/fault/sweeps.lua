-- sweeps.lua: what the specs here ask of a sweep's folder and of its processes.
local cli = require "helper"

local sweeps = {}

-- Results of a sweep's journals: { trial = line }, and how many lines there are for each.
function sweeps.results(dir)
  local found, times = {}, {}
  local list = cli.shell("ls " .. cli.quote(dir) .. "/journal-*.jsonl 2>/dev/null")
  for path in list:gmatch "[^\n]+" do
    for line in (cli.read(path) or ""):gmatch "([^\n]*)\n" do
      local object = cli.json(line) -- a whole line is whole JSON
      if object.event == "result" then
        found[object.trial] = object
        times[object.trial] = (times[object.trial] or 0) + 1
      end
    end
  end
  return found, times
end

-- What must be the same of a trial however often it was cut.
function sweeps.value_of(line)
  return ("%d %s %d %.17g"):format(line.trial, line.status, line.epochs, line.values[1])
end

-- Start a command in the background; its process. A shell waits for it, so that it is no zombie when it has ended.
function sweeps.start(words, env)
  local settings = {}
  for name, value in pairs(env or {}) do settings[#settings + 1] = cli.quote(name .. "=" .. value) end
  local pid = cli.shell(("cd %s && rm -f pid && { (env %s %s %s >/dev/null 2>&1 & echo $! >pid; wait $!; echo $? "
    .. ">ended-$(cat pid)) >/dev/null 2>&1 & } && while ! [ -s pid ]; do sleep .001; done && cat pid"):format(
    cli.quote(cli.dir), table.concat(settings, " "), cli.quote(cli.program), words))
  return assert(tonumber(pid))
end

-- Wait until what start started has ended; its exit code.
function sweeps.wait_for(pid)
  return tonumber((cli.shell(("cd %s && while ! [ -s ended-%d ]; do sleep .01; done; cat ended-%d"):format(
    cli.quote(cli.dir), pid, pid))))
end

-- Does a process run? One that has ended and that nobody waited for does not.
function sweeps.runs(pid)
  local state = (cli.read(("/proc/%d/stat"):format(pid)) or ""):match "%) (%a)"
  return state ~= nil and state ~= "Z" and state ~= "X"
end

-- Processes that have the fresh folder's sweep on their command line.
function sweeps.workers()
  local list = cli.shell((("exec 2>/dev/null; for p in /proc/[0-9]*; do "
    .. "tr '\\0' ' ' <$p/cmdline | grep -q ' worker results/' && [ \"$(readlink $p/cwd)\" = %s ] && echo ${p#/proc/}; "
    .. "done; true"):format(cli.quote(cli.dir))))
  local pids = {}
  for pid in list:gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
  return pids
end

function sweeps.all_gone()
  for _ = 1, 3000 do
    if #sweeps.workers() == 0 then return true end
    cli.shell "sleep .01"
  end
  return false
end

return sweeps
