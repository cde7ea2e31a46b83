#!/bin/sh
# run_busted.sh lua|cli|browser|tex SPEC: runs one busted spec file for CTest, from the source folder. All but a
# "cli" spec get the built rnnlab/core.so and the Lua side of the source tree; that only drives the program
# named by RNNLAB. Both can require modules beside the spec (require "helper" is tests/cli/helper.lua).
# A spec marked pending counts as skipped (77), so that it cannot pass unseen.
set -eu
kind=$1
spec=$2

paths="$RNNLAB_SOURCE/tests/$kind/?.lua"
preload=
if [ "$kind" != cli ]; then
  paths="$RNNLAB_SOURCE/lua/?.lua;$RNNLAB_SOURCE/lua/?/init.lua;$paths"
  LUA_CPATH_5_4="$RNNLAB_BUILD/lua/?.so;${LUA_CPATH_5_4:-${LUA_CPATH:-;;}}"
  export LUA_CPATH_5_4
  preload=${RNNLAB_TEST_PRELOAD:-}
fi
LUA_PATH_5_4="$paths;${LUA_PATH_5_4:-${LUA_PATH:-;;}}"
export LUA_PATH_5_4

# Debian's busted is a Lua file for whatever "lua" is; LuaRocks' is a shell wrapper that knows its Lua.
set -- "$RNNLAB_TEST_BUSTED" --helper="$RNNLAB_SOURCE/tests/busted_helper.lua" "$spec"
if head -n 1 "$RNNLAB_TEST_BUSTED" | grep -q lua; then
  set -- "$RNNLAB_TEST_LUA" "$@"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
if [ -n "$preload" ]; then
  env LD_PRELOAD="$preload" RNNLAB_GNUPLOT="$RNNLAB_SOURCE/tests/gnuplot_plain.sh" "$@" >"$log" 2>&1 || status=$?
else
  "$@" >"$log" 2>&1 || status=$?
fi
cat "$log"
[ "$status" -eq 0 ] || exit "$status"
if grep -q '[1-9][0-9]* pending' "$log"; then
  exit 77
fi
if grep -q '^0 successes' "$log"; then
  echo "run_busted.sh: $spec ran no test"
  exit 1
fi
