#!/bin/sh
# usage: same_as.sh FILE COMMAND [WORD...]
#
# Succeed if COMMAND prints exactly what is in FILE; else say how to put it right.
file=$1
shift
if "$@" | diff -u "$file" -; then
	exit 0
fi
echo "$file is out of date.  Make it anew: $* > $file"
exit 1
