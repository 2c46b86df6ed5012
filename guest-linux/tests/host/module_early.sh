#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# module_early.sh: a guest without any user space, which waits for a root file system that
# never comes, takes a module. Beside another guest, which lends its kernel's image.

set -u
trap 'symcall word 9; vm_quit early' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

SYMBIOTIC_MODULES=$(dirname "$(command -v module_test.sh)")/modules
export SYMBIOTIC_MODULES

# There is one of each kernel, with a number of its content.
set -- /run/images/guest-vmlinux-*
vm early -M pc,graphics=off -accel kvm -m 128 -bios /usr/share/qemu/qboot.rom \
	-cpu host,-tsc-deadline,-svm,-vmx,-xsave,-avx,-avx2,kvm-pv-eoi=off \
	-kernel "$1" -serial "file:$WORK/early" \
	-append 'console=ttyS0 nohz=off symbiotic.modules=signed root=/dev/vda rootwait' &
check 'it takes modules' vm_until early 'module list' '^policy signed$'
expect 0 '^symtest loaded$' symcall -q /run/early module load symtest
check 'says so' grep -q 'module symtest loaded, from the VMM' "$WORK/early"
check 'has no init' sh -c "! grep -q 'Run .* as init' $WORK/early"
expect 0 '^symtest unloaded$' symcall -q /run/early module unload symtest
plan
