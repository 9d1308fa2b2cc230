#!/bin/bash
# tracker.sh - start, stop and show the tracker.
# shellcheck source=scripts/installation.sh
. "$(dirname "$(readlink -f "$0")")/installation.sh"

usage() { echo "usage: scripts/tracker.sh [--home DIR] start|stop|restart|status"; }

find_home "$@"
[ "${#words[@]}" -eq 1 ] || { usage >&2; exit 2; }
act "${words[0]}" tracker_server
