#!/bin/sh
# gnuplot_plain.sh: gnuplot for tests whose Lua runs with a sanitizer preloaded: without it, since gnuplot's
# own leaks are not ours to report.
unset LD_PRELOAD
exec gnuplot "$@"
