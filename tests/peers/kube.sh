#!/usr/bin/env bash
# Builds a Kubernetes API server and the etcd that it keeps its objects in from their Go modules into a folder, for machines that have Go but
# neither program. A module of Kubernetes carries none of the modules that its repository stages: those of the same release stand in for them.
# Usage: kube.sh DIR KUBERNETES ETCD (versions, such as v1.37.2 and v3.7.3). Prints the folder with kube-apiserver and etcd.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd) version=$2 etcd=$3
bin=$dir/$version
[ -x "$bin/kube-apiserver" ] && [ -x "$bin/etcd" ] && { echo "$bin"; exit 0; }
command -v go >/dev/null || { echo "kube.sh: no Go here" >&2; exit 1; }
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
# One package at a time at the lowest priority: it takes minutes, and others may be measuring.
export GOFLAGS="-modcacherw -mod=mod -p=1" GOWORK=off CGO_ENABLED=0
mkdir -p "$bin"
if [ ! -x "$bin/etcd" ]; then
    (cd "$made" && go mod init peers/etcd && go get "go.etcd.io/etcd/server/v3@$etcd" &&
        nice -n 14 go build -o "$bin/etcd.new" go.etcd.io/etcd/server/v3 && mv "$bin/etcd.new" "$bin/etcd") >&2
    rm -rf "${made:?}"/*
fi
if [ ! -x "$bin/kube-apiserver" ]; then
    source=$(cd "$made" && go mod download -json "k8s.io/kubernetes@$version" | sed -nE 's/^\t"Dir": "(.*)",?$/\1/p')
    sed -E "s#=> ./staging/src/(k8s.io/[a-z0-9-]+)#=> \1 v0.${version#v1.}#" "$source/go.mod" >"$made/go.mod"
    cp "$source/go.sum" "$made/go.sum"
    minor=${version#v1.}
    stamp="-s -w"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        stamp+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
    done
    (cd "$source" && nice -n 14 go build -modfile "$made/go.mod" -ldflags "$stamp" -o "$bin/kube-apiserver.new" ./cmd/kube-apiserver &&
        mv "$bin/kube-apiserver.new" "$bin/kube-apiserver") >&2
fi
echo "$bin"
