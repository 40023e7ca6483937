# Sourced by quickstart and test: brings a Debian or Ubuntu machine to where Berth builds and runs. Installs only what is missing.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' green='' red='' plain=''; fi

say() { printf '%s\n' "${dim}→${plain} $*"; }
die() { printf '%s\n' "${red}✗ $*${plain}" >&2; exit 1; }

# Runs a command as root: directly, or through sudo where one is not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this step needs root and there is no sudo; as root, run: $*"
  fi
}

# require_package PACKAGE TEST...: notes the package for install_missing unless the test holds.
missing=()
require_package() {
  local package=$1; shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

# Programs in sbin count too: a user's search path often lacks it.
has() { PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1"; }
has_name_server() { [ -x /usr/lib/podman/aardvark-dns ] || [ -x /usr/libexec/podman/aardvark-dns ] || has aardvark-dns; }
has_static_busybox() { [ -x /bin/busybox ] && ! ldd /bin/busybox; }

require_runtime_packages() {
  require_package crun has crun
  require_package runc has runc
  require_package conmon has conmon
  require_package nftables has nft
  require_package aardvark-dns has_name_server
  require_package iproute2 has ip
  require_package busybox-static has_static_busybox
  require_package docker-registry has docker-registry
  require_package catatonit has catatonit
  require_package ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
}

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "please install these packages and try again: ${missing[*]}"
  say "installing ${missing[*]}"
  local log; log=$(mktemp)
  if ! as_root bash -s -- "${missing[@]}" >"$log" 2>&1 <<'ROOT'
set -e
export DEBIAN_FRONTEND=noninteractive
# Debian starts what it installs; a registry nobody asked for shall not take port 5000.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
apt-get install -y --no-install-recommends "$@" || { apt-get update; apt-get install -y --no-install-recommends "$@"; }
for package in "$@"; do
  if [ "$package" = docker-registry ] && [ -d /run/systemd/system ]; then systemctl disable docker-registry || true; fi
done
ROOT
  then
    tail -n 15 "$log" >&2
    die "apt-get could not install: ${missing[*]} (whole output: $log)"
  fi
  rm -f "$log"
}

# npm packages, Node 24 among them, as the lock file says; again only when the lock file changed.
install_npm_packages() {
  cd "$root_dir"
  command -v npm >/dev/null || die "npm is missing; install Node with npm first (any Node from 18 on: it only fetches the right one)"
  local stamp=node_modules/.lock-checksum checksum
  checksum=$(sha256sum package-lock.json | cut -d' ' -f1)
  if [ ! -x node_modules/.bin/node ] || [ "$(cat "$stamp" 2>/dev/null)" != "$checksum" ]; then
    say "installing npm packages, Node 24 among them"
    local log; log=$(mktemp)
    npm ci --no-audit --no-fund >"$log" 2>&1 || { tail -n 15 "$log" >&2; die "npm ci failed (whole output: $log)"; }
    rm -f "$log"
    printf '%s\n' "$checksum" >"$stamp"
  fi
  export PATH=$root_dir/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
  # Costs every start of Node tens of milliseconds; nothing from here on leaves this machine.
  unset NODE_EXTRA_CA_CERTS
}
