-- rnnlab.sweep.plan owns what a sweep is before it begins: which parameters it varies and how, from the command line
-- and the script's `sweep = {...}`, checked and with every default filled in. A plan is plain data, and is kept as
-- results/SWEEP/sweep.json.
local alone = require "rnnlab.alone"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local params = require "rnnlab.params"
local prepare = require "rnnlab.prepare"
local text = require "rnnlab.text"

local plan = {}

plan.samplers = { "grid", "random", "sobol", "tpe" }
plan.pruners = { "none", "median", "asha", "hyperband" }
plan.default_trials = 100
plan.wave = 8           -- configurations of a wave with --deterministic
plan.most_trials = 10000000

-- ---- the space ----------------------------------------------------------------------------------

-- Is the word behind `key=` a space, not one value?
local function is_space(word)
  return word:find(",", 1, true) or word:find("..", 1, true) or word:find "^log:" or word:find "^lin:"
end

-- A declared parameter as core.sweep.study takes it.
local function dimension(declared, name, space)
  local kind = declared.types[name]
  if name == "dtype" then
    return { name = name, kind = "choice", choices = { "float32", "float64" }, space = space }
  end
  local d = { name = name, kind = kind.kind, low = kind.low, high = kind.high, space = space,
    log = kind.scale == "log" or nil, choices = kind.names }
  if kind.kind == "bool" then d.choices = { "false", "true" } end
  return d
end

local function check_name(ctx, name, what)
  local declared = ctx.experiment.declared
  if declared.types[name] or name == "dtype" then return end
  if name == "seed" then
    errors.usage("%s: seeds are not swept; --repeats 5 trains every configuration with five", what)
  end
  local known = table.move(declared.names, 1, #declared.names, 1, {})
  for _, reserved in ipairs(params.reserved_names) do
    if reserved == name then errors.usage("%s: '%s' cannot be swept", what, name) end
  end
  errors.usage("%s: no parameter '%s'%s (known: %s)", what, text.one_line(tostring(name)),
    text.did_you_mean(tostring(name), known), table.concat(known, ", "))
end

-- A value of the script's sweep table as SPACE text: a text, a list of values.
local function space_text(name, value)
  if type(value) == "string" then return value end
  if type(value) == "table" and #value > 0 then
    local words = {}
    for i, item in ipairs(value) do
      words[i] = text.value(item)
    end
    return table.concat(words, ",")
  end
  errors.failure('sweep: %s is a %s; give a space as text, such as "4,8,16" or "log:1e-4..1e-1", or a list of values',
    name, type(value))
end

local option_keys = { trials = "number", repeats = "number", objective = "any", sampler = "string", pruner = "any",
  when = "table", timeout = "number", trial_timeout = "number", keep = "string", stop_after = "number" }

-- The script's `sweep` table: its dimensions { {name, space} }, its options, its conditions.
local function of_script(ctx)
  local given = ctx.experiment.sweep or {}
  local list, options = {}, {}
  for i, name in ipairs(given) do
    if type(name) ~= "string" then errors.failure("sweep: entry %d is a %s, not a parameter's name", i, type(name)) end
    check_name(ctx, name, "sweep")
    list[#list + 1] = { name = name }
  end
  for _, key in ipairs(text.sorted_keys(given)) do
    if type(key) == "string" then
      local kind = option_keys[key]
      if kind and not ctx.experiment.declared.types[key] then
        if kind ~= "any" and type(given[key]) ~= kind then
          errors.failure("sweep: %s must be a %s, not a %s", key, kind, type(given[key]))
        end
        options[key] = given[key]
      elseif ctx.experiment.declared.types[key] or key == "dtype" then
        list[#list + 1] = { name = key, space = space_text(key, given[key]) }
      else
        local known = table.move(ctx.experiment.declared.names, 1, #ctx.experiment.declared.names, 1, {})
        for name in pairs(option_keys) do known[#known + 1] = name end
        errors.failure("sweep has no '%s'%s", key, text.did_you_mean(key, known))
      end
    end
  end
  return list, options
end

-- Conditions: what the script's parameters declare with :when, and sweep.when, { hidden2 = { layers = 2 } } -> name ->
-- { parent =, values = texts }.
local function conditions(ctx, when)
  local all, declared = {}, ctx.experiment.declared
  for name, condition in pairs(declared.when) do all[name] = condition end
  for _, name in ipairs(text.sorted_keys(when or {})) do
    check_name(ctx, name, "sweep.when")
    if all[name] then errors.failure("sweep.when: %s has its condition in params already", name) end
    all[name] = params.condition(declared, name, when[name], "sweep.when")
  end
  return all
end

-- A condition on a parameter that is not swept holds, and is none, or there is nothing to sweep.
local function settle_fixed(ctx, list, when)
  local there = {}
  for _, item in ipairs(list) do there[item.name] = true end
  for _, item in ipairs(list) do
    local on = when[item.name]
    if on and not there[on.parent] then
      local value, holds = text.value(ctx.shown[on.parent]), false
      for _, opening in ipairs(on.values) do holds = holds or opening == value end
      if not holds then
        errors.usage("%s is swept only where %s is %s, and %s=%s is fixed: sweep %s too, or fix %s", item.name,
          on.parent, text.list(on.values, "or"), on.parent, value, on.parent, item.name)
      end
      when[item.name] = nil
    end
  end
end

-- Parents before those that depend on them, else in the order given.
local function sorted(list, when)
  local out, placed = {}, {}
  local function place(item, depth)
    if placed[item.name] then return end
    if depth > #list then errors.failure("sweep: %s depends on itself, by way of others", item.name) end
    local on = when[item.name]
    for _, other in ipairs(on and list or {}) do
      if other.name == on.parent then place(other, depth + 1) end
    end
    placed[item.name] = true
    out[#out + 1] = item
  end
  for _, item in ipairs(list) do place(item, 1) end
  return out
end

-- ---- options ------------------------------------------------------------------------------------

local function one_of(word, known, option)
  for _, name in ipairs(known) do
    if name == word then return word end
  end
  errors.usage("%s '%s' is not known%s (there is %s)", option, text.one_line(tostring(word)),
    text.did_you_mean(tostring(word), known), text.list(known))
end

local function whole(value, what, low, high)
  local n = type(value) == "number" and math.tointeger(value)
  if not n or n < low or n > high then
    errors.usage("%s must be a whole number from %d to %d, not %s", what, low, high, tostring(value))
  end
  return n
end

-- "max:accuracy" -> { name =, direction = }
function plan.objective(word)
  local direction, name = word:match "^(m[ia][nx]):(.*)$"
  if not direction then direction, name = "min", word end
  if name == "" or name:find "[^%w_.%-]" or (direction ~= "min" and direction ~= "max") then
    errors.usage("--objective takes a metric, such as val_loss or max:accuracy, not '%s'", text.one_line(word))
  end
  return { name = name, direction = direction }
end

local function objectives(given)
  if given == nil then return nil end
  local words = type(given) == "table" and given or { given }
  local list = core.json.array {}
  for _, word in ipairs(words) do
    for part in tostring(word):gmatch "[^,]+" do
      list[#list + 1] = plan.objective(part)
    end
  end
  if #list == 0 or #list > 2 then
    errors.usage("--objective takes one metric, or two: --objective val_loss,max:accuracy")
  end
  if #list == 2 and list[1].name == list[2].name then
    errors.usage("--objective names %s twice; two objectives are two metrics", list[1].name)
  end
  return list
end

-- What each pruner can be told, beside its name.
local pruner_settings = { asha = { "first", "factor" }, hyperband = { "first", "factor" }, median = { "startup" } }

-- "asha", "asha:first=125,factor=4", or of a script { "asha", first = 125, factor = 4 } -> name, { first =, factor = }
local function pruner(given)
  local name, words = given, {}
  if type(given) == "table" then
    name = given[1]
    for _, key in ipairs(text.sorted_keys(given)) do
      if key ~= 1 then words[#words + 1] = ("%s=%s"):format(key, text.value(given[key])) end
    end
  elseif type(given) == "string" and given:find(":", 1, true) then
    local rest
    name, rest = given:match "^(.-):(.*)$"
    for word in (rest .. ","):gmatch "([^,]*)," do words[#words + 1] = word end
  end
  name = one_of(name, plan.pruners, "--pruner")
  local known, settings = pruner_settings[name] or {}, {}
  for _, word in ipairs(words) do
    local key, value = word:match "^([%a_]+)=(.*)$"
    if not key then
      errors.usage("--pruner %s: '%s' is not key=value, such as asha:first=100,factor=4", name, text.one_line(word))
    end
    if #known == 0 then errors.usage("--pruner %s has no settings, and no '%s'", name, key) end
    local at = one_of(key, known, ("--pruner %s:"):format(name))
    settings[at] = whole(tonumber(value) or text.one_line(value), ("--pruner %s: %s"):format(name, at), 1, 2 ^ 53 | 0)
  end
  return name, settings
end

-- What --pruner takes for the one of a plan, its settings in it: "asha:first=125,factor=4".
function plan.pruner_word(p)
  local words = {}
  for _, key in ipairs(pruner_settings[p.pruner] or {}) do
    local value = p["pruner_" .. key]
    if value then words[#words + 1] = ("%s=%d"):format(key, value) end
  end
  return (p.pruner or "none") .. (#words > 0 and ":" .. table.concat(words, ",") or "")
end

-- "best:10", "all", "none"
local function keep(word)
  if word == "all" or word == "none" then return word end
  local n = word:match "^best:(%d+)$"
  if word == "best" then n = 1 end
  if not n or tonumber(n) < 1 then errors.usage("--keep takes best:N, all or none, not '%s'", text.one_line(word)) end
  return "best:" .. math.tointeger(tonumber(n))
end

-- Are all dimensions choices or stepped, so that a grid is what is meant?
local function is_grid(dims)
  for _, d in ipairs(dims) do
    if d.kind ~= "choice" and not d.step then return false end
  end
  return true
end

-- ---- the plan -----------------------------------------------------------------------------------

-- A study; what is wrong with its space or options is the command line's mistake.
local function study_of(options)
  local ok, study = pcall(core.sweep.study, options)
  if not ok then errors.usage("%s", tostring(study)) end
  return study
end

-- The study of a plan: sampler, pruner and space, without trials.
function plan.study(p)
  return study_of { space = p.space, sampler = p.sampler, seed = p.seed, pruner = p.pruner, last_step = p.last_step,
    pruner_first = p.pruner_first, pruner_factor = p.pruner_factor, pruner_startup = p.pruner_startup }
end

local function command_line(ctx, options)
  local list, fixed, seed = {}, {}, 1
  for _, pair in ipairs(params.split(options.overrides)) do
    local name, word = pair.key, pair.word
    if is_space(word) then
      check_name(ctx, name, name .. "=" .. word)
      list[#list + 1] = { name = name, space = word }
    elseif name == "seed" then
      seed = ctx.seed
    else
      fixed[#fixed + 1] = name .. "=" .. word
    end
  end
  for i = 2, #options.words do
    check_name(ctx, options.words[i], options.words[i])
    list[#list + 1] = { name = options.words[i] }
  end
  return list, fixed, seed
end

-- The overrides that are no spaces: what a trial is opened with before its own.
local function plain_overrides(options)
  local list = {}
  for _, pair in ipairs(params.split(options.overrides)) do
    if not is_space(pair.word) then list[#list + 1] = pair.key .. "=" .. pair.word end
  end
  return list
end

local function choose_sampler(p, options, asked)
  local wanted = options.sampler or asked.sampler
  if wanted then
    p.sampler = one_of(wanted, plan.samplers, "--sampler")
    return
  end
  local dims = study_of({ space = p.space, sampler = "random" }):dimensions()
  local trials = options.trials or asked.trials
  if is_grid(dims) then
    local grid = study_of { space = p.space, sampler = "grid" }
    p.sampler = trials and trials < (grid:count() or math.huge) and "random" or "grid"
  else
    p.sampler = p.objective and #p.objective > 1 and "sobol" or "tpe"
  end
end

-- options: of the command line (words, overrides, trials, ...). Returns the plan and the context of the script.
function plan.make(options)
  local ctx = prepare.open { script = options.words[1], overrides = plain_overrides(options), trust = options.trust,
    print = function() end }
  local is_alone = alone.is(ctx.experiment)
  if ctx.experiment.loss == nil and not is_alone then
    errors.failure("%s has neither a loss nor a main that logs what is to be judged, so there is nothing to sweep",
      ctx.script)
  end
  local list, fixed, seed = command_line(ctx, options)
  local of_its_own, asked = of_script(ctx)
  if #list == 0 then list = of_its_own end
  local is_fixed = {}
  for _, override in ipairs(fixed) do
    is_fixed[override:match "^[^=]*"] = true
  end
  for i = #list, 1, -1 do
    if is_fixed[list[i].name] then table.remove(list, i) end
  end
  if #list == 0 then
    errors.usage("nothing to sweep: name a parameter with its space, such as lr=log:1e-4..1e-1 or hidden=4,8,16 (%s)",
      #ctx.experiment.declared.names > 0 and "parameters: " .. table.concat(ctx.experiment.declared.names, ", ")
        or "the script declares no parameters")
  end
  local when = conditions(ctx, asked.when)
  settle_fixed(ctx, list, when)
  local dims, swept = core.json.array {}, core.json.array {}
  for i, item in ipairs(sorted(list, when)) do
    dims[i] = dimension(ctx.experiment.declared, item.name, item.space)
    dims[i].when = when[item.name]
    swept[i] = item.name
  end
  local p = { script = ctx.script, cwd = core.host.cwd(), trust = options.trust,
    fixed = core.json.array(fixed), seed = seed, space = dims,
    swept = swept, objective = objectives(options.objective or asked.objective),
    repeats = whole(options.repeats or asked.repeats or 1, "--repeats", 1, 1000000),
    keep = keep(options.keep or asked.keep or "best:1"), deterministic = options.deterministic or nil,
    stop_after = options.stop_after or asked.stop_after, timeout = options.timeout or asked.timeout,
    trial_timeout = options.trial_timeout or asked.trial_timeout, trial_memory = options.trial_memory,
    checkpoint_every = plan.checkpoint_every(options.checkpoint_every),
    retries = whole(options.retries or 1, "--retries", 0, 1000), fail_fast = options.fail_fast or nil }
  local settings
  p.pruner, settings = pruner(options.pruner or asked.pruner or "none")
  for key, value in pairs(settings) do p["pruner_" .. key] = value end
  choose_sampler(p, options, asked)
  if p.objective and #p.objective > 1 then
    if p.sampler == "tpe" then
      errors.usage "--sampler tpe learns from one objective; with two take sobol, random or grid"
    end
    if p.pruner ~= "none" then errors.usage("--pruner %s looks at one objective; with two take none", p.pruner) end
  end
  if p.pruner ~= "none" then
    if is_alone then
      errors.usage("--pruner %s looks at a training, and %s has no loss to train on", p.pruner, ctx.script)
    end
    for _, name in ipairs(swept) do
      if name == "epochs" then
        errors.usage("--pruner %s compares trials of the same length; epochs is swept", p.pruner)
      end
    end
    p.last_step = ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p).epochs
  elseif not is_alone then
    ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p) -- what is wrong with it is said now
  end
  local study = plan.study(p)
  for key, value in pairs(study:pruner()) do p["pruner_" .. key] = value end -- a later version may have other defaults
  local count = study:count()
  local trials = options.trials or asked.trials
  trials = trials and whole(trials, "--trials", 1, plan.most_trials)
  if p.sampler == "grid" then
    p.trials = math.min(trials or count, count)
  else
    p.trials = math.min(trials or plan.default_trials, count or math.huge)
  end
  p.planned = p.trials * p.repeats
  if p.planned > plan.most_trials then
    errors.usage("%s trials are too many; --trials takes fewer", text.thousands(p.planned))
  end
  return p, ctx, study
end

-- --checkpoint-every as it was given, checked; nil: as the script says.
function plan.checkpoint_every(word)
  if word == nil then return nil end
  local passed, policy = pcall(require("rnnlab.checkpoint").policy, word, "--checkpoint-every")
  if not passed then errors.usage("%s", policy) end
  return word
end

-- The words a trial of configuration `point` is opened with. seed_offset: 0 for the first of its repeats.
function plan.overrides(p, study, point, seed_offset)
  local words = core.json.array {}
  for _, override in ipairs(p.fixed) do
    words[#words + 1] = override
  end
  local texts = study:texts(point)
  for _, name in ipairs(p.swept) do
    if texts[name] then words[#words + 1] = name .. "=" .. texts[name] end
  end
  words[#words + 1] = ("seed=%d"):format(p.seed + seed_offset)
  return words
end

-- A configuration's parameters as its results have them.
function plan.params(p, study, point)
  local values, texts, kinds = {}, study:texts(point), {}
  for _, d in ipairs(p.space) do kinds[d.name] = d.kind end
  for name, word in pairs(texts) do
    local number = kinds[name] ~= "choice" and kinds[name] ~= "text" and tonumber(word)
    if kinds[name] == "bool" then values[name] = word == "true" else values[name] = number or word end
  end
  return next(values) and values or nil
end

-- The script's path as it opens from here, and the folder it was started in where that is not this one.
function plan.place(p)
  if not p.cwd or p.cwd == core.host.cwd() then return p.script, nil end
  return p.script:sub(1, 1) == "/" and p.script or p.cwd .. "/" .. p.script, p.cwd
end

return plan
