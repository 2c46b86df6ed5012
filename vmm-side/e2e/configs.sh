#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# configs.sh BUILD: do the guest's memory-management files compile in all sensible
# configurations? Each is build/guest's with some options changed, and what Kconfig
# makes of that; the files are compiled as there, but only up to the syntax, so that
# it takes seconds. Needs build/guest.

set -u

cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "$1")
tree=$build/src/linux-guest obj=$(realpath "$build/guest")
cc=$PWD/vmm-side/rig/build/cc.sh
work=$build/tests/configs
passed=0 failed=0
rm -rf "$work"
mkdir -p "$work"

# What is compiled: all that is ours and configured, and files with our hooks.
hooks='mm/swapfile mm/memory'
bypass='mm/symbiotic_bypass mm/tests/symbiotic_bypass_kunit'
in_place='mm/symswap mm/tests/symswap_kunit'
# Nothing but the KUnit suites and core/ is without its own prefix there.
rest='SYMBIOTIC_KUNIT_TEST=n SYMBIOTIC_TEST=n SYMBIOTIC_DMA_OFFSET=n'

# configure DIR OPTION=VALUE...: DIR/.config, and the header that says the same
configure()
{
	dir=$1
	shift
	mkdir -p "$dir/generated"
	cp "$obj/.config" "$dir/.config"
	for option in "$@"; do
		echo "CONFIG_$option"
	done >>"$dir/.config"
	make -s -C "$tree" O="$obj" CC="$cc" HOSTCC="$cc" KCONFIG_CONFIG="$dir/.config" \
		olddefconfig >"$dir/log" 2>&1 || return
	sed -n 's/^\(CONFIG_[^=]*\)=y$/#define \1 1/p
		s/^\(CONFIG_[^=]*\)=m$/#define \1_MODULE 1/p
		s/^\(CONFIG_[^=]*\)=\([^ym].*\)$/#define \1 \2/p' "$dir/.config" \
		>"$dir/generated/autoconf.h"
	# Kconfig drops silently what lacks a dependency.
	for option in "$@"; do
		case $option in
		*=n) ! grep -q "^CONFIG_${option%=n}=" "$dir/.config" ;;
		*) grep -qx "CONFIG_$option" "$dir/.config" ;;
		esac || { echo "asked for $option"; grep -w "CONFIG_${option%=*}" "$dir/.config"; return 1; }
	done
}

# compile DIR FILE: as in build/guest, but by DIR's header
compile()
{
	command=$(sed -n 's/^savedcmd_[^ ]* := \(.*\) -c -o [^ ]* \([^ ;]*\.c\).*/\1 -fsyntax-only -c \2/p' \
		"$obj/$(dirname "$2")/.$(basename "$2").o.cmd")
	[ -n "$command" ] || { echo "no command for $2"; return 1; }
	# The first directory that has generated/autoconf.h counts.
	(cd "$obj" && eval "${command%% *} -I$1 -Werror ${command#* }" 2>&1)
}

# check DIR FILES OPTION=VALUE...
check()
{
	dir=$1 files=$2
	shift 2
	configure "$dir" "$@" || return
	for f in $files; do
		compile "$dir" "$f" || return
	done
}

# config FILES OPTION=VALUE...: one line of the result
config()
{
	files="$1 drivers/block/symswap $hooks"
	shift
	dir=$work/$((passed + failed))
	mkdir -p "$dir"
	if check "$dir" "$files" "$@" >"$dir/out"; then
		passed=$((passed + 1))
		echo "ok $*"
	else
		failed=$((failed + 1))
		echo "not ok $*"
		tail -n 20 "$dir/log" "$dir/out"
	fi
}

# shellcheck disable=SC2086 # lists
{
	config "$in_place $bypass" SYMSWAP_IN_PLACE=y SYMBIOTIC_BYPASS=y
	config "$in_place" SYMBIOTIC_BYPASS=n
	config "$bypass" SYMSWAP_IN_PLACE=n
	config mm/symswap SYMSWAP_IN_PLACE=y SYMBIOTIC_GUEST=n $rest
	config '' SYMBIOTIC_GUEST=n SYMSWAP_IN_PLACE=n $rest
	config '' SYMSWAP=m SYMBIOTIC_BYPASS=n SYMSWAP_IN_PLACE=n
	config 'mm/symswap mm/symbiotic_bypass' $rest
	config "$in_place $bypass" MEMCG=y MEMCG_V1=y
	config "$in_place $bypass" MEMCG=n TRANSPARENT_HUGEPAGE=n KSM=n USERFAULTFD=n ZSWAP=n LRU_GEN=n
	config "$in_place $bypass" HIBERNATION=n SUSPEND=n DEBUG_VM=y
	config "$bypass" SYMSWAP_IN_PLACE=n ZONE_DEVICE=n VIRTIO_PMEM=n NVDIMM_PFN=n
}

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
