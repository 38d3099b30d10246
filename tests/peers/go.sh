#!/usr/bin/env bash
# Builds a program of a Go module into a folder, for machines that have Go but not the program.
# Usage: go.sh DIR MODULE VERSION PACKAGE (below the module). Prints the program's path.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd) module=$2 version=$3 package=$4
bin=$dir/$version/$(basename "$package")
[ -x "$bin" ] && { echo "$bin"; exit 0; }
command -v go >/dev/null || { echo "go.sh: no Go here" >&2; exit 1; }
source=$(mktemp -d)
trap 'chmod -R u+w "$source"; rm -rf "$source"' EXIT
export GOFLAGS=-modcacherw
downloaded=$(cd "$source" && go mod download -json "$module@$version" | sed -nE 's/^\t"Dir": "(.*)",?$/\1/p')
cp -r "$downloaded/." "$source" && chmod -R u+w "$source"
# A module carries no built web pages, which some of them embed: an empty one is enough here.
if [ -d "$source/ui/app" ] && [ ! -e "$source/ui/app/dist" ]; then
    mkdir "$source/ui/app/dist" && echo '<!doctype html>' >"$source/ui/app/dist/index.html"
fi
mkdir -p "$(dirname "$bin")"
(cd "$source" && go build -ldflags "-X github.com/prometheus/common/version.Version=${version#v}" -o "$bin" "./$package") >&2
echo "$bin"
