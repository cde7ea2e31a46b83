#!/bin/sh
# shell.sh ROOT [SHELLCHECK]: the project's shell scripts parse as POSIX sh (.ci/run as bash) and pass the
# linter where it is installed.
set -eu
cd "$1"
linter=${2:-}
bad=0
for script in bootstrap tests/*.sh tests/*/*.sh .ci/run; do
  [ -f "$script" ] || continue
  shell="sh"
  if head -n 1 "$script" | grep -q bash; then
    shell="bash"
  fi
  if command -v "$shell" >/dev/null; then
    "$shell" -n "$script" || bad=1
  fi
  case $linter in
    '' | *-NOTFOUND) ;;
    *) "$linter" "$script" || bad=1 ;;
  esac
done
for script in bootstrap .ci/run; do
  [ -x "$script" ] || { echo "$script is not executable"; bad=1; }
done
exit "$bad"
