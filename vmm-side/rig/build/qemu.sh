#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh SRC OUT: configure (once) and build a minimal QEMU.
#
# Only what runs an x86 virtual machine: KVM for L2, TCG so that the same
# binary can be tried without KVM.

set -eu

src=$1 out=$2
cc=$(realpath "$(dirname "$0")")/cc.sh
mkdir -p "$out"
cd "$out"
export CCACHE_BASEDIR="${src%/src/qemu}" CCACHE_NOHASHDIR=1
if [ ! -e build.ninja ]; then
	"$src/configure" --cc="$cc" --host-cc="$cc" \
		--target-list=x86_64-softmmu --without-default-features \
		--enable-tcg --enable-kvm --enable-fdt=system --disable-docs
fi
ninja -j"${JOBS:-2}" qemu-system-x86_64
