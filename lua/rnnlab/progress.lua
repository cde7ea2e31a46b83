-- rnnlab.progress owns what is said while a run trains: a bar on a terminal, a line every few seconds
-- elsewhere, nothing with --quiet; with --live the learning curve above the bar, on a terminal. All of it goes to
-- stderr.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local progress = {}

local Progress = {}
Progress.__index = Progress

-- Waiting times in seconds: a short run shows nothing that would only flicker.
local first_bar, every_bar = .3, .1
local first_line, every_line = 3, 5

local HEIGHT, MOST = 13, 2000 -- lines of the curve; points that are kept for it

-- total: epochs to do. quiet: say nothing. live: draw the curve.
function progress.new(total, quiet, live)
  local now = core.host.monotonic()
  local bar = core.host.isatty(2) and core.host.color(2)
  return setmetatable({ total = total, quiet = quiet, bar = bar, began = now,
    live = live and bar and { epochs = {}, losses = {}, every = 1, seen = 0 } or nil,
    due = now + (live and bar and 0 or bar and first_bar or first_line) }, Progress)
end

local function bar_of(fraction, width)
  local full = math.floor(fraction * width + .5)
  return ("━"):rep(full) .. "\27[2m" .. ("─"):rep(width - full) .. "\27[22m"
end

-- Keep a point of the curve: all, then every second, every fourth, as they grow many.
local function note(live, epoch, loss)
  live.seen = live.seen + 1
  if live.seen % live.every ~= 0 then return end
  local n = #live.epochs + 1
  live.epochs[n], live.losses[n] = epoch, loss
  if n < MOST then return end
  for i = 1, n // 2 do
    live.epochs[i], live.losses[i] = live.epochs[2 * i], live.losses[2 * i]
  end
  for i = n // 2 + 1, n do
    live.epochs[i], live.losses[i] = nil, nil
  end
  live.every = live.every * 2
end

-- The curve, with the cursor left on the line behind it. It is drawn over the one before.
function Progress:draw_live()
  local live = self.live
  local chart = core.plot.preview { title = "loss", xlabel = "epoch", log_y = true, color = true, height = HEIGHT,
    width = math.max(24, math.min(core.host.columns() - 1, 100)),
    series = { { role = "predicted", x = live.epochs, y = live.losses } } }
  if live.lines then io.stderr:write(("\r\27[%dA"):format(live.lines)) end
  io.stderr:write((chart:gsub("\n", "\27[K\n")))
  live.lines = select(2, chart:gsub("\n", ""))
end

-- epoch: done so far; loss: the last one; seconds: spent training.
function Progress:update(epoch, loss, seconds)
  if self.quiet then return end
  if self.live then note(self.live, epoch, loss) end
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
    words[#words + 1] = text.left(wall / epoch * (self.total - epoch))
  end
  if self.bar then
    if self.live then self:draw_live() end
    local said = text.fitting(words, { 4, 2 }, core.host.columns() - 1)
    local room = core.host.columns() - text.width(said) - 4
    local line = room >= 8 and bar_of(fraction, math.min(room, 30)) .. " " .. said or said
    io.stderr:write("\r", line, "\27[K")
    io.stderr:flush()
    self.shown = true
  else
    io.stderr:write(table.concat(words, "   "), "\n")
  end
end

-- Take the bar away, before anything else is printed.
function Progress:clear()
  if self.shown then
    local up = self.live and self.live.lines
    io.stderr:write(up and ("\r\27[%dA\27[J"):format(up) or "\r\27[K")
    if up then self.live.lines = nil end
    io.stderr:flush()
    self.shown = false
  end
end

return progress
