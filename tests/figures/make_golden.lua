-- make_golden.lua: writes golden.txt, the structure of every figure of the gallery. To be run (and its difference
-- looked at, beside the contact sheet) where a figure was meant to change:
--     cmake --build --preset ci --target make_golden
local core = require "rnnlab.core"
local figure = require "rnnlab.figure"
local here = arg[0]:gsub("[^/]*$", "")
local structure = dofile(here .. "structure.lua")
local folder = assert(arg[1], "usage: make_golden.lua FOLDER")

local list = {}
for i, item in ipairs(dofile(here .. "gallery.lua")) do
  list[i] = figure.describe(item.make(), item.name)
end
local files, problem = core.plot.write(list, folder, { "svg" })
assert(files and not problem, problem)
local out = assert(io.open(here .. "golden.txt", "w"))
for _, one in ipairs(list) do
  local svg = assert(io.open(("%s/%s.svg"):format(folder, one.name))):read "a"
  out:write("== ", one.name, "\n", structure(svg))
end
out:close()
