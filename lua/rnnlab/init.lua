-- require "rnnlab": the public table r (see face.lua). In a script run by `rnnlab run` the runner gives one of
-- the script's own; this one is for the REPL and for plain Lua programs.
return require("rnnlab.face").new()
