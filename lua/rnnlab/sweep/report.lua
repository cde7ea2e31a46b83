-- rnnlab.sweep.report owns what is said about a sweep: while it runs (a line that changes on a terminal, plain lines
-- elsewhere, both on stderr), and as its ranking.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local report = {}

local Watch = {}
Watch.__index = Watch

local first_bar, every_bar, first_line, every_line = .3, .1, 3, 5

-- quiet: say nothing but failures.
function report.watch(ledger, quiet)
  local now = core.host.monotonic()
  local bar = core.host.isatty(2) and core.host.color(2)
  return setmetatable({ ledger = ledger, quiet = quiet, bar = bar, began = now,
    due = now + (quiet and math.huge or bar and first_bar or first_line), done_before = ledger.done,
    failures = 0 }, Watch)
end

-- Take the line away, before anything else is printed.
function Watch:clear()
  if self.shown then
    io.stderr:write "\r\27[K"
    io.stderr:flush()
    self.shown = false
  end
end

-- "lr=0.01 hidden=8", as they were set.
function report.params(plan, line_or_params)
  local words = {}
  for _, name in ipairs(plan.swept) do
    local value = line_or_params[name]
    if value ~= nil then words[#words + 1] = name .. "=" .. text.value(value) end
  end
  return table.concat(words, " ")
end

-- A line of its own. always: also where nothing but failures is said.
function Watch:say(line, always)
  if self.quiet and not always then return end
  self:clear()
  io.stderr:write("rnnlab: ", text.one_line(line), "\n")
end

-- The first failure is shown at once, later ones are counted.
function Watch:failed(line, scheduler)
  self.failures = self.failures + 1
  if self.failures > 1 then return end
  self:clear()
  io.stderr:write(("rnnlab: trial %d %s%s\n"):format(line.trial, line.status, line.error and ": " .. line.error or ""))
  if not self.quiet and not scheduler.plan.fail_fast and not line.reports then
    io.stderr:write "rnnlab: the others go on; more of this are counted\n"
  end
end

local function failed_of(counts)
  local n = 0
  for status, count in pairs(counts) do
    if status ~= "finished" and status ~= "pruned" then n = n + count end
  end
  return n
end
report.failed_of = failed_of

-- Say how it stands, where it is time to.
function Watch:progress(scheduler)
  local now = core.host.monotonic()
  if now < self.due then return end
  self.due = now + (self.bar and every_bar or every_line)
  local ledger, plan = self.ledger, scheduler.plan
  local words = { ("%s of %s trials"):format(text.thousands(ledger.done), text.thousands(plan.planned)),
    ("%d running"):format(scheduler.running) }
  local failed = failed_of(ledger.counts)
  if ledger.counts.pruned then words[#words + 1] = ("%d pruned"):format(ledger.counts.pruned) end
  if failed > 0 then words[#words + 1] = ("%d failed"):format(failed) end
  if ledger.best then
    words[#words + 1] = ("best %s %s"):format((ledger:objectives())[1].name, text.significant(ledger.best.value, 4))
  end
  local did = ledger.done - self.done_before
  if did > 0 then
    words[#words + 1] = text.left((now - self.began) / did * (plan.planned - ledger.done))
  end
  if self.bar then -- on a narrow terminal without what runs and was pruned
    local said = text.fitting(words, ledger.counts.pruned and { 2, 3 } or { 2 }, core.host.columns() - 1)
    io.stderr:write("\r", said, "\27[K")
    io.stderr:flush()
    self.shown = true
  else
    io.stderr:write(table.concat(words, "   "), "\n")
  end
end

-- ---- the ranking --------------------------------------------------------------------------------

-- The value of a configuration's objective k: mean, and where there are repeats the interval.
local function value_text(config, k, repeats)
  if repeats == 1 then return text.significant(config.values[k], 4) end
  local values = {}
  for r = 1, repeats do
    values[r] = core.json.number(config.trials[r].values[k])
  end
  local interval = core.sweep.interval(values)
  return ("%s ± %s"):format(text.significant(interval.mean, 4), text.significant(interval.sd or 0 / 0, 2)), interval
end

-- The best `most` configurations as lines.
function report.ranking(ledger, most)
  local plan, ranked = ledger.plan, ledger:ranked()
  local objectives, rows, align = ledger:objectives() or {}, {}, { "right", "right" }
  local head = { "", plan.repeats > 1 and "config" or "trial" }
  for _, objective in ipairs(objectives) do
    head[#head + 1] = objective.name
    align[#align + 1] = "right"
  end
  if plan.repeats > 1 and #objectives == 1 then
    head[#head + 1] = "95 % interval"
    align[#align + 1] = "left"
  end
  for _, name in ipairs(plan.swept) do
    head[#head + 1] = name
    align[#align + 1] = "right"
  end
  rows[1] = head
  for i = 1, math.min(most, #ranked) do
    local config = ranked[i]
    local row = { #objectives > 1 and (config.front and "front" or "") or tostring(i), tostring(config.number) }
    local interval
    for k in ipairs(objectives) do
      row[#row + 1], interval = value_text(config, k, plan.repeats)
    end
    if plan.repeats > 1 and #objectives == 1 then
      row[#row + 1] = interval and interval.low and ("%s to %s"):format(text.significant(interval.low, 4),
        text.significant(interval.high, 4)) or ""
    end
    local params = config.trials[1].params or {}
    for _, name in ipairs(plan.swept) do
      local value = params[name]
      row[#row + 1] = value == nil and "" or type(value) == "number" and math.type(value) == "float"
        and text.significant(value, 4) or text.value(value)
    end
    rows[#rows + 1] = row
  end
  return #ranked > 0 and text.table(rows, align) or {}
end

-- "197 finished, 2 diverged, 1 failed"
function report.counts(ledger)
  local words = {}
  for _, status in ipairs { "finished", "pruned", "diverged", "failed", "timeout", "oom", "killed" } do
    local n = ledger.counts[status]
    if n then words[#words + 1] = text.thousands(n) .. " " .. status end
  end
  return #words > 0 and table.concat(words, ", ") or "none has ended"
end

return report
