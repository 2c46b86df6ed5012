#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# with-libs.sh DIR PROGRAM...: copy dynamic programs and their libraries into a
# directory for FILES=, so that they run in the guest.

set -eu

dir=$1
shift
mkdir -p "$dir/lib" "$dir/lib64"

# By contents: another file may be older than the one it replaces.
copy()
{
	cmp -s "$1" "$2/${1##*/}" || cp -L "$1" "$2/"
}

for p in "$@"; do
	copy "$p" "$dir"
	# The loader goes where the program asks for it, /lib64; the rest to lib.
	ldd "$p" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p' | while read -r lib; do
		case $lib in
		*/ld-linux*) copy "$lib" "$dir/lib64" ;;
		*) copy "$lib" "$dir/lib" ;;
		esac
	done
done
