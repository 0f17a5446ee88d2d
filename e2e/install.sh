#!/usr/bin/env bash
# Installs what the end-to-end tests need: PostgreSQL and Redis from Debian's packages where they are missing, and Synapse
# and the client library in a virtual environment. Does nothing, quickly, where all is there.
#
# usage: e2e/install.sh [VENV]      default: .cache/venv beside the go.mod
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${1:-$here/../.cache/venv}
requirements=$here/requirements.txt
stamp=$venv/.e2e-requirements

say() { echo "e2e/install.sh: $*" >&2; }

has_postgres() {
	command -v initdb >/dev/null && command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

has_redis() { command -v redis-server >/dev/null; }

# Each test starts servers of its own. So the packages shall neither make a cluster, nor start a service, nor have one
# started at the next boot.
install_packages() {
	local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/axon-e2e.conf
	local made=()
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		made+=("$policy")
	fi
	if [[ ! -e $cluster ]]; then
		mkdir -p "${cluster%/*}"
		echo 'create_main_cluster = false' >"$cluster"
		made+=("$cluster")
	fi
	# shellcheck disable=SC2064 # the list as it is now: it is gone when the trap runs
	trap "rm -f ${made[*]}" EXIT
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
	if command -v systemctl >/dev/null; then
		SYSTEMD_OFFLINE=1 systemctl --quiet disable "$@" || say "could not keep $* from starting at boot"
	fi
}

packages=()
has_postgres || packages+=(postgresql)
has_redis || packages+=(redis-server)
if ((${#packages[@]})); then
	if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
		say "missing: ${packages[*]}. Install them, or run this once as root on Debian or Ubuntu: apt-get install ${packages[*]}"
		exit 1
	fi
	install_packages "${packages[@]}" >&2
fi

[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
wanted=$(sha256sum <"$requirements")
if [[ ! -e $stamp || $(<"$stamp") != "$wanted" ]]; then
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
	echo "$wanted" >"$stamp"
fi
