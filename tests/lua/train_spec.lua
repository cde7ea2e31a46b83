-- rnnlab.core's trainer beyond its epochs: what a step is given, states that are carried, steps by hand, ensembles.
local core = require "rnnlab.core"

local function refused(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(message))
  assert.is_nil(message:find "\n")
  assert.matches(pattern, message)
end

-- A running sum by hand: h(t) = h(t-1) + w x(t), unrolled step by step so that states need no layer. `seen` collects
-- what each recording was given.
local function summing(w, seen)
  return function(x, y, step)
    seen[#seen + 1] = step
    local rows = x:size(1)
    local h = step.carry and step.carry("h", rows, 1) or core.zeros(rows, 1)
    local states = {}
    for t = 1, x:size(2) do
      h = h + x:select(2, t) * w
      states[t] = h
    end
    local all = core.stack(states, 2)
    if step.carried then step.carried("h", h, all) end
    local judged = step.loss_from > 0 and all:narrow(2, step.loss_from + 1, x:size(2) - step.loss_from) or all
    return all, (judged - y):square():mean()
  end
end

local function spec(more)
  local w = core.tensor({ 2 }):requires_grad_()
  local seen = {}
  local s = { params = { w }, x = core.ones(3, 8, 1), y = core.zeros(3, 8, 1), optimizer = { kind = "sgd", lr = 0 } }
  s.record = summing(w, seen)
  for key, value in pairs(more or {}) do
    s[key] = value
  end
  return s, seen, w
end

describe("a recorded step", function()
  it("is given every leaf by its name, and what it is for", function()
    local part = { x = core.ones(4, 8, 1), y = core.zeros(4, 8, 1), mask = core.ones(4, 8),
      lengths = core.tensor { 8, 3, 2, 1 }, weights = core.ones(4), own = core.ones(4, 5) }
    local s, seen = spec { train = part, batch_size = 2, val = { x = part.x, y = part.y } }
    local trainer = core.trainer(s)
    trainer:run(3)
    local first, last = seen[1], seen[#seen]
    assert.is_true(first.training)
    assert.is_false(last.training) -- the validation
    assert.same({ 2, 8, 1 }, first.x:size())
    assert.same({ 2, 8 }, first.mask:size())
    assert.same({ 2 }, first.lengths:size())
    assert.same({ 2, 5 }, first.own:size())
    assert.same({ 8, 0 }, { first.steps, first.loss_from })
    assert.equal(5, first.clock:item()) -- six steps, the last one's number
    assert.equal("float64", first.clock:dtype())
    assert.is_nil(first.carry)
    assert.is_nil(last.own)
    assert.same({ 2, 1 }, first.lengths:tolist())
  end)

  it("carries states from chunk to chunk", function()
    for _, k in ipairs { { 2, 2 }, { 2, 4 }, { 2, 3 }, { 3, 7 }, { 3, 8 }, { 5, 5 } } do
      local s, seen = spec { k1 = k[1], k2 = k[2] }
      local trainer = core.trainer(s)
      trainer:run(1)
      -- With w = 2, x = 1 the states are 2, 4, ..., 16 whatever the chunks; the loss is the mean of their squares.
      assert.near(4 * (1 + 4 + 9 + 16 + 25 + 36 + 49 + 64) / 8, trainer:losses()[1], 1e-4)
      assert.equal(math.ceil(8 / k[1]), trainer:steps())
      for _, step in ipairs(seen) do
        assert.equal(step.steps, step.x:size(2))
        assert.equal(step.steps, step.y:size(2) + step.loss_from)
        assert.same(step.x:size(), step.y_before:size())
      end
    end
    refused("wanted within a chunk", function()
      local s = spec { k1 = 2, k2 = 3 }
      local whole = s.record
      s.record = function(x, y, step)
        local given = step.carried
        step.carried = function(name, h) given(name, h) end
        return whole(x, y, step)
      end
      core.trainer(s):run(1)
    end)
  end)

  it("gives the target of the step before", function()
    local y = core.zeros(1, 6, 1)
    for t = 1, 6 do
      y[{ 1, t, 1 }] = t
    end
    local s, seen = spec { x = core.ones(1, 6, 1), y = y, k1 = 2, k2 = 4 }
    core.trainer(s):run(1)
    for _, step in ipairs(seen) do
      local before = step.y_before:tolist()[1]
      for t = 1, step.steps do -- the leaves hold the last chunk each plan was used for
        assert.is_true(before[t][1] == before[1][1] + t - 1)
      end
    end
    assert.equal(0, seen[1].y_before:tolist()[1][1][1])
  end)

  it("offers states only while it is recorded", function()
    local s, seen = spec { k1 = 4 }
    core.trainer(s):run(1)
    refused("only while the step is recorded", seen[1].carry, "h", 3, 1)
    refused("only while the step is recorded", seen[1].carried, "h", core.ones(3, 1))
    s = spec { k1 = 4 }
    s.record = function(x, y, step)
      step.carry("h", 3, 1)
      return x, (x - y):square():mean()
    end
    refused("state 'h' was asked for but not handed on", function() core.trainer(s):run(1) end)
  end)

  it("begins with the layer's own state where a sequence begins", function()
    local own = core.tensor({ 100 }):requires_grad_()
    local w = core.tensor({ 1 }):requires_grad_()
    local trainer = core.trainer {
      params = { w, own }, x = core.ones(2, 4, 1), y = core.zeros(2, 4, 1), k1 = 2,
      optimizer = { kind = "sgd", lr = 1e-3 },
      record = function(x, y, step)
        local h = step.carry("h", 2, 1, own)
        local states = {}
        for t = 1, 2 do
          h = h + x:select(2, t) * w
          states[t] = h
        end
        step.carried("h", h)
        local all = core.stack(states, 2)
        return all, (all - y):square():mean()
      end,
    }
    trainer:run(1)
    assert.is_true(own:item() < 100) -- the first chunk's gradient reaches it
    assert.is_true(trainer:losses()[1] > 9000)
  end)
end)

describe("core.trainer", function()
  it("takes steps by hand", function()
    local s = spec { optimizer = { kind = "sgd", lr = 1e-3 } }
    local trainer = core.trainer(s)
    refused("an epoch has at least one step", trainer.end_epoch, trainer)
    local a = trainer:step { x = core.ones(2, 4, 1), y = core.zeros(2, 4, 1) }
    local b = trainer:step(core.ones(2, 4, 1), core.zeros(2, 4, 1))
    assert.is_true(b < a)
    assert.equal("epochs", trainer:end_epoch())
    assert.same({ (a + b) / 2 }, trainer:losses())
    assert.equal(2, trainer:steps())
    refused("the batch: y must be a tensor, not nil", trainer.step, trainer, { x = core.ones(1, 1, 1) })
    refused("the batch: x has a NaN at sequence 1, step 2, feature 1", trainer.step, trainer,
      { x = core.tensor { { { 1 }, { 0 / 0 } } }, y = core.zeros(1, 2, 1) })
  end)

  it("stops early, by a metric it is told too", function()
    local s, _, w = spec { early_stopping = { metric = "given", patience = 1 },
      optimizer = { kind = "sgd", lr = 1e-3 } }
    local trainer = core.trainer(s)
    local kept
    for epoch, value in ipairs { 3, 1, 2 } do
      trainer:run(epoch)
      local enough = trainer:observe(value)
      if epoch == 2 then kept = w:item() end
      assert.equal(epoch == 3, enough)
    end
    assert.equal("stopped", (trainer:run(10)))
    assert.not_equal(kept, w:item())
    assert.same({ 2, 1 }, { trainer:restore_best() })
    assert.equal(kept, w:item())
    assert.is_nil((core.trainer(spec()):restore_best()))
    refused("min_delta is %-1", core.trainer, spec { early_stopping = { min_delta = -1, metric = "loss" } })
    refused("watches val_loss, but there is no validation set", core.trainer, spec { early_stopping = {} })
  end)

  it("refuses fields that do not fit", function()
    local function with(fields)
      local part = { x = core.ones(3, 8, 1), y = core.zeros(3, 8, 1) }
      for key, value in pairs(fields) do
        part[key] = value
      end
      return spec { train = part }
    end
    refused("the training set: mask is %(3, 7%); expected %(batch, time%), here %(3, 8%)", core.trainer,
      with { mask = core.ones(3, 7) })
    refused("the training set: own must be a tensor, not a string", core.trainer, with { own = "no" })
    refused("the training set: own is %(2%); its first size must be the 3 sequences of x", core.trainer,
      with { own = core.ones(2) })
    refused("the training set: mask has 2 at sequence 1, step 1; a mask holds 0 and 1", core.trainer,
      with { mask = core.full({ 3, 8 }, 2) })
    refused("train must be a table", core.trainer, spec { train = 1 })
    refused("truncated backpropagation needs a target at every step; y is %(3, 1%) and x has 8 steps", core.trainer,
      spec { y = core.zeros(3, 1), k1 = 2 })
    refused("k1 is 3 and k2 2", core.trainer, spec { k1 = 3, k2 = 2 })
    refused("k1", core.trainer, spec { k1 = 1.5 })
  end)
end)

describe("core.ensemble", function()
  it("runs prepared trainers to the same bits as alone", function()
    local alone, members = {}, {}
    for k = 1, 4 do
      local function made() return core.trainer((spec { optimizer = { kind = "adam", lr = k / 100 } })) end
      alone[k] = made()
      alone[k]:run(20)
      members[k] = made()
      members[k]:prepare()
    end
    local ensemble = core.ensemble(members, 2)
    while ensemble:run(20, 1e-6) == "time" do end -- luacheck: ignore
    assert.same({ "epochs", "epochs", "epochs", "epochs" }, ensemble:reasons())
    for k = 1, 4 do
      assert.equal(alone[k]:losses_packed(), members[k]:losses_packed())
    end
    assert.is_true(ensemble:seconds() > 0)
  end)

  it("refuses members that are none", function()
    refused("a list of trainers", core.ensemble, {})
    refused("Trainer", core.ensemble, { 1 })
    local trainer = core.trainer((spec()))
    refused("model 1 of the ensemble is not prepared", core.ensemble, { trainer })
    trainer:prepare()
    refused("models 1 and 2 of the ensemble are the same trainer", core.ensemble, { trainer, trainer })
    local ensemble = core.ensemble { trainer }
    do
      local _ <close> = trainer
    end
    refused("the trainer of model 1 is closed", ensemble.run, ensemble, 1)
    do
      local _ <close> = ensemble
    end
    refused("the ensemble is closed", ensemble.run, ensemble, 1)
  end)
end)
