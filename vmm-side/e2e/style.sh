#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# style.sh BUILD: checkpatch --strict on every C file and patch that goes into a
# kernel, sparse on what is compiled there, shellcheck on every script. Needs
# configured build/guest and build/host.

set -u

cd "$(dirname "$0")/../.." || exit 1
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

checkpatch=$build/src/linux-base/scripts/checkpatch.pl
# MAINTAINERS and module.lds are the base tree's; a commit header that names
# no author is for whoever sends the patch upstream.
ignore=FILE_PATH_CHANGES,MISSING_SIGN_OFF,COMMIT_MESSAGE,MAINTAINERS_STYLE,EMAIL_SUBJECT

kernel_files()
{
	find guest-linux/overlay vmm-side/kvm/overlay symspy symcall swapbypass \
		\( -path '*/tests/*' -o -path '*/bench/*' \) -prune -o -name '*.[chS]' -print
	find guest-linux/overlay -path '*/tests/*.c'
}

# shellcheck disable=SC2046 # one word per file, no spaces in names
"$checkpatch" --strict --no-tree --terse --no-summary --ignore "$ignore" -f $(kernel_files | sort) \
	>"$build/style.out" 2>&1
result 'checkpatch --strict, kernel files' $?
"$checkpatch" --strict --no-tree --terse --no-summary --ignore "$ignore" \
	guest-linux/patches/6.12/*.patch vmm-side/kvm/patches/6.12/*.patch >"$build/style.out" 2>&1
result 'checkpatch --strict, kernel patches' $?

# Test programs and tools keep the same style; what only kernel code must do
# (no sscanf, no volatile, ...) does not apply to them.
# shellcheck disable=SC2046
"$checkpatch" --strict --no-tree --terse --no-summary --ignore "$ignore" \
	--ignore AVOID_EXTERNS,SSCANF_TO_KSTRTO,VOLATILE,PREFER_KERNEL_TYPES,CONSTANT_COMPARISON \
	-f $(find symspy symcall swapbypass vmm-side -path '*/overlay/*' -prune -o \
	\( -path '*/tests/*.[ch]' -o -path '*/bench/*.[ch]' -o -path '*/tools/*.[ch]' \) -print | sort) \
	>"$build/style.out" 2>&1
result 'checkpatch --strict, programs' $?

# sparse TREE OBJDIR TARGET...: our files must not appear in what it says
sparse_tree()
{
	tree=$1 obj=$2 ours=$3
	shift 3
	flock "$build/$obj.lock" make -C "$build/src/$tree" O="$(realpath "$build/$obj")" \
		C=2 CHECK=sparse -j"${JOBS:-2}" "$@" >"$build/sparse.out" 2>&1
	status=$?
	grep -E "^(\.\./)?[^ ]*($ours)[^ ]*:[0-9]+:[0-9]+: (warning|error)" "$build/sparse.out" >"$build/style.out"
	[ $status = 0 ] || tail -n 20 "$build/sparse.out" >>"$build/style.out"
	[ -s "$build/style.out" ]
	result "sparse, $tree" $((1 - $?))
	rm -f "$build/sparse.out"
}
sparse_tree linux-guest guest 'symbiotic|symswap' arch/x86/symbiotic/ mm/symbiotic_bypass.o \
	drivers/block/symswap.o
sparse_tree linux-host host 'symbiotic' arch/x86/kvm/

# shellcheck disable=SC2046
shellcheck $(find . -path ./build -prune -o -name '*.sh' -print) vmm-side/rig/l1/init vmm-side/rig/guest/init \
	.ci/run >"$build/style.out" 2>&1
result shellcheck $?

python3 -m compileall -q vmm-side/rig vmm-side/e2e swapbypass/experiment >"$build/style.out" 2>&1
result 'python compiles' $?

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
