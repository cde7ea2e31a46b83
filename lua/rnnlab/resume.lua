-- rnnlab.resume owns `rnnlab resume RUN`: a run that was stopped goes on from its last checkpoint, or from its
-- beginning where there is none. What runs is the script as it was copied into the run's folder.
local checkpoint = require "rnnlab.checkpoint"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
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

-- How the files a run was started from compare with the copies it keeps: a list of "s.lua was edited since".
local function edits(record, script)
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
    edits = edits(record, from_here(record, record.script)) }
end

-- Refuse what has nothing to go on with.
local function check_status(found)
  local status = found.record.status
  if status == "finished" then
    errors.failure("%s is finished; there is nothing to go on with", found.name)
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

-- run.json's list of resumptions with one more.
local function history(record, head, differences)
  local list = core.json.array {}
  for i, entry in ipairs(record.resumed or {}) do
    list[i] = entry
  end
  list[#list + 1] = { at = core.host.now_iso(), epoch = head and head.loop.epoch or 0,
    differences = #differences > 0 and core.json.array(differences) or nil }
  return list
end

-- `rnnlab resume RUN`. options: run, results, json, quiet, plot, preview, force, checkpoint_every; silent: the script
-- prints nothing. Returns the exit code.
function resume.resume(options)
  local found = core.store.open(options.results, options.run)
  check_status(found)
  local origin = resume.origin(found)
  for _, edit in ipairs(origin.edits) do
    say(options, "%s; %s goes on with its own copy", edit, found.name)
  end
  local run = { results = options.results, json = options.json, quiet = options.quiet, plot = options.plot,
    preview = options.preview, silent = options.silent,
    checkpoint_every = options.checkpoint_every or found.record.checkpoint_every,
    script = origin.script, overrides = origin.overrides, copy = origin.copy, cwd = origin.cwd,
    trust = origin.trust }
  run.resume = { columns = {} }
  function run.resume.open()
    local head = read_head(found.dir)
    local differences = head and checkpoint.differences(head.machine, checkpoint.machine()) or {}
    local store, columns = core.store.reopen(found.dir, head and head.loop.written or 0,
      { resumed = history(found.record, head, differences) }, options.force)
    run.resume.head, run.resume.wall_s = head, head and head.wall_s
    announce(options, found, head, differences)
    return store, columns
  end
  return require("rnnlab.runner").run(run)
end

return resume
