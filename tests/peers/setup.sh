#!/usr/bin/env bash
# Installs the peers that the suites talk to, once, into a folder: a Python environment with the packages of
# requirements.txt, a Prometheus, and (for the benchmarks) a VictoriaMetrics. What cannot be had is said, and its suite says
# SKIPPED.
# Usage: setup.sh DIR
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && dir=$(cd "$1" && pwd)
wanted=$here/../requirements.txt

python_peers() {
    cmp -s "$wanted" "$dir/venv/installed.txt" && return 0
    command -v python3 >/dev/null || { echo "peers: no python3 here (Debian: apt-get install python3-venv)" >&2; return 1; }
    rm -rf "$dir/venv"
    python3 -m venv "$dir/venv" &&
        "$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$dir/venv/installed.txt"
}

python_peers || { rm -rf "$dir/venv"; echo "peers: no Python environment; the suites that need it will be skipped" >&2; }
program() { # folder, Debian's package
    bash "$here/debian.sh" "$dir/$1" "$2" >/dev/null 2>"$dir/$1.log" ||
        echo "peers: no $2 (see $dir/$1.log); its suite will be skipped" >&2
}
program prometheus prometheus
program victoria victoria-metrics
exit 0
