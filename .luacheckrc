-- luacheck's settings: Lua 5.4's globals, and what busted gives its specs.
std = "lua54"
max_line_length = 120
cache = false
ignore = { "581" } -- `not (x > y)` is not `x <= y` where NaN may come
exclude_files = { "build", "results" }
files["tests/**/*_spec.lua"] = { std = "+busted" }
files["lua/rnnlab/meta"] = { ignore = { "1..", "2..", "6.." } } -- declarations for editors: bodies are empty
files["lua/rnnlab/sandbox.lua"] = { ignore = { "122" } } -- it takes string.dump away from scripts
