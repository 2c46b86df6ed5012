#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fetch.sh linux|qemu DEST: unpack a pristine source tree from Debian.
#
# The kernel comes from the installed package linux-source-$LINUX. QEMU comes by
# `apt-get source`, in the version that this Debian has, through an apt configuration that is private to the build:
# its entries are the system's own binary entries turned into deb-src ones, so
# a mirror or a signing key configured on this machine is used here too, and
# nothing of the system's configuration changes.

set -eu

# shellcheck source=/dev/null
. "$(dirname "$0")/../../../versions.mk"
what=$1 dest=$2
work=$dest.tmp

sources_as_src()
{
	# deb822 files first, then one-line files; only enabled, Debian-style
	# entries whose type includes binary packages.
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		sed -e 's/^Types:.*/Types: deb-src/' "$f" >>"$apt/sources.d/$(basename "$f")"
	done
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -e "$f" ] || continue
		sed -n -e 's/^deb\([[:space:]]\)/deb-src\1/p' "$f" \
			>>"$apt/sources.d/$(basename "$f" .list).list"
	done
}

rm -rf "$work"
case $what in
linux)
	tarball=/usr/src/linux-source-$LINUX.tar.xz
	mkdir -p "$work"
	tar -C "$work" --strip-components=1 --use-compress-program='xz -T0' -xf "$tarball"
	;;
qemu)
	apt=$dest.apt
	rm -rf "$apt"
	mkdir -p "$apt/sources.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/src"
	sources_as_src
	cat >"$apt/apt.conf" <<-EOF
	Dir::Etc::sourcelist "-";
	Dir::Etc::sourceparts "$apt/sources.d";
	Dir::State::lists "$apt/lists";
	Dir::Cache "$apt/cache";
	APT::Sandbox::User "root";
	EOF
	export APT_CONFIG="$apt/apt.conf"
	apt-get -q update
	(cd "$apt/src" && apt-get -q --download-only source qemu)
	# Debian's own patches are part of what Debian ships.
	dpkg-source --no-check -x "$apt"/src/qemu_*.dsc "$work"
	rm -rf "$apt"
	;;
*)
	echo "fetch.sh: unknown source $what" >&2
	exit 1
	;;
esac
mv "$work" "$dest"
