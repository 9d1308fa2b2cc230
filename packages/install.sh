# shellcheck shell=bash
# packages/install.sh - install what is missing; read by ./run and ./test.
#
#     install_packages LIST...
#
# Each LIST names one Debian package a line.  With nothing missing this takes a few
# milliseconds and needs neither network nor privileges.

# Print the packages of the given lists that are not installed.
missing_packages() {
	local wanted installed
	wanted=$(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$@" | sort -u)
	# dpkg-query fails when it has never heard of one of them, as on any fresh machine;
	# under `pipefail` that must not end the caller's shell with an empty list.
	# shellcheck disable=SC2086
	installed=$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true; } |
		sed -n 's/^installed //p' | sort -u)
	comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed")
}

install_packages() {
	local missing
	local -a as_root=()

	command -v dpkg-query >/dev/null || {
		echo "This is no Debian. Please install by hand what these files name: $*" >&2
		return 1
	}
	mapfile -t missing < <(missing_packages "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0

	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo)
		command -v sudo >/dev/null || {
			echo "Some packages are missing and sudo is not here. Please run as root:" >&2
			echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
			return 1
		}
	fi
	echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
	"${as_root[@]}" bash -s -- "${missing[@]}" <<'ROOT'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)

# Debian starts a service as soon as it is installed. These are wanted as programs.
made_policy=
if [ ! -e "$policy" ]; then
	made_policy=yes
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
services=()
for package in "$@"; do
	case $package in
	varnish) services+=(varnish varnishncsa) ;;
	lighttpd) services+=(lighttpd) ;;
	postgresql) services+=(postgresql) ;;
	redis-server) services+=(redis-server) ;;
	ceph-mon) services+=(ceph-mon.target ceph-crash) ;;
	ceph-mgr | ceph-osd) services+=("$package.target") ;;
	radosgw) services+=(ceph-radosgw.target) ;;
	nginx) services+=(nginx) ;;
	haproxy) services+=(haproxy) ;;
	esac
done
finish() { [ -z "$made_policy" ] || rm -f "$policy"; }
trap finish EXIT

can_install() { "${apt[@]}" install --no-install-recommends --simulate "$@" >/dev/null 2>&1; }
can_install "$@" || "${apt[@]}" update
log=$(mktemp)
if ! "${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1; then
	# The lists may be older than the archive.
	"${apt[@]}" update
	"${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		rm -f "$log"
		exit 1
	}
fi
rm -f "$log"
# Nor at the next boot. Only what was not here before: a service that somebody uses stays.
if [ "${#services[@]}" -gt 0 ] && command -v systemctl >/dev/null; then
	systemctl disable "${services[@]}" >/dev/null 2>&1 || true
fi
ROOT
}
