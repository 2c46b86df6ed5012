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
# no more than the rest. While there is one of which nobody knows what it has,
# as it has not answered yet, nobody gets more.
#
#   -i  seconds between rounds (1)
#   -n  rounds (0: for ever)
#   -t  seconds that a QEMU may take to answer (3)
#   -v  print a line per guest and round: socket, grant, in place, hot, wanted

set -u
export LC_ALL=C

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

usage()
{
	echo "swapd: $1" >&2
	exit 2
}

# Pages beyond all reason, of which some thousand guests can still be added up.
huge=1000000000000000

# decimal TEXT: digits as a number in $number; the shell takes 010 for 8.
decimal()
{
	number=$1
	while [ ${#number} -gt 1 ] && [ "${number#0}" != "$number" ]; do
		number=${number#0}
	done
}

# number TEXT: a guest's word as a number from 0 to $huge, in $number.
number()
{
	case $1 in
	0x | 0x*[!0-9a-f]* | 0x?????????????*) number=$huge ;;
	0x*) number=$(($1)) ;;
	*[!0-9]* | '' | ????????????????*) number=$huge ;;
	*) decimal "$1" ;;
	esac
}

case $budget in
*[!0-9]* | '' | ????????????????*) usage "$budget is not a number of pages" ;;
esac
case $interval in
*[!0-9.]* | '' | *.*.* | .) usage "$interval is not a number of seconds" ;;
esac
case $rounds in
*[!0-9]* | '' | ??????????*) usage "$rounds is not a number of rounds" ;;
esac
# 0 seconds would be no limit at all.
case $patience in
*[!0-9]* | '' | ??????* | 0*) usage "$patience is not a number of seconds from 1" ;;
esac

decimal "$budget"
budget=$number

state=$(mktemp -d) || exit
trap 'rm -rf "$state"' EXIT
trap 'exit 0' INT TERM

# ask N COMMAND...: symcall's answer from guest N's QEMU. Status 4 says that there is
# none. One that the host has paged out may be silent for seconds; it is not gone.
ask()
{
	eval "socket=\$socket_$1"
	shift
	timeout "$patience" symcall -q "$socket" "$@" 2>/dev/null </dev/null
}

# query N: "in-place hot wanted" in decimal, status as of ask. They are the
# guest's words. A VM without grants is none of ours: as if it were gone.
query()
{
	words=$(ask "$1" info) || return
	in_place=0 hot=0 wanted=0 features=0x10
	while read -r name value rest; do
		[ -z "$rest" ] || continue
		case $name in
		features) number "$value" && features=$number ;;
		swap-in-place) number "$value" && in_place=$number ;;
		swap-hot) number "$value" && hot=$number ;;
		swap-wanted) number "$value" && wanted=$number ;;
		esac
	done <<EOF
$words
EOF
	[ $((features & 0x10)) != 0 ] || return 4
	echo "$in_place $hot $wanted"
}

# share PAGES: of lines "guest in-place hot wanted-since rest", to "guest may grant
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
	# %d of some is the 32 bits of an int.
	function pages(x) { return sprintf("%.0f", int(x)) }
	BEGIN { budget += 0 }
	{
		guest[NR] = $1; has[NR] = bound($2); want[NR] = bound($4)
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
			print guest[i], pages(min(grant, has[i])), pages(grant),
			      pages(has[i]), rest[i]
		}
	}'
}

# What is known of each guest, "guest wanted held": what it wanted in all when it
# answered last, or -, and what it may have in place; - if that is not known, as it
# has not answered yet, and gone if there was no QEMU.
n=0
for socket; do
	n=$((n + 1))
	eval "socket_$n=\$socket"
	echo "$n - -"
done >"$state/old"
equal=$((budget / n)) unknown=0

round=0
while [ "$rounds" = 0 ] || [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	spare=$budget silent=$unknown unknown=0
	: >"$state/now"
	while read -r n before held; do
		answer=$(query "$n")
		case $? in
		0)
			wanted=${answer##* }
			[ "$before" != - ] || before=$wanted
			echo "$n ${answer% *} $((wanted - before)) $wanted $held" >>"$state/now"
			;;
		4)	# Whoever comes there begins anew.
			echo "$n - gone"
			;;
		*)
			[ "$held" != gone ] || held=-
			echo "$n $before $held"
			if [ "$held" = - ]; then
				unknown=1
				spare=$((spare - equal))
			else
				spare=$((spare - held))
			fi
			;;
		esac
	done <"$state/old" >"$state/new"
	share $((spare > 0 ? spare : 0)) <"$state/now" >"$state/grants"

	# Nobody grows before others have given back: what there is to give away
	# is what nobody has, and nobody may take.
	: >"$state/may"
	while read -r n may grant has wanted held; do
		if ask "$n" grant "$may" && answer=$(query "$n"); then
			held=${answer%% *}
			[ "$held" -gt "$may" ] || held=$may
		elif [ "$held" = - ] || [ "$held" = gone ]; then
			held=- unknown=1
		else
			[ "$held" -gt "$has" ] || held=$has
		fi
		echo "$n $may $held $grant $wanted" >>"$state/may"
		[ "$held" = - ] || spare=$((spare - held))
	done <"$state/grants"
	if [ $unknown = 1 ]; then
		spare=0
		[ "$silent" = 1 ] ||
			echo "swapd: a QEMU has not answered yet; until it does, nobody gets more" >&2
	fi
	while read -r n may held grant wanted; do
		if [ "$spare" -gt 0 ] && [ "$grant" -gt "$held" ]; then
			more=$((grant - held < spare ? grant - held : spare))
			may=$((held + more))
			held=$may
			ask "$n" grant "$may"
			spare=$((spare - more))
		fi
		echo "$n $wanted $held" >>"$state/new"
		[ $verbose = 0 ] || eval "echo \"\$socket_$n \$may \$(query \$n)\""
	done <"$state/may"
	mv "$state/new" "$state/old"
	sleep "$interval"
done
