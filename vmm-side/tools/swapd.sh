#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# swapd.sh [-i SECONDS] [-n ROUNDS] [-v] PAGES SOCKET...
#
# Share a budget of PAGES, window pages in place, among symbiotic guests, given
# by QEMU's QMP sockets: memory of the host goes to the guest that uses it. Each
# round asks what the guests use and want, lowers grants first, and raises others
# when those guests have given back. A guest that is gone has no share; one that
# does not give back keeps what it has, and the others get no more than the rest.
#
#   -i  seconds between rounds (1)
#   -n  rounds (0: for ever)
#   -v  print a line per guest and round: socket, grant, in place, hot, wanted

set -u

interval=1 rounds=0 verbose=0
while getopts i:n:v opt; do
	case $opt in
	i) interval=$OPTARG ;;
	n) rounds=$OPTARG ;;
	v) verbose=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || { sed -n 's/^# \(swapd.sh \[\)/usage: \1/p' "$0" >&2; exit 2; }
budget=$1
shift
case $budget in
*[!0-9]* | '') echo "swapd: $budget is not a number of pages" >&2; exit 2 ;;
esac

state=$(mktemp)
trap 'rm -f "$state" "$state".*' EXIT
trap 'exit 0' INT TERM

# query SOCKET: "in-place hot wanted" in decimal, nothing if the guest is gone.
# They are the guest's words: negative is what is beyond all reason.
query()
{
	symcall -t 2 -q "$1" info 2>/dev/null | {
		in_place='' hot=0 wanted=0
		while read -r name value rest; do
			[ -z "$rest" ] || continue
			case $name in
			swap-in-place) in_place=$((value)) ;;
			swap-hot) hot=$((value)) ;;
			swap-wanted) wanted=$((value)) ;;
			esac
		done
		[ -z "$in_place" ] || echo "$in_place $hot $wanted"
	}
}

# share: of lines "socket in-place hot wanted-since", to "socket may grant": what
# each may have at once, being no more than it has, and what it shall have.
# While nobody wants more, everybody keeps what it uses. Else a guest needs what is
# hot and what it wants, a quarter of an equal share at the least; who wants nothing
# loses half of what it does not need, as processors tell of a use only now
# and then, and who wants more gets that. Not enough for all that is needed:
# everybody gets the same part of it.
share()
{
	awk -v budget="$budget" '
	function bound(x) { return x < 0 ? 0 : x > budget ? budget : x }
	function max(a, b) { return a > b ? a : b }
	function min(a, b) { return a < b ? a : b }
	{
		socket[NR] = $1; has[NR] = bound($2); want[NR] = bound($4)
		need[NR] = bound(bound($3) + want[NR])
		wants += want[NR]
	}
	END {
		for (i = 1; i <= NR; i++) {
			need[i] = max(need[i], budget / (4 * NR))
			needs += need[i]
			keep[i] = max(need[i], has[i] + want[i])
			if (wants && !want[i])
				keep[i] = max(need[i], has[i] - (has[i] - need[i]) / 2)
			keeps += keep[i]
		}
		for (i = 1; i <= NR; i++) {
			if (needs > budget)
				grant = need[i] * budget / needs
			else if (keeps > budget)
				grant = keep[i] * budget / keeps
			else {
				part = wants ? want[i] / wants : 1 / NR
				grant = keep[i] + (budget - keeps) * part
			}
			printf "%s %d %d\n", socket[i], min(grant, has[i]), grant
		}
	}'
}

round=0
while [ "$rounds" = 0 ] || [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	: >"$state.now"
	for q; do
		before=$(sed -n "s|^$q ||p" "$state")
		query "$q" | while read -r in_place hot wanted; do
			echo "$q $in_place $hot $((wanted - ${before:-$wanted}))" >>"$state.now"
			echo "$q $wanted" >>"$state.new"
		done
	done
	mv "$state.new" "$state" 2>/dev/null || : >"$state"
	share <"$state.now" >"$state.grants"

	# Nobody grows before others have given back: what there is to give away
	# is what nobody has, and nobody may take.
	while read -r q may grant; do
		symcall -q "$q" grant "$may" 2>/dev/null
	done <"$state.grants"
	spare=$budget
	: >"$state.held"
	while read -r q may grant; do
		now=$(query "$q")
		now=${now%% *}
		held=$((${now:-0} > may ? ${now:-0} : may))
		echo "$q $may $held $grant" >>"$state.held"
		spare=$((spare - held))
	done <"$state.grants"
	while read -r q may held grant; do
		if [ "$grant" -gt "$held" ] && [ "$spare" -gt 0 ]; then
			more=$((grant - held < spare ? grant - held : spare))
			may=$((held + more))
			symcall -q "$q" grant "$may" 2>/dev/null
			spare=$((spare - more))
		fi
		[ $verbose = 0 ] || echo "$q $may $(query "$q")"
	done <"$state.held"
	sleep "$interval"
done
