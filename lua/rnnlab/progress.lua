-- rnnlab.progress owns what is said while a run trains: a bar on a terminal, a line every few seconds
-- elsewhere, nothing with --quiet. All of it goes to stderr.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local progress = {}

local Progress = {}
Progress.__index = Progress

-- Waiting times in seconds: a short run shows nothing that would only flicker.
local first_bar, every_bar = .3, .1
local first_line, every_line = 3, 5

-- total: epochs to do. quiet: say nothing.
function progress.new(total, quiet)
  local now = core.host.monotonic()
  local bar = core.host.isatty(2) and core.host.color(2)
  return setmetatable({ total = total, quiet = quiet, bar = bar, began = now,
    due = now + (bar and first_bar or first_line) }, Progress)
end

local function bar_of(fraction, width)
  local full = math.floor(fraction * width + .5)
  return ("━"):rep(full) .. "\27[2m" .. ("─"):rep(width - full) .. "\27[22m"
end

-- epoch: done so far; loss: the last one; seconds: spent training.
function Progress:update(epoch, loss, seconds)
  if self.quiet then return end
  local now = core.host.monotonic()
  if now < self.due then return end
  self.due = now + (self.bar and every_bar or every_line)
  local fraction = self.total > 0 and epoch / self.total or 1
  local rate = seconds > 0 and epoch / seconds or 0
  local wall = now - self.began
  local words = {
    ("%3d %%"):format(math.floor(fraction * 100)),
    ("epoch %s/%s"):format(text.thousands(epoch), text.thousands(self.total)),
    "loss " .. text.significant(loss, 4),
    ("%s epochs/s"):format(rate < 1000 and text.significant(rate, 3) or text.thousands(rate // 100 * 100 | 0)),
  }
  if epoch > 0 then
    words[#words + 1] = text.duration(wall / epoch * (self.total - epoch)) .. " left"
  end
  local said = table.concat(words, "   ")
  if self.bar then
    local room = core.host.columns() - text.width(said) - 4
    local line = room >= 8 and bar_of(fraction, math.min(room, 30)) .. " " .. said or said
    io.stderr:write("\r", line, "\27[K")
    io.stderr:flush()
    self.shown = true
  else
    io.stderr:write(said, "\n")
  end
end

-- Take the bar away, before anything else is printed.
function Progress:clear()
  if self.shown then
    io.stderr:write("\r\27[K")
    io.stderr:flush()
    self.shown = false
  end
end

return progress
