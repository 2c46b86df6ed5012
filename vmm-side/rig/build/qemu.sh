#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh SRC OUT: configure (once, and when this file says something else) and build a
# minimal QEMU.
#
# Only what runs an x86 virtual machine under KVM, with the devices of
# configs/devices/x86_64-softmmu/symbiotic.mak. Debug information would be a
# quarter of the build.

set -eu

src=$1 out=$2
cc=$(realpath "$(dirname "$0")")/cc.sh
mkdir -p "$out"
cd "$out"
export CCACHE_BASEDIR="${src%/src/qemu}" CCACHE_NOHASHDIR=1
set -- --cc="$cc" --host-cc="$cc" \
	--target-list=x86_64-softmmu --without-default-features \
	--without-default-devices --with-devices-x86_64=symbiotic \
	--enable-kvm --disable-tcg --disable-docs --disable-debug-info
if [ ! -e build.ninja ] || [ "$*" != "$(cat configure.asked 2>/dev/null)" ]; then
	"$src/configure" "$@"
	echo "$*" >configure.asked
fi
ninja -j"${JOBS:-2}" qemu-system-x86_64
