-- rnnlab.sweep.launcher_local owns the starting of workers on this machine. A launcher is an object with
--
--     start(processes, slot) -> id      start the worker of a slot, as a child that is fed over pipes
--
-- and what it starts is `rnnlab worker DIR SLOT ...`; the scheduler does not care how.
local core = require "rnnlab.core"

local launcher = {}

local Local = {}
Local.__index = Local

-- The launcher of the sweep in a folder.
function launcher.new(dir, plan)
  local words = { core.sweep.program(), "worker", dir, "0", "--parent", tostring(core.host.info().pid) }
  if plan.trial_memory then
    words[#words + 1] = "--memory"
    words[#words + 1] = ("%d"):format(plan.trial_memory)
  end
  return setmetatable({ words = words }, Local)
end

-- See above.
function Local:start(processes, slot)
  self.words[4] = tostring(slot)
  return processes:start(self.words, "worker")
end

return launcher
