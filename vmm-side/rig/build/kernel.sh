#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh TREE OUT "FRAGMENT..." TARGET...: configure and build a kernel.
#
# The objects live in a directory directly below the source tree, where the
# kernel's makefiles use relative paths, and OUT is a symbolic link to it: so
# ccache recognizes a file that two trees, or two clones, have in common.

set -eu

cc=$(realpath "$(dirname "$0")")/cc.sh
tree=$(realpath "$1") out=$2 fragments=$3
shift 3

obj=$tree/obj-$(basename "$out")
mkdir -p "$obj"
ln -sfn "$(realpath --relative-to="$(dirname "$out")" "$obj")" "$out"

kmake()
{
	# A fixed build time, user and host: identical sources, identical image.
	make -C "$tree" O="$obj" CC="$cc" HOSTCC="$cc" \
		KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=build \
		KBUILD_BUILD_HOST=build "$@"
}

# Every requested option must be in the result: Kconfig drops silently what
# lacks a dependency. Of several requests for one option the last one counts.
check_config()
{
	bad=0
	tac "$obj/request.config" | awk -F= '/^CONFIG_/ && !seen[$1]++' >"$obj/request.last"
	while IFS= read -r line; do
		case $line in
		CONFIG_*=n)
			sym=${line%%=*}
			grep -q "^$sym=" "$obj/.config" || continue
			;;
		CONFIG_*=*)
			sym=${line%%=*}
			grep -qxF "$line" "$obj/.config" && continue
			;;
		*)
			continue
			;;
		esac
		echo "kernel.sh: asked for $line, got: $(grep -w "$sym" "$obj/.config" || echo 'nothing')" >&2
		bad=1
	done <"$obj/request.last"
	return $bad
}

# The configuration is made anew only if the request or a Kconfig file has other
# contents, and replaced only if it differs: both keep incremental builds small.
# shellcheck disable=SC2086 # a list of files
cat $fragments >"$obj/request.config.new"
stamp=$( { cat "$obj/request.config.new"; find "$tree" -path "$tree/obj-*" -prune -o \
	-name 'Kconfig*' -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum)
if [ ! -e "$obj/.config" ] || [ "$stamp" != "$(cat "$obj/request.stamp" 2>/dev/null)" ]; then
	mv "$obj/request.config.new" "$obj/request.config"
	kmake KCONFIG_ALLCONFIG="$obj/request.config" KCONFIG_CONFIG=.config.new allnoconfig
	cmp -s "$obj/.config.new" "$obj/.config" || cp "$obj/.config.new" "$obj/.config"
	rm -f "$obj/.config.new"
	check_config
	echo "$stamp" >"$obj/request.stamp"
else
	rm "$obj/request.config.new"
fi

export CCACHE_NOHASHDIR=1
kmake -j"${JOBS:-2}" "$@"
