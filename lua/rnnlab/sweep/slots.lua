-- rnnlab.sweep.slots owns what makes a scheduler a slot of a cluster, beside others that share the sweep's folder: its
-- seat, its claims, and taking over what others left. They are methods of the scheduler (scheduler.lua).
--
-- A slot claims blocks of configurations (claims.h). The journals of slot s are s * 1000 and the numbers after it. A
-- slot that is started again goes on with its own claims and, since the one before may still be on its way out
-- somewhere, with journals of a new seat: (10^6 seat + s) * 1000. What was claimed by a slot that will not come again
-- is claimed anew, in the next generation, by one that has nothing else to do.
local checkpoints = require "rnnlab.sweep.checkpoints"
local core = require "rnnlab.core"

local slots = {}

local apart = 1000    -- numbers of journals from one slot to the next
local adopt_apart = 3 -- seconds between two looks for slots that are gone
slots.most = 999999

local Slot = {}
slots.Slot = Slot

-- The block of configurations that a number belongs to; blocks are what is claimed.
function Slot:block(number)
  return (number - 1) // (self.plan.block or 1) + 1
end

-- Where claims are.
function Slot:claims() return self.dir .. "/claims" end

-- A seat nobody of this slot had before; returns the number of its journal.
function Slot:sit_down()
  self.seat = 0
  while not core.sweep.claim(self.dir .. "/seats", self.slot, self.slot, self.seat) do
    self.seat = self.seat + 1
  end
  return (self.seat * (slots.most + 1) + self.slot) * apart
end

-- The numbers of a block's configurations: the first and the last.
function Slot:span(block)
  local size = self.plan.block or 1
  return (block - 1) * size + 1, math.min(block * size, self.plan.trials)
end

-- What this slot claimed when it ran before.
function Slot:find_own()
  self.own, self.unproposed = {}, {}
  local owners, generations = core.sweep.claims(self:claims())
  for block, slot in pairs(owners) do
    if slot == self.slot then self.own[block], self.generations[block] = true, generations[block] end
  end
  for number = 1, self.plan.trials do
    if self.own[self:block(number)] and not self.ledger.configs[number] then
      self.unproposed[#self.unproposed + 1] = number
    end
  end
end

-- Claim the next block that nobody has; its configurations are this slot's to propose. False where none is left.
function Slot:claim()
  local last = self:block(self.plan.trials)
  self.block_at = self.block_at or 1
  while self.block_at <= last do
    local block = self.block_at
    self.block_at = block + 1
    local first, final = self:span(block)
    if not self.ledger.configs[first] and core.sweep.claim(self:claims(), block, self.slot) then
      self.own[block] = true
      for number = first, final do
        self.unproposed[#self.unproposed + 1] = number
      end
      return true
    end
  end
  return false
end

-- Has all of a block ended?
function Slot:is_over(block)
  local first, final = self:span(block)
  for number = first, final do
    local config = self.ledger.configs[number]
    if not config or config.left > 0 then return false end
  end
  return true
end

-- Claim what slots have left behind that will not come again, and what nobody claimed (it was proposed by a coordinator
-- that is gone). It is looked for now and then.
function Slot:adopt()
  local now = core.host.monotonic()
  if not self.gone or self.adopted_at and now - self.adopted_at < adopt_apart then return end
  self.adopted_at = now
  self.ledger:read(self.dir)
  local owners, generations = core.sweep.claims(self:claims())
  local gone, adopted = {}, false
  for block = 1, self:block(self.plan.trials) do
    local owner = owners[block]
    if owner ~= self.slot and not self.own[block] and not self:is_over(block) then
      if owner and gone[owner] == nil then gone[owner] = self.gone(owner, self.ledger.slots[owner]) end
      local generation = owner and generations[block] + 1 or 0
      if (not owner or gone[owner]) and core.sweep.claim(self:claims(), block, self.slot, generation) then
        self.own[block], self.generations[block], adopted = true, generation, true
        self:take_in(block)
      end
    end
  end
  if adopted then self.from = checkpoints.tidy(self.dir, self.ledger) end
  table.sort(self.unproposed)
end

-- Queue what a block of somebody else's lacks.
function Slot:take_in(block)
  local first, final = self:span(block)
  for number = first, final do
    local config = self.ledger.configs[number]
    if not config then self.unproposed[#self.unproposed + 1] = number end
    local lacking = {}
    for r = 1, config and self.plan.repeats or 0 do
      if not config.trials[r] then lacking[#lacking + 1] = { config = number, repeat_ = r } end
    end
    if self.pruning and #lacking > 0 then -- see begin_again
      lacking = {}
      self:queue_all(lacking, number)
    end
    for _, item in ipairs(lacking) do
      self.tail = self.tail + 1
      self.queue[self.tail] = item
    end
  end
end

return slots
