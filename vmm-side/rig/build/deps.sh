#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# deps.sh [PACKAGE...]: install the packages of packages.txt, and those that are named, that
# are missing. Does nothing, fast and without root, when all are there.

set -eu

cd "$(dirname "$0")"
# shellcheck source=/dev/null
. ../../../versions.mk
list=$(sed -e 's/#.*//' -e "s/\$LINUX/$LINUX/" packages.txt)
missing=
for p in $list "$@"; do
	state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || :)
	[ "$state" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "  DEPS   $missing"
if [ "$(id -u)" != 0 ]; then
	echo "make deps: these packages are missing and installing needs root:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words
apt-get -q -y --no-install-recommends install $missing
