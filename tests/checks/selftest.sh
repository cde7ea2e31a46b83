#!/bin/sh
# selftest.sh CHECK LUA FOLDER: shows that a check can fail. A small good tree must pass; each fault planted
# in a copy of it must be named.
set -eu
check=$1
lua=$2
folder=$(cd "$3" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

good_tree() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree/src/base" "$work/tree/src/kernel" "$work/tree/src/store" "$work/tree/src/plot" \
    "$work/tree/src/tensor" "$work/tree/src/bind" "$work/tree/lua/rnnlab/meta" "$work/tree/scripts"
  cd "$work/tree"
  printf '/* Base. */\n#include <stdio.h>\nint b;\n' >src/base/base.h
  printf '/* Kernel; #include "store/x.h" in a comment is none. */\n#include "base/base.h"\n' >src/kernel/k.c
  printf '/* Opens OpenBLAS. */\n#include <dlfcn.h>\nvoid *p(void) { return dlopen("x", 1); }\n' >src/kernel/gemm.c
  printf '/* Tensor. */\n#include "base/base.h"\n' >src/tensor/t.c
  printf '/* Store. */\n#include <sqlite3.h>\n' >src/store/s.h
  printf '/* Plot. */\nint f(void) { return posix_spawnp("gnuplot"); }\n' >src/plot/p.c
  cat >src/bind/lua_t.c <<'END'
/* Bind. */
#include <lua.h>
#include "store/s.h"
static const luaL_Reg functions[] = {
  {"tanh", l_tanh}, /* {"comment", no} */
  {"open", l_open},
  {NULL, NULL},
};
static const luaL_Reg methods[] = {{"tanh", l_tanh}, {"__gc", l_gc}, {NULL, NULL}};
END
  cat >lua/rnnlab/meta/core.lua <<'END'
---@meta
local core, Tensor = {}, {}
---Hyperbolic tangent.
function core.tanh(x) end
---Opens.
---@param x string
function core.open(x) end
---The same as a method.
function Tensor:tanh() end
END
  cat >lua/rnnlab/init.lua <<'END'
-- The face.
local core = require "rnnlab.core"
local M = {}
--- Runs.
function M.run() return core end
function M._private() end
return M
END
  printf -- '-- A script.\nlocal r = require "rnnlab"\nlocal h = require "helper"\n' >scripts/a.lua
  printf -- '-- Beside it.\nreturn {}\n' >scripts/helper.lua
}

run() { "$lua" "$folder/$check.lua" "$work/tree" >"$work/out" 2>&1; }

# must_name TEXT: the check must fail on the tree as it is now, and say TEXT.
must_name() {
  if run; then
    echo "not noticed: $1"
    bad=1
  elif ! grep -qF -- "$1" "$work/out"; then
    echo "noticed, but not as \"$1\":"
    cat "$work/out"
    bad=1
  fi
  good_tree
}

good_tree
if ! run; then
  echo "the good tree does not pass:"
  cat "$work/out"
  exit 1
fi

case $check in
  layering)
    echo '#include "store/s.h"' >>src/kernel/k.c; must_name 'src/kernel/k.c:3: room kernel may not see room store'
    echo '# include "tensor/t.c"' >>src/base/base.h; must_name 'room base may not see room tensor'
    echo '#include "plot/p.c"' >>src/store/s.h; must_name 'room store may not see room plot'
    echo '#include <lauxlib.h>' >>src/tensor/t.c; must_name 'includes <lauxlib.h>, which is for bind/, app/ only'
    echo '#include <sqlite3.h>' >>src/bind/lua_t.c; must_name 'includes <sqlite3.h>, which is for store/ only'
    echo '#include "../base/base.h"' >>src/kernel/k.c; must_name 'write "room/file.h"'
    echo '#include "base/none.h"' >>src/kernel/k.c; must_name 'which does not exist'
    echo '#include "attic/a.h"' >>src/kernel/k.c; must_name 'there is no room attic'
    mkdir src/attic; echo '/* A. */' >src/attic/a.c; must_name 'src/attic/a.c:1: is in no room'
    echo 'void *q = dlopen("y", 1);' >>src/tensor/t.c; must_name 'calls dlopen, which is for kernel/gemm.c only'
    echo 'int q(void) { return system("ls"); }' >>src/plot/p.c; must_name 'calls system'
    printf 'char *n = "gnuplot";\nint q(void) { return execvp(n, 0); }\n' >>src/bind/lua_t.c
    must_name 'starts gnuplot, which only src/plot/ does'
    echo 'local x = require("posix")' >>lua/rnnlab/init.lua; must_name 'lua/rnnlab/init.lua:8: requires "posix"'
    echo 'local ok, x = pcall(require, "lfs")' >>lua/rnnlab/init.lua; must_name 'requires "lfs"'
    echo 'local x = require(name)' >>lua/rnnlab/init.lua; must_name 'whose name is not written out'
    echo 'local c = require "rnnlab.core"' >>scripts/a.lua; must_name 'scripts/a.lua:4: requires "rnnlab.core"'
    rm -rf src lua scripts; must_name 'nothing was checked'
    ;;
  file_rules)
    yes '/* line */' | head -n 651 >src/base/long.c; must_name 'src/base/long.c:651: 651 lines; at most 650'
    printf '/* A. */\n%0130d\n' 0 >src/base/wide.c; must_name 'src/base/wide.c:2: 130 characters'
    echo 'int a;' >src/base/a.c; must_name 'src/base/a.c:1: opens without a comment'
    printf '/* A. */\n\tint a;\n' >src/base/a.c; must_name 'has a tab'
    printf '/* A. */\nint a; \n' >src/base/a.c; must_name 'ends in blanks'
    printf '/* A. */' >src/base/a.c; must_name 'does not end with a newline'
    echo "-- TO""DO: later" >>lua/rnnlab/init.lua; must_name 'has the marker'
    echo "-- /ho""me/me/x" >>scripts/a.lua; must_name 'names a folder of one machine'
    rm -rf src lua scripts; must_name 'nothing was checked'
    ;;
  doc_coverage)
    echo 'static const luaL_Reg more[] = {{"secret", l_s}, {NULL, NULL}};' >>src/bind/lua_t.c
    must_name 'secret is registered but not documented'
    echo 'static const luaL_Reg more[] = {{"open", l_s}, {NULL, NULL}};' >>src/bind/lua_t.c
    must_name 'open is registered 2 times but documented 1 times'
    echo 'static const luaL_Reg more[] = {UNARY(exp) {NULL, NULL}};' >>src/bind/lua_t.c
    must_name 'cannot read UNARY(exp)'
    echo 'void o(void) { lua_pushcfunction(L, f); lua_setfield(L, -2, "single"); }' >>src/bind/lua_t.c
    must_name 'single is registered but not documented'
    echo 'function core.bare(x) end' >>lua/rnnlab/meta/core.lua
    must_name 'bare is declared without a --- comment'
    echo 'function M.naked() end' >>lua/rnnlab/init.lua; must_name 'naked has no comment above it'
    echo '-- Two dashes.' >>lua/rnnlab/init.lua; echo 'function M.bare() end' >>lua/rnnlab/init.lua
    must_name 'bare has no comment above it'
    printf -- '-- T.\nlocal M = {}\nfunction M.plain() end\n' >lua/rnnlab/text.lua
    must_name 'text.lua:3: plain has no comment above it'
    echo 'local t = {}' >lua/rnnlab/meta/x.lua; must_name 'does not begin with ---@meta'
    rm -rf src lua; must_name 'nothing was checked'
    ;;
esac
[ "$bad" -eq 0 ] && echo "$check: passes the good tree and names each planted fault"
exit "$bad"
