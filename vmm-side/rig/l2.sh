#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Run one L2 machine on the symbiotic host: inside L1, or on the user's own
# host when that is L1. Argument: the job directory, which holds job.env,
# qemu.cmd and initrd.job and receives the results:
#
#   out err      the guest command's output     status   its status, last
#   console      the guest's console            before, mark.N, after  KVM's
#                                               counters when the guest said so
#   host.out     output of host_cmd             verdict  "ok" or what went wrong
#   guard        memory that passthrough devices must not reach: changed or not
#   hang         at the deadline: what QEMU's monitor said of the vCPUs
#
# Nothing waits without a deadline. The guest is gone when this returns, also when
# it was told to by a signal, and so is what host_cmd has started.

JOB=$1
export JOB
WORK=/dev/shm/job.$$
[ -d /run/images ] || mkdir -p /run/images
mkdir -p "$WORK"
export WORK
qpid='' KVMDIR='' hpid='' hgroup='' gpid='' tpid='' DISKFILE='' tied=''

# shellcheck disable=SC1091 # written per job
. "$JOB/job.env"
# A command in the host may be one that no user's own host should see.
export LOCAL

finish()
{
	trap '' INT TERM HUP
	[ -n "$hgroup" ] && kill -9 -- "-$hgroup" 2>/dev/null
	[ -n "$tpid" ] && kill "$tpid" 2>/dev/null
	[ -e "$WORK/pid" ] && kill -9 "$(cat "$WORK/pid")" 2>/dev/null
	[ -n "$qpid" ] && wait "$qpid" 2>/dev/null
	# Last: until now devices could write.
	[ -n "$gpid" ] && kill "$gpid" && wait "$gpid"
	umount "$WORK/huge" "$WORK/ram" 2>/dev/null
	[ -z "$DISKFILE" ] || rm -f "$DISKFILE"
	# Not written over the share as it comes: thousands of small writes cost
	# time, and now and then one never returned.
	for f in out err console; do
		[ ! -e "$WORK/$f" ] || cp "$WORK/$f" "$JOB/$f"
	done
	rm -rf "$WORK"
	echo "$*" >"$JOB/verdict"
	exit 0
}
trap 'finish interrupted' INT TERM HUP

# On the user's own host nothing vanishes with the machine. What this script starts
# dies with it; files of one that was killed are removed by the next.
if [ "$LOCAL" = 1 ]; then
	# By its path: busybox's own cannot.
	tied='/usr/bin/setpriv --pdeathsig KILL'
	for old in /dev/shm/job.*; do
		owner=${old##*.}
		# Neither a zombie nor whoever got the number next is the owner.
		if [ -d "$old" ] && ! grep -qs run.sh "/proc/$owner/cmdline"; then
			umount "$old/huge" "$old/ram" 2>/dev/null
			rm -rf "$old" "/var/tmp/swap.$owner"
		fi
	done
fi

# Wait until a command succeeds, for some seconds.
wait_until()
{
	left=$(($1 * 10))
	shift
	until "$@"; do
		[ $left -gt 0 ] || return
		left=$((left - 1))
		sleep 0.1
	done
}

gone()
{
	# shellcheck disable=SC2317 # run by wait_until
	! kill -0 "$1" 2>/dev/null
}

# KVM_HOST names the module set, NESTED_PAGING and KVM_PARAMS are their
# parameters. In L1 they are loaded anew when they differ from what is loaded. On the
# user's own host the loaded modules must fit; the rig unloads nothing there.
load_kvm()
{
	if grep -qw vmx /proc/cpuinfo; then
		vendor=intel paging_param=ept
	else
		vendor=amd paging_param=npt
	fi
	if [ "$LOCAL" = 1 ]; then
		now=$(cat "/sys/module/kvm_$vendor/parameters/$paging_param")
		case $now in
		Y | 1) now=1 ;;
		*) now=0 ;;
		esac
		[ "$now" = "$NESTED_PAGING" ] ||
			finish "load kvm-$vendor with $paging_param=$NESTED_PAGING for this PAGING"
		return
	fi

	want="$KVM_HOST $vendor $NESTED_PAGING $KVM_PARAMS"
	[ "$(cat /run/kvm.loaded 2>/dev/null)" = "$want" ] && return
	if [ -e /run/apichold.pid ]; then
		kill "$(cat /run/apichold.pid)"
		rm /run/apichold.pid
		wait_until 10 grep -qx 0 /sys/module/kvm_$vendor/refcnt || finish "KVM is in use"
	fi
	for m in vfio_pci vfio_pci_core vfio_iommu_type1 vfio kvm_amd kvm_intel kvm irqbypass; do
		[ -d "/sys/module/$m" ] && { rmmod "$m" || finish "cannot unload $m"; }
	done
	rm -f /run/kvm.loaded
	dir=/modules/$KVM_HOST
	[ -e "$dir/kvm.ko" ] || finish "no KVM modules for HOST=$KVM_HOST in L1"
	[ -e "$dir/irqbypass.ko" ] && insmod "$dir/irqbypass.ko"
	# Some are those of the vendor's module.
	vendor_params=nested=0 params=
	for m in $KVM_PARAMS; do
		case $m in
		nested=* | unrestricted_guest=* | vpid=*) vendor_params="$vendor_params $m" ;;
		*) params="$params $m" ;;
		esac
	done
	# shellcheck disable=SC2086 # a list of parameters
	insmod "$dir/kvm.ko" $params || finish "cannot load kvm"
	# shellcheck disable=SC2086
	insmod "$dir/kvm-$vendor.ko" "$paging_param=$NESTED_PAGING" $vendor_params || finish "cannot load kvm-$vendor"
	if [ -n "${JOB_CPUS:-}" ]; then
		apichold /run/apichold.pid || finish "KVM makes no VM"
	fi
	echo "$want" >/run/kvm.loaded
}

# Give PASSTHROUGH's devices to vfio-pci, in a host without an IOMMU.
bind_devices()
{
	if [ ! -d /sys/module/vfio_pci ]; then
		for m in vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
			insmod /modules/vfio/$m.ko || finish "cannot load $m"
		done
	fi
	mode=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
	for d in $PASSTHROUGH; do
		dev=/sys/bus/pci/devices/$d
		[ -d "$dev" ] || finish "no device $d in L1"
		# None, or vfio-pci from another job, in the other mode.
		driver=$(readlink "$dev/driver")
		[ "${driver##*/} $(cat $mode)" = "vfio-pci $NOIOMMU" ] && continue
		[ -z "$driver" ] || echo "$d" >"$dev/driver/unbind"
		echo "$NOIOMMU" >$mode
		echo vfio-pci >"$dev/driver_override"
		echo "$d" >/sys/bus/pci/drivers_probe
	done
}

# Memory around the guest, and where a device would reach that takes guest
# addresses for host addresses.
start_guard()
{
	# shellcheck disable=SC2086 # two numbers
	memguard $GUARD 128 >"$JOB/guard" 2>&1 &
	gpid=$!
	wait_until 60 grep -q ready "$JOB/guard" || finish "memguard does not start"
}

# An image is copied to memory once per content: the job directory may be on
# a slow share, and its speed must not be part of any measurement.
image()
{
	if [ ! -e "/run/images/$1" ]; then
		# Keep one version of each; L1's memory is limited.
		rm -f "/run/images/${1%-*}-"*
		cp "$JOB/../images/$1" "/run/images/$1.tmp.$$" || finish "cannot copy $1"
		mv "/run/images/$1.tmp.$$" "/run/images/$1"
	fi
}

# A file on a disk: L1's own, or the user's.
disk()
{
	dir=/var/tmp
	if [ "$LOCAL" != 1 ]; then
		dir=/disk
		mkdir -p $dir
		grep -q " $dir " /proc/mounts || mount -t ext2 /dev/vda $dir || finish "cannot mount L1's disk"
	fi
	DISKFILE=$dir/swap.$$
	: >"$DISKFILE" || finish "cannot write to $dir"
}

counters()
{
	[ -n "$KVMDIR" ] || return
	for f in "$KVMDIR"/*; do
		[ -f "$f" ] || continue
		read -r value <"$f" && echo "${f##*/} $value"
	done 2>/dev/null >"$JOB/$1"
}

find_kvmdir()
{
	for d in "/sys/kernel/debug/kvm/$(cat "$WORK/pid")-"*; do
		[ -d "$d" ] && KVMDIR=$d
	done
	export KVMDIR
}

set_bypass_mode()
{
	[ -n "$BYPASS_MODE" ] && [ -n "$KVMDIR" ] || return
	if [ -e "$KVMDIR/bypass_mode" ]; then
		echo "$BYPASS_MODE" >"$KVMDIR/bypass_mode" || finish "cannot set bypass_mode"
	elif [ "$BYPASS_MODE" != off ]; then
		finish "no bypass_mode in $KVMDIR"
	fi
}

# What a guest does that does not end: three looks at every vCPU, its registers
# and what is at its stack pointer. The answers are for hang.py. QEMU may be what
# hangs, so nothing waits for an answer.
look_at_vcpus()
{
	cat <>"$WORK/mon.out" >"$JOB/hang" 4>&- 5>&- &
	look=$!
	exec 6<>"$WORK/mon.in"
	for i in 1 2 3; do
		n=0
		while [ $n -lt "$SMP" ]; do
			printf 'cpu %s\ninfo registers\n' $n >&6
			sleep 1
			sp=$(sed -n 's/.* RSP=\([0-9a-f]*\).*/\1/p' "$JOB/hang" | tail -n 1)
			[ -z "$sp" ] || echo "x /256gx 0x$sp" >&6
			n=$((n + 1))
		done
	done
	sleep 1
	kill $look
	exec 6>&-
}

load_kvm
if [ "$L1_ONLY" = 1 ]; then
	setsid timeout -s KILL "$TIMEOUT" sh "$JOB/host_cmd" >"$JOB/out" 2>"$JOB/err" </dev/null &
	hgroup=$!
	wait $hgroup
	status=$?
	[ $status = 137 ] && finish "timeout after $TIMEOUT s"
	echo $status >"$JOB/status"
	finish ok
fi
for i in $IMAGES; do
	image "$i"
done
cat "/run/images/$INITRD" "$JOB/initrd.job" >"$WORK/initrd"

# The file behind the guest's swap device, if there is one.
SWAPFILE=$WORK/swap
case $SWAP_STORE in
hugetlbfs)
	echo $((SWAP_MB / 2)) >/proc/sys/vm/nr_hugepages
	[ "$(cat /proc/sys/vm/nr_hugepages)" -ge $((SWAP_MB / 2)) ] || finish "the host has no $SWAP_MB MiB in huge pages"
	mkdir "$WORK/huge"
	mount -t hugetlbfs none "$WORK/huge" || finish "cannot mount hugetlbfs"
	SWAPFILE=$WORK/huge/swap
	;;
disk)
	disk
	SWAPFILE=$DISKFILE
	;;
esac
if [ -n "$SWAP_STORE" ]; then
	truncate -s "${SWAP_MB}M" "$SWAPFILE" || finish "cannot make a file of $SWAP_MB MiB"
fi
export SWAPFILE

if [ -n "$PASSTHROUGH" ]; then
	bind_devices
	start_guard
	mkdir "$WORK/ram"
	[ -z "$RAM_PAGES" ] || echo "$RAM_PAGES" >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	if [ -n "$RAM_PAGESIZE" ]; then
		mount -t hugetlbfs -o "pagesize=$RAM_PAGESIZE" none "$WORK/ram" || finish "cannot mount hugetlbfs"
	fi
fi
QMP=$WORK/qmp
export QMP

if [ "$INTERACTIVE" = 1 ]; then
	# shellcheck disable=SC1091
	(. "$JOB/qemu.cmd")
	finish ok
fi

# What qemu.cmd opens, also where host_cmd runs it for another guest; "host" is for
# guests whose qemu_args make a port of it, to talk with host_cmd.
PIPES='ctl.in ctl.out mon.in mon.out host.in host.out'
export PIPES
# shellcheck disable=SC2086 # a list
(cd "$WORK" && mkfifo $PIPES) || finish 'cannot make pipes'
# Opened for both directions, so that opening never blocks.
exec 4<>"$WORK/ctl.out" 5<>"$WORK/ctl.in"

# On an emulated host with several CPUs the guest boots on one of them: the
# emulator may translate code of a guest that another of its vCPUs is patching.
boot_cpu=${JOB_CPUS:+$(printf %x $((0x$JOB_CPUS & -0x$JOB_CPUS)))}

# All that can happen arrives as a line on the guest's port: what the guest
# says, QEMU's end, the deadline. One reader without a time limit: `read -t`
# loses what it has read of a line when the time is up.
export tied boot_cpu
# shellcheck disable=SC2016 # for the inner shell
$tied busybox sh -c '$tied ${boot_cpu:+taskset $boot_cpu} busybox sh "$JOB/qemu.cmd" >"$JOB/qemu.log" 2>&1 </dev/null 4>&- 5>&-
	echo gone >&4' &
qpid=$!
deadline=$(($(date +%s) + TIMEOUT))
(
	while [ -e "$WORK/ctl.out" ]; do
		if [ "$(date +%s)" -ge "$deadline" ]; then
			echo timeout >&4
			exit
		fi
		sleep 2
	done
) &
tpid=$!

status='' started='' marks=0
while [ -z "$status" ] && read -r verb rest <&4; do
	case $verb in
	ready)
		if [ -z "$started" ]; then
			started=1
			find_kvmdir
			set_bypass_mode
			[ -n "$boot_cpu" ] && taskset -ap "$JOB_CPUS" "$(cat "$WORK/pid")" >/dev/null
			if [ -e "$JOB/host_cmd" ]; then
				# A session of its own, so that all of it can be ended.
				$tied setsid sh "$JOB/host_cmd" >"$JOB/host.out" 2>&1 </dev/null 4>&- 5>&- &
				hpid=$! hgroup=$!
			fi
			counters before
		fi
		echo go >&5
		;;
	mark)
		counters mark.$marks
		marks=$((marks + 1))
		echo go >&5
		;;
	exit)
		status=$rest
		# For host_cmd: what it does from now on, nobody has noticed.
		: >"$WORK/ended"
		;;
	failed)
		finish "guest set-up failed: $rest"
		;;
	gone)
		rm -f "$WORK/pid"
		finish "the guest ended without a status"
		;;
	timeout)
		# What the machine did last may tell why it hangs.
		counters after
		look_at_vcpus
		finish "timeout after $TIMEOUT s"
		;;
	esac
done

counters after
if [ -n "$hpid" ]; then
	wait_until $((deadline - $(date +%s))) gone "$hpid" || finish "host_cmd: timeout"
	wait "$hpid"
	echo $? >"$JOB/host.status"
	hpid=''
fi
echo bye >&5
# A guest that reported may still hang in its shutdown: that is a failure. It is told
# from here, so before bench.py, 60 s after the deadline, takes L1 for hung.
# (QEMU removes its pid file well before it has closed KVM. On a host that checks memory,
# all pages of a guest with devices of its own take their time to be let go of: 25 s.)
wait_until 45 gone "$qpid" || finish "the guest did not power off"
echo "$status" >"$JOB/status"
finish ok
