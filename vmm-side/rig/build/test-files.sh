#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# test-files.sh BUILD: what the machines of the tests need besides kernels and QEMU.
#
#   BUILD/tests/files   the guest's /files: programs and scripts of all tests/guest
#                       directories, fuzz_mm and its corpus, benchmarks, cpuid and dmsetup
#                       with their libraries, a kernel for kexec
#   BUILD/tools         on the path of L1: programs and scripts for hosts; modules/,
#                       which hosts offer their guests

set -e
build=$1
files=$build/tests/files
mkdir -p "$files" "$build/tools"

program()
{
	make --no-print-directory -C "$1" OUT="$2" O="$2"
}

for dir in */tests/guest swapbypass/tests/fuzz_mm vmm-side/*/tests/guest vmm-side/qemu/tests */bench; do
	[ ! -e "$dir/Makefile" ] || program "$dir" "$files"
done
program vmm-side/kvm/tests "$build/tools"
program vmm-side/kvm/tests/fuzz-kvm "$build/tools"
program guest-linux/tests/host "$build/tools"

install -m 755 ./*/tests/host/*.sh vmm-side/*/tests/host/*.sh vmm-side/e2e/ktap.sh \
	swapbypass/experiment/two_guests.sh "$build/tools"
install -m 755 vmm-side/e2e/ktap.sh "$files"
# What has gone from the corpus goes from here.
rm -rf "$files/fuzz_mm_corpus"
cp -r swapbypass/tests/fuzz_mm/corpus "$files/fuzz_mm_corpus"
# Of another kernel's, nothing stays.
rm -rf "$build/tools/modules"
for kernel in guest debug; do
	[ ! -e "$build/$kernel/arch/x86/symbiotic/tests/symtest.ko" ] ||
		guest-linux/tests/make_modules.py "$build" "$kernel" "$build/tools/modules"
done
# For guests that load one themselves, to compare.
rm -rf "$files/modules"
for f in "$build"/tools/modules/[0-9a-f]*/nvme.ko; do
	[ ! -e "$f" ] || install -D -m 644 "$f" "$files/modules/nvme.ko"
done
# For guests that are told of a module that they shall not load any more.
for f in "$build"/tools/modules/bad/*/revoked.hash "$build"/tools/modules/bad/*/revoked.p7s; do
	id=${f%/*} id=${id##*/}
	[ ! -e "$f" ] || install -D -m 644 "$f" "$files/modules/$id/${f##*/}"
done
vmm-side/rig/build/with-libs.sh "$files" /usr/bin/cpuid /usr/sbin/dmsetup
kernel=$build/guest/arch/x86/boot/bzImage
cmp -s "$kernel" "$files/bzImage" || cp "$kernel" "$files"
