#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the benchmark programs on small arrays and checks that they accept right
# data, and that they notice one damaged word.
#
#   check.sh DIR	the directory with the programs

set -u
dir=$1
# shellcheck source=vmm-side/e2e/ktap.sh
. "$(dirname "$0")/../../vmm-side/e2e/ktap.sh"

# expect NAME STATUS PATTERN COMMAND...
expect()
{
	name=$1 status=$2 pattern=$3
	shift 3
	out=$("$@" 2>&1)
	got=$?
	if [ "$got" -eq "$status" ] && printf '%s\n' "$out" | grep -Eq "$pattern"; then
		result 0 "$name"
	else
		result 1 "$name" "status $got, wanted $status and /$pattern/"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

all='checked=([0-9]+) of=\1 wrong=0'

expect stream-constant 0 "verify result=ok $all" "$dir/stream" -m 6 -n 3
expect stream-random 0 "verify result=ok $all" "$dir/stream" -m 7 -n 3 -c random
expect stream-compressible 0 "verify result=ok $all" "$dir/stream" -m 7 -n 3 -c compressible
expect stream-triad 0 "verify result=ok $all" "$dir/stream" -m 6 -n 2 -k triad -c random
expect stream-cut-short 0 "verify result=ok $all" "$dir/stream" -m 48 -n 2 -c random -t 0.000001
expect stream-cut-short-says-so 0 'bytes=65536 .*complete=0' "$dir/stream" -m 48 -n 2 -t 0.000001
expect stream-no-time 0 "verify result=ok $all" "$dir/stream" -m 6 -n 200 -k scale,triad -c random -T 0.000001
expect stream-some-time 0 "verify result=ok $all" "$dir/stream" -m 6 -n 200 -c random -T 0.01
expect stream-most-passes 0 "verify result=ok $all" "$dir/stream" -m 1 -n 250 -c random
expect stream-damage 1 'verify result=WRONG.* wrong=1 ' "$dir/stream" -m 6 -n 3 -X
expect stream-damage-random 1 'verify result=WRONG.* wrong=1 ' "$dir/stream" -m 6 -n 3 -c random -X
expect stream-exit 0 '^exit seconds=0\.' "$dir/stream" -m 6 -n 1 -x
expect stream-exit-damage 1 'result=WRONG' "$dir/stream" -m 6 -n 1 -x -X
expect stream-usage 2 usage "$dir/stream" -c zeroes

expect gups 0 "verify result=ok $all" "$dir/gups" -m 2 -n 2
expect gups-four-updates 0 'pass=1 .*updates=524288 .*complete=1' "$dir/gups" -m 1
expect gups-cut-short 0 "verify result=ok $all" "$dir/gups" -m 2 -n 2 -t 0.000001
expect gups-cut-short-says-so 0 'updates=[0-9]+ .*complete=0' "$dir/gups" -m 2 -n 2 -t 0.000001
expect gups-no-time 0 "verify result=ok $all" "$dir/gups" -m 2 -n 200 -T 0.000001
expect gups-damage 1 'verify result=WRONG.* wrong=1 ' "$dir/gups" -m 2 -X
expect gups-odd-size 2 usage "$dir/gups" -m 3
expect gups-exit 0 '^exit seconds=0\.' "$dir/gups" -m 2 -u 1000 -x

expect kv 0 "verify result=ok $all" "$dir/kv" -m 2 -n 2
expect kv-writes 0 "verify result=ok $all" "$dir/kv" -m 2 -n 2 -w 100 -H 1
expect kv-shift 0 "verify result=ok $all" "$dir/kv" -m 2 -n 12 -S -H 99
expect kv-cut-short 0 'ops=[0-9]+ .*complete=0' "$dir/kv" -m 2 -n 2 -t 0.000001
expect kv-damage 1 'verify result=WRONG.* wrong=1 ' "$dir/kv" -m 2 -X

expect memperf 0 'verify result=ok' "$dir/memperf" -m 1 -n 1
expect memperf-points 0 'kernel=update .*bytes=1048576 stride=512 ' "$dir/memperf" -m 1 -n 1
expect memperf-damage 1 'verify result=WRONG' "$dir/memperf" -m 1 -n 1 -X
expect memperf-no-time 0 "^verify result=ok" "$dir/memperf" -m 64 -n 1 -T 0.000001
expect memperf-odd-size 2 usage "$dir/memperf" -m 3

expect forkmix 0 "verify result=ok $all" "$dir/forkmix" -m 2 -n 2 -u 5 -p 1
expect forkmix-cut-short 0 'ops=[0-9]+ .*complete=0' "$dir/forkmix" -m 2 -u 500 -p 1 -t 0.01
expect forkmix-damage 1 'verify result=WRONG.* wrong=1 ' "$dir/forkmix" -m 2 -n 1 -u 1 -p 1 -X
expect forkmix-exit 0 '^exit seconds=0\.' "$dir/forkmix" -m 2 -n 1 -u 2 -p 1 -x

# pulse COMMAND...: end it after a second
pulse()
{
	"$@" &
	beating=$!
	sleep 1
	kill $beating
	wait $beating
}

expect pulse 0 'pulse beats=[0-9]{2,} longest_s=[0-9]+\.[0-9]+$' pulse "$dir/pulse" -p 10 -m 64
expect pulse-verifies 0 "verify result=ok $all" pulse "$dir/pulse" -p 10
expect pulse-damage 1 'verify result=WRONG.* wrong=1 ' pulse "$dir/pulse" -p 10 -X

expect procloop 0 '^loop rounds=3 tsc=[0-9]+$' "$dir/procloop" 3

plan
