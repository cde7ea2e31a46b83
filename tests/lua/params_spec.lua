-- Declared parameters, and what key=value makes of them.
local params = require "rnnlab.params"

local function declared()
  return params.declare {
    cell = params.choice { "elman", "jordan" }, hidden = params.int(5, 1, 64),
    lr = params.real(.01, 1e-4, 1e-1, "log"), epochs = 10000, verbose = params.bool(false),
    note = params.text "plain", flag = true,
  }
end

-- The message and exit code of a failing call.
local function failure(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok)
  if type(problem) == "table" then return problem.message, problem.exit end
  return problem
end

local function refused(...)
  local message, exit = failure(params.resolve, declared(), { ... })
  assert.equal(2, exit)
  return message
end

describe("rnnlab.params", function()
  it("takes the defaults", function()
    local got = params.resolve(declared(), {})
    assert.equal("elman", got.p.cell)
    assert.equal(5, got.p.hidden)
    assert.equal(1, got.p.seed)
    assert.equal(1, got.p.data_seed)
    assert.equal("float32", got.p.dtype)
    assert.is_false(got.p.verbose)
    assert.is_true(got.shown.flag)
  end)

  it("reads overrides by the declared type", function()
    local got = params.resolve(declared(), { "cell=jordan", "hidden=8", "lr=1e-3", "epochs=2e3", "verbose=yes",
      "note=a=b c", "seed=7" })
    assert.equal("jordan", got.p.cell)
    assert.equal(8, got.p.hidden)
    assert.equal("integer", math.type(got.p.hidden))
    assert.equal(.001, got.p.lr)
    assert.equal(2000, got.p.epochs)
    assert.is_true(got.p.verbose)
    assert.equal("a=b c", got.p.note)
    assert.equal(7, got.p.data_seed)
    assert.equal(3, params.resolve(declared(), { "seed=7", "data_seed=3" }).p.data_seed)
  end)

  it("answers an unknown key with the nearest and with all there are", function()
    assert.equal("no parameter 'hiden'; did you mean 'hidden'? (known: cell, epochs, flag, hidden, lr, note, "
      .. "verbose, seed, data_seed, dtype, threads, show)", refused "hiden=3")
  end)

  it("refuses wrong types and ranges, naming parameter, value and range", function()
    assert.equal("hidden=2.5: hidden must be a whole number", refused "hidden=2.5")
    assert.equal("hidden=100: hidden must be a whole number from 1 to 64", refused "hidden=100")
    assert.equal("hidden=many: hidden must be a whole number from 1 to 64", refused "hidden=many")
    assert.equal("lr=1: lr must be a number from 0.0001 to 0.1", refused "lr=1")
    assert.equal("cell=elmn: cell must be elman or jordan; did you mean 'elman'?", refused "cell=elmn")
    assert.equal("verbose=maybe: verbose must be true or false", refused "verbose=maybe")
    assert.equal("epochs=nan: epochs must be a number", refused "epochs=nan")
    assert.equal("epochs=1e999: epochs must be a number", refused "epochs=1e999")
    assert.equal("epochs=0x10: epochs must be a number", refused "epochs=0x10")
    assert.equal("seed=-1: seed must be a whole number from 0 to 9007199254740992", refused "seed=-1")
    assert.equal("dtype=half: dtype must be float32 or float64", refused "dtype=half")
    assert.equal("threads=0: threads must be a whole number from 1 to 4096", refused "threads=0")
    assert.equal("'lr' is not key=value", refused "lr")
  end)

  it("names the parameter where the engine needs a whole number", function()
    params.resolve(declared(), { "epochs=2.5" })
    local message, exit = failure(params.integer, 2.5, "epochs", 0)
    assert.equal("epochs=2.5: epochs must be a whole number", message)
    assert.equal(2, exit)
    assert.equal("the number of inputs must be a whole number, at least 1, not 1.25",
      (failure(params.integer, 1.25, "the number of inputs", 1)))
    assert.equal(4, params.integer(4.0, "x", 1))
  end)

  it("gives choices that stand for values", function()
    local mgu = {}
    local set = params.declare { cell = params.choice { mgu = mgu, lstm = "lstm" } }
    local got = params.resolve(set, {})
    assert.equal("lstm", got.p.cell)
    got = params.resolve(set, { "cell=mgu" })
    assert.equal(mgu, got.p.cell)
    assert.equal("mgu", got.shown.cell)
    assert.equal(mgu, params.resolve(params.declare { cell = params.choice({ mgu = mgu, lstm = "lstm" }, "mgu") },
      {}).p.cell)
    assert.equal(16, params.resolve(params.declare { n = params.choice { 4, 8, 16 } }, { "n=16" }).p.n)
  end)

  it("refuses wrong declarations", function()
    assert.matches("r.int: the default 70 is outside a whole number from 1 to 64", failure(params.int, 70, 1, 64))
    assert.matches("a log scale needs a lower end above 0", failure(params.real, .1, 0, 1, "log"))
    assert.matches("'seed' is reserved", failure(params.declare, { seed = 3 }))
    assert.matches("parameter 'x' is a table", failure(params.declare, { x = {} }))
    assert.matches("choice 1 is a table; give it a name", failure(params.choice, { {} }))
    assert.matches("nothing to choose from", failure(params.choice, {}))
  end)

  it("keeps on what a parameter depends", function()
    local layers, hidden = params.int(1, 1, 3), params.int(8, 1, 64)
    local set = params.declare { layers = layers, hidden = hidden, hidden2 = hidden:when { layers = 2 },
      hidden3 = hidden:when { layers = { 2.0, 3 } }, cell = params.choice { "elman", "lstm" },
      peep = params.bool():when { cell = "lstm" }, wide = params.real(1):when { peep = true },
      half = params.text():when { dtype = "float64" } }
    assert.same({ hidden2 = { parent = "layers", values = { "2" } },
      hidden3 = { parent = "layers", values = { "2", "3" } }, peep = { parent = "cell", values = { "lstm" } },
      wide = { parent = "peep", values = { "true" } },
      half = { parent = "dtype", values = { "float64" } } }, set.when)
    assert.equal(8, params.resolve(set, {}).p.hidden2)
    for message, on in pairs {
      ["params: x must depend on one parameter, as in { layers = 2 }"] = {},
      ["params: x must depend on one parameter, as in { layers = 2 }, not on 2"] = { layers = 2, hidden = 1 },
      ["params: x depends on 'layer', and there is no such parameter; did you mean 'layers'?"] = { layer = 2 },
      ["params: x depends on itself"] = { x = 2 },
      ["params: x depends on layers=4, but layers must be a whole number from 1 to 3"] = { layers = 4 },
      ["params: x depends on layers: on which value of it?"] = { layers = {} },
    } do
      assert.equal(message, (failure(params.declare, { layers = layers, hidden = hidden, x = hidden:when(on) })))
    end
    assert.matches("when: a table such as { layers = 2 } is expected, not a number", failure(hidden.when, hidden, 2))
  end)

  it("makes reading an unknown parameter an error", function()
    local p = params.resolve(declared(), {}).p
    assert.has_error(function() return p.hiden end,
      "no parameter 'hiden'; did you mean 'hidden'? (known: cell, epochs, flag, hidden, lr, note, verbose, "
      .. "seed, data_seed, dtype, threads, show)")
  end)

  it("shows parameters in the script's order where that is plain to see", function()
    local set = declared()
    params.order(set, [[ params = { lr = r.real(.01), hidden = r.int(5), cell = r.choice{}, epochs = 1,
      verbose = r.bool(), note = r.text(), flag = true } ]])
    assert.same({ "lr", "hidden", "cell", "epochs", "verbose", "note", "flag" }, set.names)
    set = declared()
    params.order(set, "params = common.params")
    assert.same({ "cell", "epochs", "flag", "hidden", "lr", "note", "verbose" }, set.names)
  end)
end)
