#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# swapd.sh [-i SECONDS] [-n ROUNDS] [-t SECONDS] [-v] PAGES SOCKET...
#
# Share a budget of PAGES, window pages in place, among symbiotic guests, given
# by QEMU's QMP sockets: memory of the host goes to the guest that uses it. Each
# round asks what the guests use and want, lowers grants first, and raises others
# when those guests have given back. A guest that is gone has no share; one that
# does not give back, or does not answer, keeps what it has, and the others get
# no more than the rest.
#
#   -i  seconds between rounds (1)
#   -n  rounds (0: for ever)
#   -t  seconds that a QEMU may take to answer (3)
#   -v  print a line per guest and round: socket, grant, in place, hot, wanted

set -u

interval=1 rounds=0 patience=3 verbose=0
while getopts i:n:t:v opt; do
	case $opt in
	i) interval=$OPTARG ;;
	n) rounds=$OPTARG ;;
	t) patience=$OPTARG ;;
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

# ask SOCKET COMMAND...: symcall's answer. Status 3 says that there is no QEMU.
# One that the host has paged out may be silent for seconds; it is not gone.
ask()
{
	socket=$1
	shift
	timeout "$patience" symcall -q "$socket" "$@" 2>/dev/null
}

# query SOCKET: "in-place hot wanted" in decimal, status as of ask. They are the
# guest's words: negative is what is beyond all reason.
query()
{
	words=$(ask "$1" info) || return
	in_place=0 hot=0 wanted=0
	while read -r name value rest; do
		[ -z "$rest" ] || continue
		case $name in
		swap-in-place) in_place=$((value)) ;;
		swap-hot) hot=$((value)) ;;
		swap-wanted) wanted=$((value)) ;;
		esac
	done <<EOF
$words
EOF
	echo "$in_place $hot $wanted"
}

max()
{
	echo $(($1 > $2 ? $1 : $2))
}

# share PAGES: of lines "socket in-place hot wanted-since rest", to "socket may grant
# in-place rest": what each may have at once, being no more than it has, and what it
# shall have.
# While nobody wants more, everybody keeps what it uses. Else a guest needs what is
# hot and what it wants, a quarter of an equal share at the least; who wants nothing
# loses half of what it does not need, as processors tell of a use only now
# and then, and who wants more gets that. Not enough for all that is needed:
# everybody gets the same part of it.
share()
{
	awk -v budget="$1" '
	# What busybox reads it compares as text, unless it has been added to.
	function bound(x) { x += 0; return x < 0 ? 0 : x > budget ? budget : x }
	function max(a, b) { return a > b ? a : b }
	function min(a, b) { return a < b ? a : b }
	BEGIN { budget += 0 }
	{
		socket[NR] = $1; has[NR] = bound($2); want[NR] = bound($4)
		need[NR] = bound(bound($3) + want[NR]); rest[NR] = $5 " " $6
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
			printf "%s %d %d %d %s\n", socket[i], min(grant, has[i]), grant,
			       has[i], rest[i]
		}
	}'
}

# What is known of each guest, "socket wanted held": what it wanted in all when it
# answered last, or -, and what it may have in place.
for q; do
	echo "$q - $((budget / $#))"
done >"$state"

round=0
while [ "$rounds" = 0 ] || [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	spare=$budget
	: >"$state.now"
	while read -r q before held; do
		answer=$(query "$q")
		case $? in
		0)
			wanted=${answer##* }
			[ "$before" != - ] || before=$wanted
			echo "$q ${answer% *} $((wanted - before)) $wanted $held" >>"$state.now"
			;;
		3)	# Whoever comes there begins anew.
			echo "$q - 0"
			;;
		*)
			echo "$q $before $held"
			spare=$((spare - held))
			;;
		esac
	done <"$state" >"$state.new"
	share $((spare > 0 ? spare : 0)) <"$state.now" >"$state.grants"

	# Nobody grows before others have given back: what there is to give away
	# is what nobody has, and nobody may take.
	: >"$state.may"
	while read -r q may grant has wanted held; do
		if ask "$q" grant "$may" && answer=$(query "$q"); then
			held=$(max "${answer%% *}" "$may")
		else
			held=$(max "$held" "$has")
		fi
		echo "$q $may $held $grant $wanted" >>"$state.may"
		spare=$((spare - held))
	done <"$state.grants"
	while read -r q may held grant wanted; do
		if [ "$grant" -gt "$held" ] && [ "$spare" -gt 0 ]; then
			more=$((grant - held < spare ? grant - held : spare))
			may=$((held + more))
			held=$may
			ask "$q" grant "$may"
			spare=$((spare - more))
		fi
		echo "$q $wanted $held" >>"$state.new"
		[ $verbose = 0 ] || echo "$q $may $(query "$q")"
	done <"$state.may"
	mv "$state.new" "$state"
	sleep "$interval"
done
