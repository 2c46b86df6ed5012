#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# configs.sh BUILD: do the options of window.config stay as they are in a small kernel, and do
# the guest's memory-management files, and those of modules, compile in
# all sensible configurations? Each is build/guest's with some options changed in the header that
# the compiler sees, without asking Kconfig, and only the syntax is checked: it takes
# seconds. Needs build/guest.

set -u

cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "$1")
obj=$(realpath "$build/guest")
work=$build/tests/configs
# shellcheck source=vmm-side/e2e/ktap.sh
. vmm-side/e2e/ktap.sh
rm -rf "$work"
mkdir -p "$work/generated"

# The fragment for small kernels, as Kconfig sees it beside small.config: it drops silently what
# lacks something. Sizes are of `make window-size`.
window_fragment()
{
	cat guest-linux/config/small.config guest-linux/config/window.config >"$work/request"
	cc=$PWD/vmm-side/rig/build/cc.sh
	# With the programs of build/guest; nothing there is changed, if they are called the same.
	make -s -C "$build/src/linux-guest" O="$obj" CC="$cc" HOSTCC="$cc" \
		KCONFIG_ALLCONFIG="$work/request" KCONFIG_CONFIG="$work/config" allnoconfig || return
	options=$(grep '^[^#]' guest-linux/config/window.config)
	[ "$(echo "$options" | wc -l)" -le 10 ] || { echo 'more than ten options'; return 1; }
	for option in $options; do
		grep -qx "CONFIG_[A-Z0-9_]*=y" <<-END && grep -qxF "$option" "$work/config" && continue
		$option
		END
		echo "$option: $(grep -w "${option%=*}" "$work/config" || echo nothing)"
		return 1
	done
}

# header OPTION=VALUE...: generated/autoconf.h with these changed, to y, m or n
header()
{
	cp "$obj/include/generated/autoconf.h" "$work/generated/autoconf.h"
	for option in "$@"; do
		name=CONFIG_${option%=*}
		sed -i "/^#define ${name}\(_MODULE\)\? /d" "$work/generated/autoconf.h"
		case $option in
		*=y) echo "#define $name 1" ;;
		*=m) echo "#define ${name}_MODULE 1" ;;
		esac >>"$work/generated/autoconf.h"
	done
}

# compile FILE: as in build/guest, but by that header
compile()
{
	command=$(sed -n 's/^savedcmd_[^ ]* := \(.*\) -c -o [^ ]* \([^ ;]*\.c\).*/\1 -fsyntax-only -c \2/p' \
		"$obj/$(dirname "$1")/.$(basename "$1").o.cmd")
	[ -n "$command" ] || { echo "no command for $1"; return 1; }
	# The first directory that has generated/autoconf.h counts.
	(cd "$obj" && eval "gcc -I$work -Werror ${command#* }" 2>&1)
}

# compiles FILES OPTION=VALUE...
compiles()
{
	files=$1
	shift
	header "$@"
	for f in $files; do
		compile "$f" || return
	done
}

# config FILES OPTION=VALUE...: one result. Besides FILES, the driver and a file with
# most of the hooks.
config()
{
	files="$1 $driver/disk mm/swapfile"
	shift
	subtest "$*" compiles "$files" "$@"
}

subtest 'window.config' window_fragment
driver=drivers/block/symswap
bypass=mm/symbiotic_bypass
in_place=$(cd guest-linux/overlay && find mm -path 'mm/symswap*.c' | sed 's/\.c$//')
config "$in_place" SYMBIOTIC_BYPASS=n
config "$bypass" SYMSWAP_IN_PLACE=n
config "$in_place" SYMBIOTIC_GUEST=n SYMBIOTIC_BYPASS=n SYMBIOTIC_TEST=n
config '' SYMBIOTIC_GUEST=n SYMBIOTIC_BYPASS=n SYMSWAP_IN_PLACE=n SYMBIOTIC_TEST=n
config '' SYMSWAP=m SYMBIOTIC_BYPASS=n SYMSWAP_IN_PLACE=n
config "$in_place $bypass" SYMBIOTIC_TEST=n KUNIT=n
config "$in_place $bypass" MEMCG_V1=y DEBUG_VM=y
config $driver/pci SYMSWAP_VIRTIO=n SYMSWAP_IN_PLACE=n SYMBIOTIC_BYPASS=n
config $driver/virtio PCI=n
# group.c is for memory cgroups.
config "$(echo "$in_place" | grep -v group) mm/memory mm/swap" MEMCG=n
config "$in_place" NUMA=y NODES_SHIFT=y USE_PERCPU_NUMA_NODE_ID=y
config "$in_place $bypass" USERFAULTFD=n PTE_MARKER_UFFD_WP=n ZSWAP=n KSM=n HIBERNATION=n
modules='kernel/module/main kernel/module/signing'
config "$modules arch/x86/symbiotic/symspy" SYMBIOTIC_MODULES=n
config "$modules" SYMBIOTIC_GUEST=n SYMBIOTIC_BYPASS=n SYMBIOTIC_TEST=n SYMBIOTIC_MODULES=n
config 'arch/x86/symbiotic/modules arch/x86/symbiotic/offer kernel/module/symbiotic' PM_SLEEP=n \
	KUNIT=n

plan
