#!/bin/bash
# storaged.sh - start, stop and show the storages, or those of the named sections.
# shellcheck source=scripts/installation.sh
. "$(dirname "$(readlink -f "$0")")/installation.sh"

usage() { echo "usage: scripts/storaged.sh [--home DIR] start|stop|restart|status [NAME...]"; }

find_home "$@"
[ "${#words[@]}" -gt 0 ] || { usage >&2; exit 2; }
action=${words[0]}
names=("${words[@]:1}")
[ "${#names[@]}" -gt 0 ] && names=("${names[@]/#/storage_server-}") || names=(storage_server)
act "$action" "${names[@]}"
