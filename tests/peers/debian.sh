#!/usr/bin/env bash
# Puts a program of Debian's into a folder without installing it on the machine: the package, unpacked.
# Usage: debian.sh DIR PACKAGE. Prints the program's path; it must be called like the package. The stable release's packages
# may be old (its Prometheus knows remote write 1.0 only, and it has no VictoriaMetrics), so a newer suite is asked first, from
# the mirror that this machine already uses; its lists stay in DIR.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd) package=$2
bin=$dir/unpacked/usr/bin/$package
# A machine whose libc is older than the newer package's would find a binary that does not start.
works() { [ -x "$bin" ] && "$bin" --version >/dev/null 2>&1; }
works && { echo "$bin"; exit 0; }
command -v apt-get >/dev/null || { echo "debian.sh: no apt-get here" >&2; exit 1; }

unpack() { # apt options...
    rm -rf "$dir/unpacked" "$dir"/*.deb
    (cd "$dir" && apt-get "$@" download "$package") >&2 && dpkg -x "$dir/$package"_*.deb "$dir/unpacked" && works
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
