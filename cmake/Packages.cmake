# The libraries rnnlab stands on, all found by pkg-config. OpenBLAS is not among them:
# src/kernel/gemm.c opens it at run time. Random123 is headers only.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# Debian says lua5.4, Homebrew lua-5.4 or lua5.4, Fedora lua.
pkg_search_module(LUA REQUIRED IMPORTED_TARGET lua5.4 lua-5.4 lua54 lua>=5.4)
if(LUA_VERSION VERSION_LESS 5.4 OR NOT LUA_VERSION VERSION_LESS 5.5)
  message(FATAL_ERROR "rnnlab needs Lua 5.4; pkg-config found Lua ${LUA_VERSION}")
endif()
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(MD REQUIRED IMPORTED_TARGET libmd)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.40)
find_path(RANDOM123_INCLUDE Random123/philox.h)
if(NOT RANDOM123_INCLUDE)
  message(FATAL_ERROR "Random123/philox.h not found (Debian: librandom123-dev)")
endif()

# rnl_lua_headers: Lua's headers. rnl_liblua: the library, for programs. The static archive is taken
# whole where there is one: one library fewer to find at start, and every lua_ function stays there for C
# modules that a script may require.
add_library(rnl_lua_headers INTERFACE)
target_include_directories(rnl_lua_headers SYSTEM INTERFACE ${LUA_INCLUDE_DIRS})
add_library(rnl_liblua INTERFACE)
target_link_libraries(rnl_liblua INTERFACE rnl_lua_headers)
find_library(LUA_ARCHIVE NAMES liblua5.4.a liblua-5.4.a liblua.a HINTS ${LUA_LIBDIR} ${LUA_LIBRARY_DIRS}
             NO_CACHE)
if(LUA_ARCHIVE)
  target_link_libraries(rnl_liblua INTERFACE $<LINK_LIBRARY:WHOLE_ARCHIVE,${LUA_ARCHIVE}>)
else()
  target_link_libraries(rnl_liblua INTERFACE PkgConfig::LUA)
endif()
target_link_libraries(rnl_liblua INTERFACE m ${CMAKE_DL_LIBS})
