#!/bin/bash
# daemon.sh - start, stop and show the services of the installation, or all of it.
# shellcheck source=scripts/installation.sh
. "$(dirname "$(readlink -f "$0")")/installation.sh"

usage() {
	cat <<'TXT'
usage: scripts/daemon.sh [--home DIR] start|stop|restart|status [SERVICE...]

Without a SERVICE: the whole installation. A SERVICE is a name that status shows, or that
name without its instance: storage_server for all storages.
TXT
}

find_home "$@"
[ "${#words[@]}" -gt 0 ] || { usage >&2; exit 2; }
case ${#words[@]}-${words[0]} in
1-start) if [ -n "$(up_pid)" ]; then act start; else start_all; fi ;;
1-stop) stop_all ;;
1-restart) stop_all; start_all ;;
*) act "${words[@]}" ;;
esac
