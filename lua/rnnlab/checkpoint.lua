-- rnnlab.checkpoint owns a run's checkpoint file: when it is written, what is in it besides the trainers' states, and
-- reading it back into a loop. A loop is what training.new or ensemble.new made; a loop that a checkpoint was loaded
-- into goes on to the bit.
--
--     checkpoint.save(loop, path)           now; between two steps
--     checkpoint.load(loop, path)           into a loop that has not trained yet
--     loop.keeper = checkpoint.keeper(path, { seconds = 30 })    the loop writes it by itself as it trains
--
-- The file is one safetensors file (core.checkpoint): the trainers' tensors, those in run.state, and plain data
-- (plain.lua): { format, machine, loop (what loop:snapshot() gives), random (the stream of math.random), trial (what
-- loop:of_trial() gives, where it is one of a sweep: see trial_checkpoint.lua) }.
local core = require "rnnlab.core"
local params = require "rnnlab.params"
local plain = require "rnnlab.plain"
local text = require "rnnlab.text"

local checkpoint = {}

local format = 1
checkpoint.file = "checkpoint.safetensors" -- its name in a run's folder

-- ---- when ---------------------------------------------------------------------------------------

local default_seconds = 30
local part_of_time = .01 -- by default it takes no more of the run's time than this

local function seconds_of(word)
  local number, unit = word:match "^([%d.]+)%s*(%a*)$"
  local factor = ({ [""] = 1, s = 1, m = 60, h = 3600, min = 60 })[unit or "?"]
  number = tonumber(number)
  return number and factor and number > 0 and number * factor or nil
end

-- "30s", "5m", "100 epochs", "off" as --checkpoint-every has it -> a policy, false (none) or nil (not understood).
local function policy_of_text(word)
  if word == "off" or word == "never" or word == "none" then return false end
  local epochs = word:match "^(%d+)%s*epochs?$"
  if epochs and tonumber(epochs) > 0 then return { epochs = math.tointeger(epochs) } end
  local seconds = seconds_of(word)
  return seconds and { seconds = seconds } or nil
end

-- What an experiment's `checkpoint` or the command line says, checked: { seconds = } or { epochs = }, false: none.
-- nil and true: { seconds = 30 }, less often where writing one takes long. what: its name in messages.
function checkpoint.policy(given, what)
  if given == nil or given == true then return { seconds = default_seconds, sparing = true } end
  if given == false then return false end
  if type(given) == "number" and given > 0 then return { seconds = given } end
  if type(given) == "string" then
    local policy = policy_of_text(given)
    if policy ~= nil then return policy end
  end
  if type(given) ~= "table" then
    error(('%s must be a time or a number of epochs, such as "30s" or "100 epochs", or "off"; not \'%s\''):format(what,
      text.one_line(tostring(given))), 0)
  end
  local policy = {}
  for _, key in ipairs(text.sorted_keys(given)) do
    if key == "epochs" then
      policy.epochs = params.integer(given.epochs, what .. ": epochs", 1)
    elseif key == "seconds" then
      policy.seconds = given.seconds
      if type(policy.seconds) ~= "number" or not (policy.seconds > 0) then
        error(("%s: seconds must be a number above 0, not %s"):format(what, tostring(policy.seconds)), 0)
      end
    else
      error(("%s has no '%s'%s (known: epochs, seconds)"):format(what, tostring(key),
        text.did_you_mean(tostring(key), { "epochs", "seconds" })), 0)
    end
  end
  if not next(policy) then error(what .. " needs seconds or epochs", 0) end
  return policy
end

-- ---- writing and reading ------------------------------------------------------------------------

-- What the bits depend on besides script and seed.
function checkpoint.machine()
  local host, kernels = core.host.info(), core.kernel_info()
  return { isa = kernels.isa, cpu = host.cpu, blas = kernels.blas.opened and kernels.blas.core or nil,
    rnnlab = core.version }
end

-- Write the loop's state. Raises where run.state holds what cannot be kept, or the file cannot be written; the file
-- that was there stays then. quick: not yet safe from a power cut. Returns its size in bytes.
function checkpoint.save(loop, path, quick)
  local tensors = {}
  local head = plain.encode({ format = format, machine = checkpoint.machine(), loop = loop:snapshot(),
    random = loop.ctx.box.stream, state = loop.handle and loop.handle.state, files = loop.ctx.box.files,
    trial = loop.of_trial and loop:of_trial(),
    wall_s = loop.began and core.host.monotonic() - loop.began }, tensors, "run")
  return core.checkpoint.write(path, loop:trainers(), tensors, head, quick)
end

-- What a checkpoint says about itself, without a loop: { machine =, loop =, ... } and the open file.
function checkpoint.read(path)
  local file = core.checkpoint.read(path)
  local passed, head = pcall(plain.decode, file:text(), file:tensors())
  if not passed or type(head) ~= "table" then error(path .. ": is no checkpoint of a run", 0) end
  if head.format ~= format then
    error(("%s: is of another version of rnnlab (format %s; this one reads %d)"):format(path, tostring(head.format),
      format), 0)
  end
  return head, file
end

-- The data a run was started with are the data it goes on with.
local function check_files(before, now)
  local hashes = {}
  for _, file in ipairs(before or {}) do
    hashes[file.path] = file.sha256
  end
  for _, file in ipairs(now) do
    if hashes[file.path] and hashes[file.path] ~= file.sha256 then
      error(("%s is not the file the run was started with (its SHA-256 differs); put that back to go on"):format(
        file.path), 0)
    end
  end
end

-- Read a checkpoint into a loop made with the same script, parameters and data. Returns its head. check(head): raises
-- where it is not one for this loop. What raises leaves the loop as it was.
function checkpoint.load(loop, path, check)
  local head, file = checkpoint.read(path)
  if check then check(head) end
  check_files(head.files, loop.ctx.box.files)
  for k, trainer in ipairs(loop:trainers()) do
    file:restore(trainer, k)
  end
  loop.ctx.box.stream = head.random
  loop:resume(head.loop, head.state)
  return head
end

-- In which ways this machine is not the one of the checkpoint: a list of "isa avx2, here avx512".
function checkpoint.differences(then_, now)
  local list = {}
  if then_.blas and not now.blas then now.blas = core.kernel_info(true).blas.core end
  for _, what in ipairs { "rnnlab", "isa", "cpu", "blas" } do
    if then_[what] and then_[what] ~= now[what] then
      list[#list + 1] = ("%s %s, here %s"):format(what == "blas" and "BLAS core" or what, then_[what],
        tostring(now[what] or "none"))
    end
  end
  return list
end

-- ---- keeping ------------------------------------------------------------------------------------

local Keeper = {}
Keeper.__index = Keeper

-- What a loop asks whether a checkpoint is due. warn: called with one line where none can be written. Whoever made it
-- may set before, called before anything is written (what it raises is why there is none), and after.
function checkpoint.keeper(path, policy, warn)
  return setmetatable({ path = path, policy = policy, warn = warn or function() end, epoch = 0,
    at = core.host.monotonic(), seconds = policy.seconds, count = 0, cost = 0 }, Keeper)
end

-- Is it time, after so many epochs?
function Keeper:due(epoch)
  if self.policy.epochs and epoch >= self.epoch + self.policy.epochs then return true end
  return self.seconds ~= nil and core.host.monotonic() - self.at >= self.seconds
end

-- The epoch to stop at for the next checkpoint, or the target where that comes first.
function Keeper:until_epoch(target)
  return self.policy.epochs and math.min(target, self.epoch + self.policy.epochs) or target
end

-- One was written, which took so long, after so many epochs.
function Keeper:rest(took, epoch)
  self.at, self.epoch, self.cost = core.host.monotonic(), epoch, self.cost + took
  if self.policy.sparing then self.seconds = math.max(default_seconds, took / part_of_time) end
end

-- The one of a run (keeps_last is set) that has trained all its epochs, for `rnnlab resume RUN epochs=MORE`, beside the
-- checkpoint there may be: put_last puts it in that one's place once the run is closed as finished. What becomes of it
-- costs the run nothing: no waiting for the disk, no words where it cannot be written.
function Keeper:write_last(loop)
  if not self.keeps_last or loop.trainer:epoch() == 0 then return end
  loop:write_rows(true)
  self.last = pcall(checkpoint.save, loop, self.path .. ".tmp-0", true)
end

-- wanted: false where the run ended otherwise. True where it was put there.
function Keeper:put_last(wanted)
  if self.last and not wanted then os.remove(self.path .. ".tmp-0") end
  return self.last and wanted and os.rename(self.path .. ".tmp-0", self.path)
end

-- Write one. True where it was; else the one before is still there, and why was told, once.
function Keeper:write(loop)
  local began = core.host.monotonic()
  local passed, problem = pcall(function()
    if self.before then self.before() end
    loop:write_rows(true)
    if loop.run.sync then loop.run:sync() end -- the rows it counts on
    return checkpoint.save(loop, self.path)
  end)
  self.at, self.epoch = core.host.monotonic(), loop.trainer:epoch()
  if not passed then
    problem = type(problem) == "table" and problem.message or tostring(problem)
    if problem ~= self.told then
      self.told = problem
      self.warn(("no checkpoint%s: %s"):format(self.count > 0 and " (the one before is kept)" or "", problem))
    end
    return false
  end
  self.count, self.told = self.count + 1, nil
  self:rest(self.at - began, self.epoch)
  if self.after then self.after() end
  return true
end

return checkpoint
