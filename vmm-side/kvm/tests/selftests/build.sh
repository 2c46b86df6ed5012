#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# build.sh BUILD: the kernel's own tests of KVM, as they are in BUILD/src/linux-base, linked
# with paging_wrap.c; they become BUILD/tools/selftest-NAME, on the path of L1.

set -eu
top=$(cd "${0%/*}/../../../.." && pwd)
build=$1
out=$build/selftests
src=$build/src/linux-base

# Those that take seconds, and ask for nothing that shadow paging has not got: not how many
# huge pages there are (dirty_log_page_splitting_test, nx_huge_pages_test).
tests='coalesced_io_test demand_paging_test dirty_log_test guest_print_test
	kvm_page_table_test memslot_modification_stress_test memslot_perf_test
	set_memory_region_test steal_time system_counter_offset_test
	x86_64/cr4_cpuid_sync_test x86_64/debug_regs x86_64/exit_on_emulation_failure_test
	x86_64/fix_hypercall_test x86_64/kvm_clock_test x86_64/kvm_pv_test
	x86_64/nested_exceptions_test x86_64/platform_info_test x86_64/recalc_apic_map_test
	x86_64/set_sregs_test x86_64/smm_test x86_64/state_test x86_64/svm_int_ctl_test
	x86_64/svm_nested_shutdown_test x86_64/svm_nested_soft_inject_test
	x86_64/svm_vmcall_test x86_64/sync_regs_test x86_64/triple_fault_event_test
	x86_64/tsc_msrs_test x86_64/userspace_io_test x86_64/userspace_msr_exit_test
	x86_64/vmx_apic_access_test x86_64/vmx_close_while_nested_test
	x86_64/vmx_dirty_log_test x86_64/vmx_exception_with_invalid_guest_state
	x86_64/vmx_invalid_nested_guest_state x86_64/vmx_nested_tsc_scaling_test
	x86_64/vmx_preemption_timer_test x86_64/vmx_set_nested_state_test
	x86_64/vmx_tsc_adjust_test x86_64/xapic_ipi_test x86_64/xapic_state_test'

mkdir -p "$out" "$build/tools"
[ -e "$out/headers/include/linux/kvm.h" ] ||
	make -s -C "$src" headers_install O="$out/kbuild" INSTALL_HDR_PATH="$out/headers"
gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I"$top/vmm-side/include" -I"$top/symspy/include" \
	-c "$top/vmm-side/kvm/tests/selftests/paging_wrap.c" -o "$out/paging_wrap.o"
# Without -static: L1 has the libraries of QEMU.
# shellcheck disable=SC2046 # a list
make -s -C "$src/tools/testing/selftests/kvm" -j "${JOBS:-2}" OUTPUT="$out" \
	KHDR_INCLUDES="-isystem $out/headers/include" \
	LDFLAGS="-pthread -no-pie -Wl,--wrap=ioctl $out/paging_wrap.o" \
	$(for t in $tests; do echo "$out/$t"; done)
for t in $tests; do
	install -s -m 755 "$out/$t" "$build/tools/selftest-${t##*/}"
done
