#!/usr/bin/env bash
# deb.sh BUILD VERSION LIBDIR: packs what `make` built for PREFIX=/usr into BUILD/egret_VERSION_ARCH.deb. Times come from
# SOURCE_DATE_EPOCH (the last commit's by default), so that the same sources give the same package in any directory.
set -euo pipefail
build=$1 version=$2 libdir=$3
arch=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

make -s BUILD="$build" DESTDIR="$stage" PREFIX=/usr LIBDIR="$libdir" SYSCONFDIR=/etc install
strip --strip-unneeded "$stage/usr/bin/egret" "$stage$libdir"/egret/*.so
gzip -9n "$stage"/usr/share/man/man*/*
install -d "$stage/usr/share/doc/egret" "$stage/DEBIAN"
install -m 644 README.md NEWS.md SECURITY.md "$stage/usr/share/doc/egret/"
install -m 644 LICENSE "$stage/usr/share/doc/egret/copyright"
cat >"$stage/DEBIAN/control" <<CONTROL
Package: egret
Version: $version
Architecture: $arch
Maintainer: The egret developers <egret@invalid.example>
Depends: libc6 (>= 2.34)
Recommends: ca-certificates
Section: net
Priority: optional
Description: allowlist of hosts and TLS origination for unmodified programs
 egret keeps a program inside an allowlist of external hosts and ports, and
 speaks TLS on its behalf to the hosts marked for origination, inside the
 program's own process.
CONTROL
(cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -b "$stage" "$build/egret_${version}_$arch.deb"
