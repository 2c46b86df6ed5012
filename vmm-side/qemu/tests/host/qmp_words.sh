#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qmp_words.sh SEED STEPS: our QMP commands with arguments that make sense, or do not, while
# the guest runs. QEMU answers each, by a result or an error, and goes on; so does the
# guest. Runs in the host, with QMP set.

set -u
seed=$1 steps=$2 taken=0 refused=0
# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh
trap 'symcall word 9' EXIT

# pick N: a number below it, into $picked; the same ones for the same seed
pick()
{
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	picked=$((seed / 65536 % $1))
}

# one_of WORD...: into $word
one_of()
{
	pick $#
	shift "$picked"
	word=$1
}

number()
{
	one_of 0 1 2 3 255 65535 4294967295 9223372036854775807 18446744073709551615 -1 \
		-9223372036854775808 1.5 1e3 null true '""' '"0"' '[]' '{}' 99999999999999999999
}

text()
{
	one_of '"a"' '"b"' '""' '"\u0000"' '"\ud800"' '"\u001b[31m"' 7 null '["a"]' \
		'"a-name-that-is-rather-long-a-name-that-is-rather-long-a-name-that-is-rather-long"'
}

args()
{
	one_of '[]' '[1]' '[1,2,3,4,5]' '[1,2,3,4,5,6]' '[-1]' '["x"]' 'null' '{}' \
		'[18446744073709551615,0]' '[1,[2]]'
}

# member NAME GENERATOR: added to $json, as a rule
member()
{
	pick 8
	[ "$picked" != 0 ] || return
	"$2"
	json="$json${json:+,}\"$1\":$word"
}

policy()
{
	one_of '"nested"' '"shadow"' '"auto"' '"default"' '"off"' '""' 1 null
}

flag()
{
	one_of true false 0 null
}

nothing()
{
	one_of 1 '""' '{}'
}

choose()
{
	json=''
	pick 12
	case $picked in
	0 | 1 | 2)
		name=x-symcall
		member id text
		member cpu-index number
		member number number
		member args args
		member timeout number
		;;
	3)
		name=x-symbiotic-set-host-word
		member value number
		;;
	4)
		one_of x-symbiotic-set-swap-grant x-symbiotic-page-out
		name=$word
		member pages number
		;;
	5)
		name=x-set-paging
		member policy policy
		member wait flag
		;;
	6) name=x-query-symbiotic ;;
	7)
		name=x-symbiotic-module-load
		member id text
		member name text
		member fd text
		member args text
		member timeout number
		;;
	8)
		name=x-symbiotic-module-unload
		member id text
		member name text
		member timeout number
		;;
	9)
		name=x-symbiotic-module-guard
		member device text
		member module text
		;;
	10)
		one_of x-symbiotic-module-withdraw x-symbiotic-module-query
		name=$word
		;;
	*) name=x-query-paging ;;
	esac
	# What a command does not know.
	pick 8
	[ "$picked" != 0 ] || member surplus nothing
}

step=0
while [ $step -lt "$steps" ]; do
	step=$((step + 1))
	choose
	symcall qmp "$name" "{$json}" >"/run/words.$$" 2>&1
	case $? in
	0) taken=$((taken + 1)) ;;
	# 2: no JSON, and QEMU has not seen it. 3: an error of QEMU's; or that it says nothing.
	2 | 3)
		if grep -qE 'no answer|closed the connection|not QMP' "/run/words.$$"; then
			sed 's/^/# /' "/run/words.$$"
			fail "step $step: $name {$json}"
		fi
		refused=$((refused + 1))
		;;
	*)
		sed 's/^/# /' "/run/words.$$"
		fail "step $step: $name {$json}"
		;;
	esac
done
rm -f "/run/words.$$"
ok "$steps commands: $taken taken, $refused refused"
# What is left of calls that were made: no vCPU is busy for longer than a call may be.
wait_for symcall ping
ok 'the guest answers'
symcall qmp x-symbiotic-set-swap-grant '{"pages":18446744073709551615}' >/dev/null ||
	fail 'a grant'
plan
