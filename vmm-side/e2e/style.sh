#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# style.sh BUILD: what tools say of our files, without running them; KTAP on stdout. Needs
# built guest, host and qemu in BUILD.

set -u

cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=/dev/null
. ./versions.mk
# shellcheck source=vmm-side/e2e/ktap.sh
. vmm-side/e2e/ktap.sh
build=$(realpath "$1")
export PYTHONPATH="$PWD/vmm-side" PYTHONPYCACHEPREFIX="$build/pycache"

# ours ARGUMENT...: find, in all but what is made
ours()
{
	find . -type d \( -path ./build -o -path ./results -o -path ./.git -o -name __pycache__ \) -prune \
		-o -type f "$@" -printf '%P\n' | sort
}

# ---- C: the kernel's checkpatch, --strict -----------------------------------

check="$build/src/linux-base/scripts/checkpatch.pl --strict --no-tree --terse --no-summary"

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

# kind FILE: which of these it is for; QEMU has a style of its own
kind()
{
	case $1 in
	vmm-side/qemu/overlay/*) ;;
	guest-kitten/*) echo kitten ;;
	*/include/symbiotic/*.h | vmm-side/include/*) echo abi ;;
	*_trace.h) echo trace ;;
	*/overlay/*) echo common ;;
	*/tests/* | */bench/* | vmm-side/*) echo user ;;
	*) echo common ;;
	esac
}

# checkpatch KIND IGNORED_TYPES: all files of that kind
checkpatch()
{
	ours -name '*.[chS]' | while read -r f; do
		[ "$(kind "$f")" != "$1" ] || echo "$f"
	done >"$build/style.files"
	[ -s "$build/style.files" ] || return 1
	# shellcheck disable=SC2086 # a command and its options
	xargs -n 4 -P "${JOBS:-2}" $check --ignore "$2" -f <"$build/style.files"
}

# By a pipe: checkpatch takes a file that git knows for a source file.
checkpatch_patches()
{
	bad=0
	for f in guest-linux/patches/"$LINUX"/*.patch vmm-side/kvm/patches/"$LINUX"/*.patch; do
		# shellcheck disable=SC2086 # a command and its options
		$check --ignore "$patch" - <"$f" | sed "s|^-:|$f:|" >"$build/style.out"
		[ ! -s "$build/style.out" ] || bad=1
		cat "$build/style.out"
	done
	return $bad
}

subtest 'checkpatch, kernel files' checkpatch common $common
subtest 'checkpatch, headers of interfaces' checkpatch abi "$abi"
subtest 'checkpatch, traces' checkpatch trace "$trace"
subtest 'checkpatch, lightweight kernel' checkpatch kitten "$kitten"
subtest 'checkpatch, programs' checkpatch user "$user"
subtest 'checkpatch, kernel patches' checkpatch_patches
# It leaves a cache where it runs.
rm -f .checkpatch-camelcase.* "$build/style.files" "$build/style.out"

# ---- C: what it means -------------------------------------------------------

sparse_kitten()
{
	said=$(make -s -C guest-kitten sparse 2>&1) && ! echo "$said" | grep -E ': (warning|error)'
}

subtest 'sparse, guest' vmm-side/e2e/sparse.py "$build/guest"
subtest 'sparse, host' vmm-side/e2e/sparse.py "$build/host" "$build/guest"
subtest 'sparse, lightweight kernel' sparse_kitten
subtest 'configurations of the guest kernel' vmm-side/e2e/configs.sh "$build"
subtest 'QEMU without KVM has all functions' vmm-side/qemu/tests/stub.sh "$build"

# ---- shell and Python -------------------------------------------------------

# programs INTERPRETER: by the first line, whatever they are called
programs()
{
	# shellcheck disable=SC2016 # awk's
	ours | xargs -d '\n' awk -v program="$1" \
		'FNR == 1 && /^#!/ && $0 ~ "[/ ]" program "$" { print FILENAME } { nextfile }'
}

check_shell()
{
	{ ours -name '*.sh'; programs sh; } | sort -u | xargs -d '\n' shellcheck
}

# check_types: modules that a script finds beside itself have the same names in several
# folders, so each folder is checked alone; tests see the one above as well
check_types()
{
	bad=0
	for dir in $( (ours -name '*.py'; programs python3) | xargs -n 1 dirname | sort -u); do
		path=$PYTHONPATH
		[ -e "$dir/__init__.py" ] || path=$path:$dir:$(dirname "$dir")
		(ours -path "./$dir/*.py" ! -path "./$dir/*/*"; programs python3 | grep "^$dir/[^/.]*$") |
			MYPYPATH=$path xargs mypy --cache-dir "$build/mypy" || bad=1
	done
	return $bad
}

subtest 'shellcheck' check_shell
subtest 'flake8' flake8
subtest 'mypy --strict' check_types
subtest 'licences, paths and links of all files' vmm-side/e2e/tracked.py
plan
