# shellcheck shell=bash
# scripts/installation.sh - the running installation and its services; read by the
# scripts beside it.
#
# An installation is what `picstore up` (./run) keeps in its home: --home DIR, else
# $PICSTORE_HOME, else var/ in this tree.  Its supervisor is s6, with a folder for each
# service in HOME/run/service.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
tree=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
home=${PICSTORE_HOME:-$tree/var}
ready_s=120 # a first start may have to build
stop_s=30

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# find_home WORD...: take --home out of the words; what is left is in `words`.
find_home() {
	words=()
	while [ $# -gt 0 ]; do
		case $1 in
		--home) home=${2:?--home needs a folder}; shift ;;
		--home=*) home=${1#--home=} ;;
		-h | --help) usage; exit 0 ;;
		-*) usage >&2; exit 2 ;;
		*) words+=("$1") ;;
		esac
		shift
	done
	home=$(realpath -m -- "$home")
	services=$home/run/service
}

# The process of `picstore up`, or nothing.
up_pid() {
	local pid
	pid=$(cat "$home/.lock" 2>/dev/null) && [ "${pid:-0}" -gt 1 ] &&
		[ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//;s|.*/||')" = picstore ] &&
		echo "$pid"
}

need_up() { [ -n "$(up_pid)" ] || fail "nothing runs in $home; start it with: daemon.sh start"; }

# pick NAME...: the services that are called so, or NAME-INSTANCE; all without a NAME.
pick() {
	local name one found
	picked=()
	for name in "${@:-*}"; do
		found=
		for one in "$services"/*/; do
			one=$(basename "$one")
			# shellcheck disable=SC2053 # "*" is a pattern here
			if [[ $one = $name || ${one%%-*} = "$name" ]]; then
				picked+=("$one")
				found=yes
			fi
		done
		[ -n "$found" ] || fail "there is no service $name; there are: $(cd "$services" && echo *)"
	done
}

# until_state SERVICE SECONDS STATE: wait until s6-svstat says so. (s6-svwait cannot be used:
# as root it waits on a pipe that the services' user may not write to.)
until_state() {
	local waited
	for ((waited = 0; waited < $2 * 10; waited++)); do
		[ "$(s6-svstat -o up,ready "$services/$1")" != "$3" ] || return 0
		sleep 0.1
	done
	return 1
}

stop_services() {
	local one
	for one in "${picked[@]}"; do s6-svc -d "$services/$one"; done
	for one in "${picked[@]}"; do
		until_state "$one" $stop_s 'false false' || fail "$one does not stop"
		echo "$one is stopped"
	done
}

start_services() {
	local one
	for one in "${picked[@]}"; do s6-svc -u "$services/$one"; done
	for one in "${picked[@]}"; do
		until_state "$one" $ready_s 'true true' ||
			fail "$one does not become ready; see $home/log/$one/current"
		echo "$one is ready"
	done
}

# Exit status 1 if one of them is not ready.
show_services() {
	local one state status=0
	for one in "${picked[@]}"; do
		state=$(s6-svstat "$services/$one")
		printf '%-24s %s\n' "$one" "$state"
		case $state in up*ready*) ;; *) status=1 ;; esac
	done
	return $status
}

# act ACTION SERVICE...
act() {
	local action=$1
	shift
	need_up
	pick "$@"
	case $action in
	start) start_services ;;
	stop) stop_services ;;
	restart) stop_services; start_services ;;
	status) show_services ;;
	*) usage >&2; exit 2 ;;
	esac
}

# The whole, in the background.  $PICSTORE is the program; without it ./run builds one.
start_all() {
	local log pid waited
	log=$(mktemp "${TMPDIR:-/tmp}/picstore-up.XXXXXX")
	if [ -n "${PICSTORE:-}" ]; then setsid "$PICSTORE" up --home "$home" >"$log" 2>&1 </dev/null &
	else setsid "$tree/run" --home "$home" >"$log" 2>&1 </dev/null & fi
	pid=$!
	for ((waited = 0; waited < ready_s * 10; waited++)); do
		if grep -q '^Ctrl-C stops everything' "$log"; then
			echo "picstore runs in $home; what it says is in $log"
			return
		fi
		kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; rm -f "$log"; fail "it does not start"; }
		sleep 0.1
	done
	fail "it is not ready after $ready_s seconds; see $log"
}

stop_all() {
	local pid
	pid=$(up_pid) || fail "nothing runs in $home"
	kill -TERM "$pid"
	# Every part holds the lock: it is free when the last one has ended.
	flock -w "$stop_s" "$home/.lock" true || fail "parts still run in $home"
	echo "Everything is stopped"
}
