-- tensor_misuse_spec.lua: nothing a script passes to tensors may crash or leak, under a busy collector too.
local r = require "rnnlab.core"

-- The message of an error raised by f(...), without its position.
local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return (text:gsub("^.-:%d+: ", "", 1))
end

after_each(function()
  r.set_default_dtype "float32"
end)

describe("whatever a script passes", function()
  -- Every function and method with every combination of odd arguments: an error is a one-line string.
  it("ends in a result or a clean error", function()
    local own = {}
    own[1] = own
    local function odd()
      return {
        0, -1, 1, 2.5, 0 / 0, 1 / 0, math.mininteger, math.maxinteger, 1e15, "x", "float64", true, {}, own, { 1, 2 },
        { { 1, 2 }, { 3 } }, { {}, { 2, -1 } }, { math.mininteger, math.maxinteger }, { { 1, math.maxinteger, 1 } },
        print, r.zeros(2, 3), r.zeros(0), r.tensor(1), r.zeros(3, 2, "float64"),
        r.ones(2):requires_grad_(), r.zeros(2, 1):expand(2, 3),
      }
    end
    local calls = 0
    local function try(name, f, ...)
      calls = calls + 1
      local ok, text = pcall(f, ...)
      if not ok and (type(text) ~= "string" or text:find "\n") then -- luassert is slow, and this runs often
        error(name .. ": " .. tostring(text), 0)
      end
    end
    local targets = { r.zeros(2, 3), r.zeros(0), r.tensor(1), r.zeros(2, 1):expand(2, 3), r.ones(2):requires_grad_() }
    local methods = {}
    for name in ([[size stride dim nelement numel dtype is_contiguous select narrow transpose t view reshape expand
        squeeze unsqueeze unbind contiguous clone item tolist equal allclose index to float double requires_grad
        requires_grad_ grad backward detach fill zero copy add sub mul div exp log sqrt abs square sin cos sign tanh
        relu sigmoid mm dot sum mean var std norm min max]]):gmatch "%S+" do
      methods[name] = assert(targets[1][name], name)
    end
    for name, f in pairs(methods) do
      local first, second = odd(), odd()
      for k, target in ipairs(targets) do
        try(name, f, target)
        for _, a in ipairs(first) do
          try(name, f, target, a)
          try(name, f, target, a, 1, a)
          try(name, f, target, 1, 1, a)
          if k == 1 then
            for _, b in ipairs(second) do
              try(name, f, target, a, b)
            end
          end
        end
      end
      for _, a in ipairs(first) do
        try(name, f, a)
      end
    end
    for name in ([[tensor zeros ones full eye linspace arange cat stack is_tensor minimum maximum rng exp mm
        set_default_dtype]]):gmatch "%S+" do
      local f, first, second = assert(r[name]), odd(), odd()
      try(name, f)
      for _, a in ipairs(first) do
        try(name, f, a)
        try(name, f, a, 1, a)
        for _, b in ipairs(second) do
          try(name, f, a, b)
        end
      end
    end
    for _, target in ipairs(targets) do
      local first, second = odd(), odd()
      for _, a in ipairs(first) do
        try("index", function() return target[a] end)
        try("index", function() return target[{ a }] end)
        try("index", function() return target[{ { a, 1 } }] end)
        try("index", function() return target[{ { 1, a } }] end)
        try("index", function() return target[{ { 1, 2, a } }] end)
        try("operators", function() return target + a end)
        try("operators", function() return a / target end)
        try("operators", function() return target ^ a end)
        try("operators", function() return target < a end)
        try("operators", function() return target == a, #target, -target, tostring(target) end)
        for _, b in ipairs(second) do
          try("assignment", function() target[a] = b end)
          try("assignment", function() target[{ a }] = b end)
        end
      end
    end
    assert.is_true(calls > 10000)
  end)

  it("survives a busy collector", function()
    local mode = collectgarbage("incremental", 1, 1000)
    for pass = 1, 2 do
      if pass == 2 then
        collectgarbage "generational"
      end
      local w = r.eye(3):requires_grad_()
      for _ = 1, 200 do
        local x = r.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
        local y = r.cat({ x:mm(w), x[{ {}, { 2, 3 } }]:mm(w[{ { 1, 2 } }]) }, 1)
        local loss = ((y - 1) ^ 2):mean() + r.stack({ y:unbind(1) }):sum() * 2
        loss:backward()
        assert.are.equal(3, #w:grad())
        x[{ {}, 1 }] = { 7, 8 }
        assert.are.same({ 7, 8 }, x:t()[1]:tolist())
      end
    end
    collectgarbage(mode)
  end)

  it("may close a tensor early", function()
    local kept
    do
      local t <close> = r.zeros(3)
      kept = t
    end
    assert.are.equal("the tensor has been closed", message(kept.sum, kept))
    assert.are.equal("the tensor has been closed", message(function()
      return kept[1]
    end))
    assert.are.equal("the tensor has been closed", message(function()
      return kept + 1
    end))
    assert.are.equal(false, getmetatable(kept))
  end)

  it("gives memory back", function()
    for _ = 1, 500 do
      r.zeros(1000, 1000) -- 4 MB each: 2 GB if the collector did not know
    end
    local status = io.open "/proc/self/status"
    if status then
      local resident = tonumber(status:read("a"):match "VmRSS:%s*(%d+)")
      status:close()
      assert.is_true(resident < 1000000) -- the sanitizer keeps a quarter of a GB of freed blocks
    end
  end)
end)
