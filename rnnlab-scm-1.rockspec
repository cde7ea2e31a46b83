-- The engine and the Lua face as a LuaRocks module: require "rnnlab" from a plain Lua 5.4.
-- The command `rnnlab` itself is built and installed by CMake (see CONTRIBUTING.md).
rockspec_format = "3.0"
package = "rnnlab"
version = "scm-1"
source = {
  url = "git+file://.",
}
description = {
  summary = "Recurrent neural networks from Lua experiment scripts, on a C engine",
  detailed = [[
    rnnlab trains recurrent networks (Elman, Jordan, ...) described in short Lua scripts and turns the
    results into figures. This rock is its engine as a Lua module.
  ]],
  license = "MIT",
}
supported_platforms = { "linux", "macosx" }
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = {
  SQLITE = { header = "sqlite3.h" },
  JANSSON = { header = "jansson.h" },
  LIBZIP = { header = "zip.h" },
  LIBUV = { header = "uv.h" },
  RANDOM123 = { header = "Random123/philox.h" },
}
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    BUILD_TESTING = "OFF",
    RNNLAB_LUA_DIR = "$(LUADIR)",
    RNNLAB_LUA_CDIR = "$(LIBDIR)",
  },
}
test_dependencies = { "busted", "luacheck" }
