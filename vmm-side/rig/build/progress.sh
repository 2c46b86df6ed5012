#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# progress.sh LABEL LOG COMMAND...: run a long step.
#
# The full output goes to LOG. The terminal gets one line every 20 seconds:
# the elapsed time and what the step is doing. V=1 shows everything. On
# failure the end of the log is shown and the step's status is returned.
# When this is interrupted, so is the whole step.

set -u

label=$1 log=$2
shift 2
mkdir -p "$(dirname "$log")"
start=$(date +%s)

if [ "${V:-0}" = 1 ]; then
	echo "  $label (log: $log)"
	{ "$@" 2>&1; echo $? >"$log.status"; } | tee "$log"
	status=$(cat "$log.status")
	rm -f "$log.status"
	exit "$status"
fi

# A session of its own: a shell's background jobs ignore SIGINT, and a signal to the
# first process of a step alone leaves the others to go on.
setsid "$@" >"$log" 2>&1 &
job=$! ticker=
# shellcheck disable=SC2317,SC2086 # run by the traps; two numbers, or one
interrupted()
{
	trap '' INT TERM HUP
	kill -- "-$job" 2>/dev/null
	kill -KILL $ticker 2>/dev/null
	wait $job
	echo "  INTERRUPTED  $label" >&2
	exit $((128 + $1))
}
trap 'interrupted 1' HUP
trap 'interrupted 2' INT
trap 'interrupted 15' TERM

# Quick steps stay silent; the caller has already said what runs. A signal that comes before
# the number of this is known does not end it, so it looks: whoever started us may wait for
# all to close the output before he asks for our status, which makes us a zombie.
(
	while sleep 20 && grep -q '^State:[[:space:]]*[^ZX[:space:]]' /proc/$$/status 2>/dev/null; do
		last=$(tail -c 400 "$log" | tr '\r' '\n' | grep . | tail -n 1 | cut -c1-60)
		printf '  ... %-12s %4d s  %s\n' "$label" $(($(date +%s) - start)) "$last"
	done
) &
ticker=$!

wait $job
status=$?
# Not TERM: it is lost on a subshell that has not yet come to taking our traps back.
kill -KILL $ticker 2>/dev/null
wait $ticker 2>/dev/null

if [ $status != 0 ]; then
	tail -n 40 "$log"
	echo "  FAILED  $label, status $status; full log: $log" >&2
fi
exit $status
