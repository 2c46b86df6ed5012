#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh SRC OUT: configure (once) and build a minimal QEMU.
#
# Only what runs an x86 virtual machine under KVM, with the devices of
# configs/devices/x86_64-softmmu/symbiotic.mak.

set -eu

src=$1 out=$2
cc=$(realpath "$(dirname "$0")")/cc.sh
mkdir -p "$out"
cd "$out"
export CCACHE_BASEDIR="${src%/src/qemu}" CCACHE_NOHASHDIR=1
if [ ! -e build.ninja ]; then
	"$src/configure" --cc="$cc" --host-cc="$cc" \
		--target-list=x86_64-softmmu --without-default-features \
		--without-default-devices --with-devices-x86_64=symbiotic \
		--enable-kvm --disable-tcg --disable-docs
fi
ninja -j"${JOBS:-2}" qemu-system-x86_64
