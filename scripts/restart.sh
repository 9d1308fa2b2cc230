#!/bin/bash
# restart.sh - restart lighttpd and Varnish; the cache is empty afterwards.
# shellcheck source=scripts/installation.sh
. "$(dirname "$(readlink -f "$0")")/installation.sh"

usage() { echo "usage: scripts/restart.sh [--home DIR]"; }

find_home "$@"
[ "${#words[@]}" -eq 0 ] || { usage >&2; exit 2; }
act restart lighttpd varnishd
