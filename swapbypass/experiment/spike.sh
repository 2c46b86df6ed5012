#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# spike.sh WHO LIMIT SMALL LARGE JOBS SECONDS: four guests that need much memory in turns,
# on a host with LIMIT MiB for all of them. It is the rig's host_cmd, with the arguments set
# before; the guests are four like the rig's own, which has nothing to do. Their command is
# guest/spike.sh.
#
#   WHO    gives guests memory: nobody; balloon, virtio-mem: the policies below, once a
#          second; or symbioticd:MIB, with that budget
#   SMALL  MiB of a guest that rests; LARGE, that it may have
#
# Two of them have a job at any time, and who has waited longest is next. All is over when
# JOBS are done, or after SECONDS. Prints
#
#   job NUMBER STATUS BEGIN BUILT END   as the guest says
#   host TIME MEMORY SWAP               once a second, of the guests' cgroup: bytes
#   end NUMBER OOM-KILLS STALL COUNTERS
#   took SECONDS

who=$1 limit=$2 small=$3 large=$4 jobs=$5 seconds=$6
first=${QMP%/qmp}
said=$first/host.out
group=/sys/fs/cgroup/spike host_swap=/disk/spike-swap windows=$first.windows
guests='1 2 3 4'
helpers=''

# Also of one before that was killed; the next job finds the host as this one has.
leave()
{
	# shellcheck disable=SC2086 # a list
	[ -z "$helpers" ] || kill $helpers
	for n in $guests; do
		[ ! -e "$first.$n/pid" ] || kill "$(cat "$first.$n/pid")"
	done
	wait
	rm -rf /dev/shm/job.*.[1-4]
	for d in /dev/shm/job.*.windows; do
		[ ! -d "$d" ] || { umount "$d"; rmdir "$d"; }
	done
	rm -f /disk/swap.*.[1-4]
	[ ! -d $group ] || rmdir $group
	! grep -q "^$host_swap " /proc/swaps || swapoff $host_swap
}

fail()
{
	echo "spike: $*"
	for n in $guests; do
		[ ! -e "$first.$n/log" ] || sed "s/^/guest $n: /" "$first.$n/log"
	done
	[ ! -d $group ] || sed 's/^/cgroup: /' $group/memory.events
	# The rig's guest waits for this.
	echo end >"$first/host.in"
	exit 1
}

mounted()
{
	grep -q "^[^ ]* $1 " /proc/mounts
}

# ---- the host ---------------------------------------------------------------

# The rig's guest has nothing to do, whatever comes.
echo 0 >"$first/host.in"
# shellcheck disable=SC1091 # written per job: SWAP_STORE, SWAP_MB
. "$JOB/job.env"
[ "${LOCAL:-0}" != 1 ] || fail 'this would change what this host swaps to'
mkdir -p /disk
mounted /disk || mount -t ext2 /dev/vda /disk || fail 'no disk'
leave
trap leave EXIT
# Once for all jobs of this host: writing it takes a while. No holes.
if [ ! -e $host_swap ]; then
	dd if=/dev/zero of=$host_swap.new bs=1M count=$((8 * small)) 2>/dev/null || fail 'no room for swap'
	mkswap $host_swap.new >/dev/null || fail 'no swap'
	mv $host_swap.new $host_swap
fi
swapon $host_swap || fail 'no swap in the host'
mounted /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || fail 'no cgroups'
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group
echo "${limit}M" >$group/memory.max || fail 'no limit'

# Windows are best in huge pages, as the guests' own memory is, if the host can page them out.
if [ "$SWAP_STORE" = tmpfs ]; then
	mkdir "$windows"
	mount -t tmpfs -o huge=within_size,size=100% windows "$windows" || fail 'no tmpfs'
fi

# ---- the guests -------------------------------------------------------------

# All say what they have to say here, each line in one piece.
exec 7<>"$said"

start()
{
	dir=$first.$1 file=$SWAPFILE.$1
	mkdir "$dir"
	cp "$first/initrd" "$dir" || fail 'no room'
	# shellcheck disable=SC2086 # a list
	(cd "$dir" && mkfifo $PIPES && for f in ctl.out host.out; do ln -sf "$said" $f; done)
	[ "$SWAP_STORE" != tmpfs ] || file=$windows/$1
	[ -z "$SWAP_STORE" ] || truncate -s "${SWAP_MB}M" "$file" || fail 'no file for swap'
	(
		# All that they have is charged here, from the beginning.
		echo 0 >$group/cgroup.procs
		WORK=$dir SWAPFILE=$file busybox sh "$JOB/qemu.cmd" >"$dir/log" 2>&1 </dev/null 7>&-
		echo "gone $1" >&7
	) &
}

qmp()
{
	symcall -q "$first.$1/qmp" qmp "$2" "$3"
}

# available N: MiB that guest N has for programs, by its balloon's statistics
available()
{
	bytes=$(qmp "$1" qom-get '{"path":"/machine/peripheral/balloon","property":"guest-stats"}' |
		sed -n 's/.*"stat-available-memory": *\([0-9]*\).*/\1/p')
	# Nothing yet is the largest number that there is.
	[ -n "$bytes" ] && [ ${#bytes} -lt 15 ] && echo $((bytes >> 20))
}

# have N MIB: what guest N has been given
have()
{
	eval "given_$1=$2"
}

ask_for_statistics()
{
	for n in $guests; do
		qmp "$n" qom-set '{"path":"/machine/peripheral/balloon","property":"guest-stats-polling-interval","value":1}' \
			>/dev/null || fail 'no statistics of a balloon'
		have "$n" "$1"
	done
}

# ---- who gets how much ------------------------------------------------------

# Guests give back by themselves what is free. As long as the host has a fifth left they
# may have all; from nine tenths on, who has most available gives that, but for 48 MiB.
balloon_policy()
{
	if [ "$used" -gt $((limit * 9 / 10)) ]; then
		most=48 from=''
		for n in $guests; do
			free=$(available "$n") || continue
			[ "$free" -le "$most" ] || most=$free from=$n
		done
		[ -n "$from" ] || return
		eval "now=\$given_$from"
		less=$((used - limit * 9 / 10))
		[ $less -le $((most - 48)) ] || less=$((most - 48))
		now=$((now - less))
		[ $now -ge "$small" ] || now=$small
		balloon "$from" "$now"
	elif [ "$used" -lt $((limit * 8 / 10)) ]; then
		room=$((limit * 8 / 10 - used))
		for n in $guests; do
			eval "now=\$given_$n"
			more=$((large - now))
			[ $more -le $room ] || more=$room
			[ $more -le 0 ] || balloon "$n" $((now + more))
			room=$((room - more))
		done
	fi
}

balloon()
{
	qmp "$1" balloon "{\"value\":$(($2 << 20))}" >/dev/null || fail 'balloon'
	have "$1" "$2"
}

# Who has less than a quarter of SMALL available gets SMALL more, as long as the host has a
# twentieth left; who has more than SMALL gives back all but half of it.
virtio_mem_policy()
{
	for n in $guests; do
		free=$(available "$n") || continue
		eval "now=\$given_$n"
		plug=$now
		if [ "$free" -lt $((small / 4)) ] && [ "$used" -lt $((limit * 95 / 100)) ]; then
			plug=$((now + small))
			[ "$plug" -le $((large - small)) ] || plug=$((large - small))
		elif [ "$free" -gt "$small" ]; then
			plug=$(((now - free + small / 2) & ~1))
			[ "$plug" -ge 0 ] || plug=0
		fi
		[ "$plug" = "$now" ] || plug_in "$n" "$plug"
	done
}

plug_in()
{
	qmp "$1" qom-set "{\"path\":\"/machine/peripheral/mem0\",\"property\":\"requested-size\",\"value\":$(($2 << 20))}" \
		>/dev/null || fail 'virtio-mem'
	have "$1" "$2"
}

begin_policy()
{
	case $who in
	balloon)
		ask_for_statistics "$large"
		;;
	virtio-mem)
		ask_for_statistics 0
		;;
	symbioticd:*)
		# Who rests needs next to nothing, and has it at once when it does.
		symbioticd -o "budget=${who#*:}M" -o floor=16M -o interval=0.5 "$first.1/qmp" \
			"$first.2/qmp" "$first.3/qmp" "$first.4/qmp" 7>&- &
		helpers="$helpers $!"
		;;
	esac
}

policy()
{
	case $who in
	balloon) balloon_policy ;;
	virtio-mem) virtio_mem_policy ;;
	esac
}

# ---- turns ------------------------------------------------------------------

waiting=$guests running=0 ready=0 completed=0 over='' ended=0 left=60

to_all()
{
	for n in $guests; do
		echo "$2" >"$first.$n/$1.in"
	done
}

give_jobs()
{
	while [ $running -lt 2 ] && [ -n "$waiting" ]; do
		n=${waiting%% *}
		waiting=${waiting#"$n"} waiting=${waiting# }
		running=$((running + 1))
		echo job >"$first.$n/host.in"
	done
}

finish()
{
	over=1
	read -r up _ </proc/uptime
	echo "took $((${up%.*} - ${begun%.*}))"
	to_all host end
}

begin()
{
	to_all ctl go
	for n in $guests; do
		echo "$n" >"$first.$n/host.in"
	done
	begin_policy
	read -r begun _ </proc/uptime
	give_jobs
}

tick()
{
	if [ -n "$over" ]; then
		left=$((left - 1))
		[ $left -gt 0 ] || fail 'the guests do not end'
		return
	fi
	[ $ready = 4 ] || return
	read -r up _ </proc/uptime
	read -r bytes <$group/memory.current
	read -r swapped <$group/memory.swap.current
	echo "host $up $bytes $swapped"
	used=$((bytes >> 20))
	policy
	[ $((${up%.*} - ${begun%.*})) -lt "$seconds" ] || finish
}

for n in $guests; do
	start "$n"
done
while sleep 1; do
	echo tick >&7
done &
helpers=$!
while [ $ended -lt 4 ] && read -r word what rest <&7; do
	case $word in
	tick)
		tick
		;;
	ready)
		ready=$((ready + 1))
		[ $ready -lt 4 ] || begin
		;;
	[1-4])
		if [ "$what" = end ]; then
			echo "end $word $rest"
		elif [ -z "$over" ]; then
			echo "job $word $rest"
			running=$((running - 1))
			waiting="${waiting:+$waiting }$word"
			[ "${rest%% *}" != 0 ] || completed=$((completed + 1))
			if [ $completed -lt "$jobs" ]; then
				give_jobs
			else
				finish
			fi
		fi
		;;
	exit)
		[ "$what" = 0 ] || fail "a guest's data is wrong: $what"
		ended=$((ended + 1))
		;;
	gone | failed)
		fail "$word $what $rest"
		;;
	esac
done
to_all ctl bye
echo end >"$first/host.in"
