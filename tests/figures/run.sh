#!/bin/sh
# run.sh LUA BUILD SCRIPT FOLDER: a script of this folder with the source tree's Lua side and the built core.so.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
LUA_PATH_5_4="$here/../../lua/?.lua;$here/../../lua/?/init.lua;;"
LUA_CPATH_5_4="$2/lua/?.so;;"
export LUA_PATH_5_4 LUA_CPATH_5_4
mkdir -p "$4"
exec "$1" "$here/$3" "$4"
