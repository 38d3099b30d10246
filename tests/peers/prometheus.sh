#!/usr/bin/env bash
# Puts a real Prometheus into a folder without installing it on the machine: Debian's package, unpacked.
# Usage: prometheus.sh DIR. Prints the binary's path. The stable release's package (2.42) knows remote write 1.0
# only, so a newer suite is asked first, from the mirror that this machine already uses; its lists stay in DIR.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
bin=$dir/unpacked/usr/bin/prometheus
# A machine whose libc is older than the newer package's would find a binary that does not start.
works() { [ -x "$bin" ] && "$bin" --version >/dev/null 2>&1; }
works && { echo "$bin"; exit 0; }
command -v apt-get >/dev/null || { echo "prometheus.sh: no apt-get here" >&2; exit 1; }

unpack() { # apt options...
    rm -rf "$dir/unpacked" "$dir"/*.deb
    (cd "$dir" && apt-get "$@" download prometheus) >&2 && dpkg -x "$dir"/prometheus_*.deb "$dir/unpacked" && works
}

newer() { # suite: apt reads a copy of the machine's Debian sources in which only the suite differs
    local mirror list=$dir/$1.list lists=$dir/lists-$1
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE 's/^(URIs:|deb) +(\[[^]]*\] +)?([^ ]+debian\/?)( .*)?$/\3/p' | head -n 1)
    [ -n "$mirror" ] || return 1
    mkdir -p "$lists/partial"
    echo "deb $mirror $1 main" >"$list"
    local options=(-o "Dir::Etc::SourceList=$list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists"
        -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Get::List-Cleanup=0)
    apt-get "${options[@]}" update >&2 && unpack "${options[@]}"
}

newer forky || newer sid || unpack || { apt-get update >&2 && unpack; }
echo "$bin"
