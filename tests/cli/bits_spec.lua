-- Same bits: between instruction sets that fuse multiply and add, and whatever the run is asked to show.
local cli = require "helper"

before_each(cli.fresh)
after_each(cli.clean)

local script = cli.root .. "/scripts/tutorial8_q2.lua"

-- The bytes of the trained model and of the learning curve.
local function trained(results, words, env)
  local command = { "run", script, "epochs=300", "--no-plot", "--quiet", "--results", results }
  for _, word in ipairs(words or {}) do
    command[#command + 1] = word
  end
  local got = cli.run(command, env)
  assert.equal(0, got.code, got.err)
  local folder = cli.dir .. "/" .. results .. "/tutorial8-q2-1/"
  return assert(cli.read(folder .. "model.safetensors")) .. assert(cli.read(folder .. "metrics.csv"))
end

describe("the bits of a run", function()
  it("are the same under AVX2 and AVX-512 (one not to be had: the other is taken)", function()
    for _, dtype in ipairs { "float32", "float64" } do
      assert.equal(trained("a" .. dtype, { "dtype=" .. dtype }, { RNNLAB_ISA = "avx2" }),
        trained("b" .. dtype, { "dtype=" .. dtype }, { RNNLAB_ISA = "avx512" }))
    end
  end)

  it("do not depend on threads or on how it is watched", function()
    local plain = trained "a"
    assert.equal(plain, trained("b", { "threads=2" }))
    assert.equal(plain, trained("c", { "--json" }))
  end)
end)
