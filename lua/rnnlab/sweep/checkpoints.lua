-- rnnlab.sweep.checkpoints owns results/SWEEP/checkpoints/ as a scheduler sees it: which trials have something to go on
-- from, who may still write, and what is taken away. What is in the files is trial_checkpoint.lua's.
--
--     trial-N-W.safetensors    of trial N, written by the worker whose journal is journal-W.jsonl, and by no other
--
-- W is never used twice on a cluster: a slot that is started again has a new seat, and so new numbers. A slot's claim
-- of a block is over once there is one of the next generation, its seat once the next one is taken: these are the
-- fences behind which its workers write no more, should they live after all.
local core = require "rnnlab.core"

local checkpoints = {}

local function folder_of(dir) return dir .. "/checkpoints" end

-- What there is: { trial = { names } }, and names of files that a kill left half-written.
function checkpoints.list(dir)
  local list, torn = {}, {}
  for _, name in ipairs(core.host.list_folder(folder_of(dir))) do
    local number, rest = name:match "^trial%-(%d+)%-%d+%.safetensors(.*)$"
    number = math.tointeger(tonumber(number))
    if number and rest == "" then
      list[number] = list[number] or core.json.array {}
      table.insert(list[number], name)
    elseif number and rest:find "^%.tmp%-" then
      torn[#torn + 1] = name
    end
  end
  return list, torn
end

-- Take away those of a trial that has ended.
function checkpoints.remove(dir, names)
  for _, name in ipairs(names or {}) do os.remove(folder_of(dir) .. "/" .. name) end
end

-- Has a trial ended for good? Repeats that are pruned as one are run as one, until the last has ended.
local function is_over(ledger, number)
  if not ledger.trials[number] then return false end
  return ledger.plan.pruner == "none" or ledger.configs[ledger.trials[number].config].left == 0
end

-- What there is for trials that have not ended. What others have is taken away, and, where nobody else can be writing
-- (alone), what is half-written.
function checkpoints.tidy(dir, ledger, alone)
  local list, torn = checkpoints.list(dir)
  for number, names in pairs(list) do
    if is_over(ledger, number) then
      checkpoints.remove(dir, names)
      list[number] = nil
    end
  end
  if alone then checkpoints.remove(dir, torn) end
  return list
end

-- The sweep has ended: nothing goes on any more.
function checkpoints.clear(dir)
  if core.host.is_folder(folder_of(dir)) then pcall(core.host.remove_folder, folder_of(dir)) end
end

-- Where a worker keeps its trials. every: as --checkpoint-every has it, nil: as the script says. slot, seat: of a
-- cluster, else nil.
function checkpoints.place(dir, writer, every, slot, seat)
  return { folder = folder_of(dir), writer = writer, every = every,
    fence = slot and core.json.array { ("%s/seats/%d.%d"):format(dir, slot, seat + 1) } or nil }
end

-- What says that a block is another slot's now.
function checkpoints.fence(dir, block, generation)
  return core.json.array { ("%s/claims/%d.%d"):format(dir, block, generation + 1) }
end

return checkpoints
