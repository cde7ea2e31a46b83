-- rnnlab.resume owns `rnnlab resume RUN`: a run that was stopped goes on from its last checkpoint, or from its
-- beginning where there is none; with epochs=N a finished one goes on past its end. What runs is the script as it was
-- copied into the run's folder.
local checkpoint = require "rnnlab.checkpoint"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local resume = {}

local function say(options, format, ...)
  if options.quiet then return end
  io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n")
end

-- A path of the record, from the folder the run was started in, as it opens from here.
local function from_here(record, path)
  if path:sub(1, 1) == "/" or not record.cwd or record.cwd == core.host.cwd() then return path end
  return record.cwd .. "/" .. path
end

-- How the files a run or sweep was started from compare with the copies it keeps: a list of "s.lua was edited since".
-- record: run.json or sweep.json; script: its path from here.
function resume.edits(record, script)
  local list, sha = {}, record.sha256 or {}
  local function compare(path, hash)
    local bytes = core.host.read_file(path)
    if not bytes then list[#list + 1] = path .. " is gone"
    elseif hash and core.host.sha256(bytes) ~= hash then list[#list + 1] = path .. " was edited since" end
  end
  compare(script, sha.script)
  for _, name in ipairs(text.sorted_keys(sha.modules or {})) do
    compare((script:match "^(.*/)[^/]*$" or "") .. name, sha.modules[name])
  end
  return list
end

-- What running a stored run again takes: script, overrides, copy, cwd, trust.
function resume.origin(found)
  local record = found.record
  if not record.overrides or not core.host.exists(found.dir .. "/script.lua") then
    errors.failure("%s cannot be run again: %s", found.name, record.overrides
      and "its copy of the script is gone" or "it is from a version of rnnlab that did not record how it was started")
  end
  local elsewhere = record.cwd and record.cwd ~= core.host.cwd()
  return { script = from_here(record, record.script), overrides = { table.unpack(record.overrides) },
    copy = found.dir, cwd = elsewhere and record.cwd or nil, trust = record.trust or false,
    edits = resume.edits(record, from_here(record, record.script)) }
end

-- ---- more epochs --------------------------------------------------------------------------------

-- N of epochs=N, all that may be said anew of a run; nil where nothing is.
local function epochs_asked(options, found)
  local epochs
  for _, pair in ipairs(params.split(options.overrides)) do
    if pair.key ~= "epochs" then
      errors.usage("%s=%s: resume takes epochs=N alone; with other parameters it is another run (rnnlab run)", pair.key,
        text.one_line(pair.word))
    end
    epochs = math.tointeger(tonumber(pair.word))
    if not epochs then errors.usage("epochs=%s: epochs must be a whole number", text.one_line(pair.word)) end
  end
  local record = found.record
  if epochs and not record.training then errors.failure("%s is a forward pass; it has no epochs", found.name) end
  if epochs and (record.params or {}).epochs == nil then
    errors.failure("%s has no parameter 'epochs': its script says epochs = %s", found.name,
      tostring(record.training.epochs))
  end
  return epochs
end

-- The command that trains it from its beginning with so many epochs.
local function anew(origin, epochs)
  local words = { "rnnlab run", origin.script }
  for _, override in ipairs(origin.overrides) do
    if not override:find "^epochs=" then words[#words + 1] = override end
  end
  words[#words + 1] = "epochs=" .. epochs
  return table.concat(words, " ")
end

-- Refuse more epochs where they would change nothing, or there is nothing to go on from.
local function check_more(found, epochs, origin)
  local record = found.record
  local done, planned = record.epochs or 0, record.training.epochs
  if epochs <= done then errors.usage("epochs=%d: %s has trained %d already", epochs, found.name, done) end
  if record.status ~= "finished" or core.host.exists(found.dir .. "/" .. checkpoint.file) then return end
  if done < planned then
    errors.failure("%s stopped by itself after epoch %d of %d; more epochs change nothing", found.name, done, planned)
  end
  errors.failure("%s has kept no checkpoint to go on from (%s); %s", found.name, record.sweep
    and "a trial of a sweep keeps none once it has ended"
    or "scripts with a main keep none at their end, nor where checkpoints are off", anew(origin, epochs))
end

-- In which ways going on to `epochs` is not what a run of so many gives.
local function apart(settings, found, epochs)
  local planned = found.record.training.epochs
  if not epochs or epochs == planned then return {} end
  local schedule, list = settings.schedule, {}
  local kind = type(schedule) == "table" and not schedule.epochs and schedule.kind
  if kind == "cosine" or kind == "onecycle" then
    list[1] = ("the schedule '%s' was spread over %d epochs and is spread over %d now"):format(kind, planned, epochs)
  end
  return list
end

-- Does the script compute with its number of epochs?
local function uses_epochs(ctx)
  local found = ctx.box.bytes:find "%.epochs%f[^%w_]"
  for _, module in ipairs(ctx.box.modules) do found = found or module.bytes:find "%.epochs%f[^%w_]" end
  return found ~= nil
end

-- What the weights were at the end that is an end no more.
local function keep_models(found)
  for _, name in ipairs { "model", "models" } do
    local bytes = core.host.read_file(("%s/%s.safetensors"):format(found.dir, name))
    if bytes then
      core.host.write_file(("%s/%s-%d.safetensors"):format(found.dir, name, found.record.epochs), bytes)
    end
  end
end

-- ---- going on -----------------------------------------------------------------------------------

-- Refuse what has nothing to go on with.
local function check_status(found, epochs)
  local status = found.record.status
  if status == "finished" and not epochs then
    errors.failure("%s is finished; there is nothing to go on with%s", found.name,
      core.host.exists(found.dir .. "/" .. checkpoint.file) and " (epochs=N trains on)" or "")
  elseif status == "diverged" then
    errors.failure("%s diverged; going on would diverge again", found.name)
  end
end

-- The head of the run's checkpoint, or nil.
local function read_head(dir)
  local path = dir .. "/" .. checkpoint.file
  if not core.host.exists(path) then return nil end
  return (checkpoint.read(path))
end

-- Say from where it goes on, and whether the bits can be those of an unbroken run.
local function announce(options, found, head, differences)
  if #differences > 0 then
    say(options, "not bitwise: %s", table.concat(differences, "; "))
  end
  if head then
    say(options, "%s goes on after epoch %d", found.name, head.loop.epoch)
  elseif found.record.training then
    say(options, "%s has no checkpoint; it starts again from the beginning", found.name)
  else
    say(options, "%s starts again", found.name)
  end
end

-- run.json's list of resumptions with one more. epochs: where there are to be more of them.
local function history(record, head, differences, epochs)
  local list = core.json.array {}
  for i, entry in ipairs(record.resumed or {}) do
    list[i] = entry
  end
  list[#list + 1] = { at = core.host.now_iso(), epoch = head and head.loop.epoch or 0,
    epochs = epochs, epochs_before = epochs and record.training.epochs or nil,
    differences = #differences > 0 and core.json.array(differences) or nil }
  return list
end

-- What run.json is to say of a run that goes on: how it is started again is with the new number of epochs.
local function changes(found, ctx, overrides, head, differences, epochs)
  local record = found.record
  local list = { resumed = history(record, head, differences, epochs) }
  if epochs then
    record.training.epochs = epochs
    list.overrides, list.params, list.training = core.json.array(overrides), ctx.shown, record.training
  end
  return list
end

-- `rnnlab resume RUN`. options: run, overrides (epochs=N), results, json, quiet, plot, preview, force,
-- checkpoint_every; silent: the script prints nothing. Returns the exit code.
function resume.resume(options)
  local found = core.store.open(options.results, options.run)
  local epochs = epochs_asked(options, found)
  check_status(found, epochs)
  local origin = resume.origin(found)
  if epochs then
    check_more(found, epochs, origin)
    for i = #origin.overrides, 1, -1 do
      if origin.overrides[i]:find "^epochs=" then table.remove(origin.overrides, i) end
    end
    table.insert(origin.overrides, "epochs=" .. epochs)
  end
  for _, edit in ipairs(origin.edits) do
    say(options, "%s; %s goes on with its own copy", edit, found.name)
  end
  local run = { results = options.results, json = options.json, quiet = options.quiet, plot = options.plot,
    preview = options.preview, silent = options.silent,
    checkpoint_every = options.checkpoint_every or found.record.checkpoint_every,
    script = origin.script, overrides = origin.overrides, copy = origin.copy, cwd = origin.cwd,
    trust = origin.trust }
  run.resume = { columns = {} }
  function run.resume.open(ctx, settings)
    local head = read_head(found.dir)
    local differences = head and checkpoint.differences(head.machine, checkpoint.machine()) or {}
    if head and epochs and head.loop.epoch > epochs then
      errors.usage("epochs=%d: %s has trained %d already", epochs, found.name, head.loop.epoch)
    end
    for _, difference in ipairs(head and apart(settings, found, epochs) or {}) do
      if not options.force then
        errors.failure("%s: going on is not what a run of epochs=%d gives: %s. That run: %s; to go on all the same: "
          .. "--force", found.name, epochs, difference, anew(origin, epochs))
      end
      differences[#differences + 1] = difference
    end
    if head and epochs and uses_epochs(ctx) then
      say(options, "the script uses epochs itself; where the training so far depends on it, this is not what a run of "
        .. "epochs=%d gives (rnnlab verify %s tells)", epochs, found.name)
    end
    local finished = found.record.status == "finished"
    local store, columns = core.store.reopen(found.dir, head and head.loop.written or 0,
      changes(found, ctx, run.overrides, head, differences, epochs), options.force, finished and epochs ~= nil)
    if finished then keep_models(found) end
    run.resume.head, run.resume.wall_s = head, head and head.wall_s
    announce(options, found, head, differences)
    return store, columns
  end
  return require("rnnlab.runner").run(run)
end

return resume
