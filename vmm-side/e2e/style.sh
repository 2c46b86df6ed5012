#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# style.sh BUILD: checkpatch --strict on every C file and patch that goes into a
# kernel, sparse on what is compiled there, shellcheck on every script, and whether
# QEMU links without KVM. Needs configured build/guest and build/host, and build/qemu.

set -u

cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=/dev/null
. ./versions.mk
build=$(realpath "$1")
passed=0 failed=0 skipped=0
log=$build/log/style.log
mkdir -p "$build/log"
: >"$log"

# result NAME STATUS: one line; the log's new part on failure
result()
{
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
		echo "ok $1"
	else
		failed=$((failed + 1))
		echo "not ok $1"
		tail -n 40 "$build/style.out"
	fi
	{ echo "== $1, status $2"; cat "$build/style.out"; } >>"$log"
	rm -f "$build/style.out"
}

check="$build/src/linux-base/scripts/checkpatch.pl --strict --no-tree --terse --no-summary"
# checkfiles IGNORED_TYPES: files whose names come as input; what checkpatch says
# goes to style.out
checkfiles()
{
	# shellcheck disable=SC2086 # a command and its options
	xargs -r -n 4 -P "${JOBS:-2}" $check --ignore "$1" -f >>"$build/style.out" 2>&1
}

# A file is new to the kernel, but not to a tree with a MAINTAINERS file.
common=FILE_PATH_CHANGES
# The shared headers serve user space as well: no BIT(), no __packed, and C's
# own assert. A list X(...) X(...) is what checkpatch takes for a mistake.
abi=$common,BIT_MACRO,CAMELCASE,PREFER_DEFINED_ATTRIBUTE_MACRO,COMPLEX_MACRO,MACRO_ARG_REUSE
# TRACE_EVENT() has a layout of its own in all of the kernel.
trace=$common,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,SPACING,COMPLEX_MACRO
# The header of a patch here names no author; that is for sending it upstream.
patch=$common,MISSING_SIGN_OFF,COMMIT_MESSAGE,EMAIL_SUBJECT,COMMIT_LOG_LONG_LINE
# Programs use the C library and not the kernel's macros.
user=$common,AVOID_EXTERNS,SSCANF_TO_KSTRTO,VOLATILE,PREFER_KERNEL_TYPES,CONSTANT_COMPARISON
user=$user,BIT_MACRO,CAMELCASE,ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,EMBEDDED_FUNCTION_NAME
user=$user,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,PRINTK_WITHOUT_KERN_LEVEL,NEW_TYPEDEFS,SPACING

# A small kernel of its own has none of Linux's macros, and its own panic.
kitten=$user,AVOID_BUG,ENOSYS,FUNCTION_ARGUMENTS

bad=0
kernel_files=$(find guest-linux/overlay vmm-side/kvm/overlay vmm-side/include symspy symcall swapbypass dma-offset \
	   \( -path '[sd]*/tests/*' -o -path '*/bench/*' -o -path '*/experiment/*' \) -prune \
	   -o -name '*.[chS]' -print | sort)
is_abi='/include/symbiotic/.*\.h$\|^vmm-side/include/' is_trace='_trace\.h$'
echo "$kernel_files" | grep "$is_abi" | checkfiles "$abi" || bad=1
echo "$kernel_files" | grep "$is_trace" | checkfiles "$trace" || bad=1
echo "$kernel_files" | grep -v "$is_abi\|$is_trace" | checkfiles "$common" || bad=1
result 'checkpatch --strict, kernel files' $bad

bad=0
find guest-kitten -name '*.[chS]' | sort | checkfiles "$kitten" || bad=1
result 'checkpatch --strict, lightweight kernel' $bad

# By a pipe: checkpatch takes a file that git knows for a source file.
bad=0
for f in guest-linux/patches/"$LINUX"/*.patch vmm-side/kvm/patches/"$LINUX"/*.patch; do
	# shellcheck disable=SC2086 # a command and its options
	$check --ignore "$patch" - <"$f" >>"$build/style.out" 2>&1 || bad=1
	sed -i "s|^-:|$f:|" "$build/style.out"
done
result 'checkpatch --strict, kernel patches' $bad

bad=0
find symspy symcall swapbypass dma-offset vmm-side -path '*/overlay/*' -prune -o \
	\( -path '*/tests/*.[ch]' -o -path '*/bench/*.[ch]' -o -path '*/tools/*.[ch]' \) -print |
	sort | checkfiles "$user" || bad=1
result 'checkpatch --strict, programs' $bad
# checkpatch leaves a cache where it runs.
rm -f .checkpatch-camelcase.*

# sparse does not follow pte_offset_map_lock() and lock_cluster(), which have the lock
# only if they return something.
known="context imbalance in 'symswap_\(map_around\|claim\|hold\)'"
# sparse_tree TREE OBJDIR OURS TARGET...: our files must not appear in what
# it says. Built as ever, also with the same configuration, or the next build would
# find all commands changed.
sparse_tree()
{
	tree=$1 obj=$2 ours=$3
	shift 3
	flock "$build/$obj.lock" vmm-side/rig/build/kernel.sh "$build/src/$tree" "$build/$obj" "$build/$obj/request.config" \
		C=2 CHECK=sparse "$@" >"$build/sparse.out" 2>&1
	status=$?
	grep -E "^(\.\./)?[^ ]*($ours)[^ ]*:[0-9]+:[0-9]+: (warning|error)" "$build/sparse.out" |
		grep -v "$known" >"$build/style.out"
	[ $status = 0 ] || tail -n 20 "$build/sparse.out" >>"$build/style.out"
	[ -s "$build/style.out" ]
	result "sparse, $tree" $((1 - $?))
	rm -f "$build/sparse.out"
}
sparse_tree linux-guest guest 'symbiotic|symswap' arch/x86/symbiotic/ mm/symbiotic_bypass.o mm/symswap/ \
	drivers/block/symswap.o
sparse_tree linux-host host 'symbiotic|kvm-hold' arch/x86/kvm/
make -s -C guest-kitten sparse >"$build/style.out" 2>&1 && ! grep -qE ': (warning|error)' "$build/style.out"
result 'sparse, lightweight kernel' $?

vmm-side/e2e/configs.sh "$build" >"$build/style.out" 2>&1
result 'configurations of the guest kernel' $?

vmm-side/qemu/tests/stub.sh "$build" >"$build/style.out" 2>&1
result 'QEMU without KVM has all functions' $?

# shellcheck disable=SC2046
shellcheck $(find . -path ./build -prune -o -name '*.sh' -print) vmm-side/rig/l1/init vmm-side/rig/guest/init \
	.ci/run >"$build/style.out" 2>&1
result shellcheck $?

PYTHONPYCACHEPREFIX=$build/pycache python3 -m compileall -q vmm-side/rig vmm-side/e2e swapbypass/experiment guest-kitten/experiment \
	dma-offset/experiment >"$build/style.out" 2>&1
result 'python compiles' $?

vmm-side/e2e/tracked.py >"$build/style.out" 2>&1
result 'licences, paths and links of all files' $?

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
