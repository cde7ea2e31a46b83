-- golden.lua: reading tests/golden/*.json for the specs, and comparing.
local core = require "rnnlab.core"

local folder = debug.getinfo(1, "S").source:match "^@(.*)lua/[^/]*$" .. "golden/"

local golden = {}

-- g = golden.open "lstm": g("params", "bias") is a tensor of `dtype` (float64), g.has(group, name), g.options.
function golden.open(name, dtype)
  local file = assert(io.open(folder .. name .. ".json"))
  local all = core.json.decode(file:read "a")
  file:close()
  return setmetatable({ options = all.options, has = function(group, key) return all[group][key] ~= nil end,
    names = function(group)
      local list = {}
      for key in pairs(all[group]) do
        list[#list + 1] = key
      end
      table.sort(list)
      return list
    end }, { __call = function(_, group, key)
      local entry = assert(all[group][key], key)
      local flat = core.tensor(entry.data, dtype or "float64")
      return #entry.shape > 0 and flat:view(table.unpack(entry.shape)) or flat
    end })
end

-- |a - b| / (1 + |a|) of every element is within the dtype's tolerance.
function golden.close(want, got, what, tolerance)
  tolerance = tolerance or got:dtype() == "float64" and 1e-10 or 2e-5
  local function flat(t) return t:contiguous():view(t:numel()):tolist() end
  local a, b = flat(want), flat(got:detach())
  if #a ~= #b then error(("%s has %d numbers, expected %d"):format(what, #b, #a)) end
  for i = 1, #a do
    if not (math.abs(a[i] - b[i]) / (1 + math.abs(a[i])) <= tolerance) then
      error(("%s[%d] is %.17g, expected %.17g"):format(what, i, b[i], a[i]))
    end
  end
end

return golden
