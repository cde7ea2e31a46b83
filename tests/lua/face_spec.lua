-- The table scripts call r: complete, made anew for each script, and of one mind about unknown names.
local core = require "rnnlab.core"
local face = require "rnnlab.face"

describe("rnnlab", function()
  it("holds everything it names", function()
    local r, count = face.new(), 0
    local last = ""
    for name, value in pairs(r) do
      assert.is_true(name > last)
      assert.is_truthy(value)
      last, count = name, count + 1
    end
    assert.equal(#face.names(), count)
    for _, name in ipairs { "experiment", "rnn", "nn", "real", "choice", "rng", "tensor", "tanh", "load_csv" } do
      assert.is_truthy(r[name])
    end
    assert.equal(core.version, r.version)
  end)

  it("is another table each time", function()
    local a, b = face.new(), face.new()
    a.nn.Elman = nil
    a.rnn = nil
    assert.is_function(b.nn.Elman)
    assert.is_function(face.new().rnn)
  end)

  it("answers an unknown name with the nearest", function()
    assert.has_error(function() return face.new().experimnt end,
      "rnnlab has no 'experimnt'; did you mean 'experiment'?")
  end)

  it("hides what a script must not have", function()
    local r = face.new(function(load_) return load_ end)
    for _, name in ipairs { "core", "store", "host", "json", "format", "trainer", "stop_acknowledge" } do
      assert.has_error(function() return r[name] end)
    end
    assert.has_error(function() r.set_default_dtype "float64" end)
    assert.is_false(getmetatable(r))
  end)
end)
