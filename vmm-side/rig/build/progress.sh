#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# progress.sh LABEL LOG COMMAND...: run a long step.
#
# The full output goes to LOG. The terminal gets one line every 20 seconds:
# the elapsed time and what the step is doing. V=1 shows everything. On
# failure the end of the log is shown and the step's status is returned.

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

"$@" >"$log" 2>&1 &
job=$!
trap 'kill $job 2>/dev/null; exit 130' INT TERM

# Quick steps stay silent; the caller has already said what runs.
(
	while sleep 20; do
		last=$(tail -c 400 "$log" | tr '\r' '\n' | grep . | tail -n 1 | cut -c1-60)
		printf '  ... %-12s %4d s  %s\n' "$label" $(($(date +%s) - start)) "$last"
	done
) &
ticker=$!

wait $job
status=$?
kill $ticker 2>/dev/null
wait $ticker 2>/dev/null

if [ $status != 0 ]; then
	tail -n 40 "$log"
	echo "  FAILED  $label, status $status; full log: $log" >&2
fi
exit $status
