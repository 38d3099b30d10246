#!/usr/bin/env bash
# Installs the peers that the suites talk to, once, into a folder: a Python environment with the packages of
# requirements.txt, a Prometheus, an Alertmanager, and (for the benchmarks) a VictoriaMetrics. What cannot be had is said, and its suite says
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
# The public validator of FOCUS: it needs Python 3.12, and a DuckDB older than the readers' of requirements.txt.
focus_validator() {
    local wanted=$here/../requirements-focus.txt python
    cmp -s "$wanted" "$dir/focus-venv/installed.txt" && return 0
    for python in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 python3; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
        python=
    done
    [ -n "$python" ] || { echo "peers: no Python 3.12 here" >&2; return 1; }
    rm -rf "$dir/focus-venv"
    "$python" -m venv "$dir/focus-venv" &&
        "$dir/focus-venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$dir/focus-venv/installed.txt"
}
focus_validator || { rm -rf "$dir/focus-venv"; echo "peers: no validator of FOCUS; its suite will be skipped" >&2; }
program() { # folder, Debian's package
    bash "$here/debian.sh" "$dir/$1" "$2" >/dev/null 2>"$dir/$1.log" ||
        echo "peers: no $2 (see $dir/$1.log); its suite will be skipped" >&2
}
program prometheus prometheus
program victoria victoria-metrics
# Debian's Alertmanager starts only where it is installed, so Go's comes first.
alertmanager() {
    bash "$here/go.sh" "$dir/alertmanager-go" github.com/prometheus/alertmanager v0.33.1 cmd/alertmanager \
        >"$dir/alertmanager-go.path" 2>"$dir/alertmanager-go.log"
}
alertmanager || { rm -f "$dir/alertmanager-go.path"; program alertmanager prometheus-alertmanager; }
# Its verdicts are written down in tests/tests/rules.rs; who wants to ask it again waits ten minutes for its build.
if [ -n "${PROMTOOL:-}" ]; then
    bash "$here/go.sh" "$dir/promtool-go" github.com/prometheus/prometheus v0.316.0 cmd/promtool \
        >"$dir/promtool-go.path" 2>"$dir/promtool-go.log" || rm -f "$dir/promtool-go.path"
fi
# A real API server of Kubernetes and its etcd: built once, for who asks for them; that takes half an hour on two cores.
if [ -n "${KUBE:-}" ]; then
    bash "$here/kube.sh" "$dir/kube-go" v1.37.2 v3.7.3 >"$dir/kube-go.path" 2>"$dir/kube-go.log" || {
        rm -f "$dir/kube-go.path"
        echo "peers: no kube-apiserver (see $dir/kube-go.log); its suite will be skipped" >&2
    }
fi
exit 0
