-- Loaded by busted before each spec file. With RNNLAB_TEST_GC=aggressive the collector never rests,
-- so that an object that C still uses but Lua no longer holds is found (the sanitizer run sets it).
if os.getenv("RNNLAB_TEST_GC") == "aggressive" then
  collectgarbage("incremental", 10, 1000)
end
