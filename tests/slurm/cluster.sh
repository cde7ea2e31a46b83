#!/bin/sh
# cluster.sh start ROOT PID | kill ROOT NODE | node ROOT NODE | stop ROOT: a Slurm of two nodes, n1 and n2, in a folder.
# It is stopped when process PID is gone, however that ends. `kill` is what a machine that loses its power looks like:
# the node's daemon and all it runs get SIGKILL; `node` starts it again. Signals go to processes of ROOT, no others.
set -eu
PATH=$PATH:/usr/sbin:/sbin
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$2
conf=$root/slurm.conf

# A zombie is not alive: whoever should reap it may be slow.
alive() { [ -n "$1" ] && [ -r "/proc/$1/stat" ] && ! grep -q ') Z ' "/proc/$1/stat" 2>/dev/null; }

pid_of() { cat "$root/$1.pid" 2>/dev/null || :; }

# with LINE...: processes whose environment has all these lines.
with() {
  for dir in /proc/[0-9]*; do
    variables=$(tr '\0' '\n' 2>/dev/null <"$dir/environ") || continue
    for line in "$@"; do
      printf '%s\n' "$variables" | grep -qxF "$line" || continue 2
    done
    echo "${dir#/proc/}"
  done
}

free_port() { # the first of three in a row that nobody listens at
  port=$((20000 + $$ * 3 % 12000))
  while for p in $port $((port + 1)) $((port + 2)); do printf ':%04X \n' "$p"; done |
    grep -qf - /proc/net/tcp; do
    port=$((port + 3))
  done
  echo "$port"
}

node() { SLURM_CONF=$conf slurmd -N "$1"; }

start() {
  mkdir -p "$root/state" "$root/spool-n1" "$root/spool-n2"
  chmod 755 "$root"
  port=$(free_port)
  sed -e "s|@ROOT@|$root|g; s|@HOST@|$(hostname -s)|g; s|@USER@|$(id -un)|g" -e "s|@PORT@|$port|" \
    -e "s|@PORT1@|$((port + 1))|; s|@PORT2@|$((port + 2))|" "$here/slurm.conf.in" >"$conf"
  (umask 077 && head -c 128 /dev/urandom >"$root/munge.key")
  # The watch over PID comes first: whatever is started is stopped.
  # shellcheck disable=SC2016
  setsid sh -c 'while kill -0 "$2" 2>/dev/null; do sleep 1; done; sh "$0" stop "$1"' \
    "$here/cluster.sh" "$root" "$1" >/dev/null 2>&1 </dev/null &
  munged --key-file="$root/munge.key" --socket="$root/munge.socket" --pid-file="$root/munged.pid" \
    --log-file="$root/munged.log" --seed-file="$root/munged.seed" --force
  SLURM_CONF=$conf slurmctld -c
  node n1
  node n2
  for _ in $(seq 200); do
    [ "$(SLURM_CONF=$conf sinfo -h -N -o %t 2>/dev/null | grep -c idle)" = 2 ] && return 0
    sleep 0.1
  done
  echo "cluster.sh: the nodes did not come up" >&2
  tail -n 5 "$root"/*.log >&2
  return 1
}

kill_node() {
  daemon=$(pid_of "slurmd-$1")
  jobs=$(with "SLURM_CONF=$conf" "SLURMD_NODENAME=$1")
  steps=
  for job in $jobs; do # their slurmstepd, which watches over them
    parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$job/status" 2>/dev/null || :)
    grep -qx slurmstepd "/proc/${parent:-0}/comm" 2>/dev/null && steps="$steps $parent"
  done
  # Word splitting is meant: lists of numbers.
  # shellcheck disable=SC2086
  kill -9 $daemon $steps $jobs 2>/dev/null || :
  [ -n "$jobs" ] || { echo "cluster.sh: nothing ran on $1" >&2; return 1; }
}

stop() {
  [ -d "$root" ] || return 0
  if alive "$(pid_of slurmctld)"; then
    SLURM_CONF=$conf timeout 5 scancel -u "$(id -un)" 2>/dev/null || :
  fi
  for daemon in slurmd-n1 slurmd-n2 slurmctld munged; do
    pid=$(pid_of "$daemon")
    alive "$pid" || continue
    kill "$pid" 2>/dev/null || :
    for _ in $(seq 50); do
      alive "$pid" || break
      sleep 0.1
    done
    alive "$pid" && kill -9 "$pid"
  done
  for pid in $(with "SLURM_CONF=$conf"); do # what is left of their jobs
    kill -9 "$pid" 2>/dev/null || :
  done
  rm -f "$root"/*.pid
}

case $1 in
  start) start "$3" ;;
  kill) kill_node "$3" ;;
  node) node "$3" ;;
  stop) stop ;;
esac
