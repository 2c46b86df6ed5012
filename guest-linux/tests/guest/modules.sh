#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# modules.sh WHAT...: modules that the VMM brings, seen from the guest; the host's part is
# module_test.sh. It tells the guest by its word where it is.
#
#   off        nothing of it is there
#   on         it is, and no module has come yet
#   go         the host, which has waited for that, may begin
#   wait       until the host's word is 9
#   clean      nothing has stayed behind: no memory, no address, no module
#   here       at 1: symtest has come, with the parameter text="a b"
#   by-hand    at 1: the user unloads it
#   wake       at 1: what sleeps in symtest's init wakes up; wake-again, at 2: in its exit
#   oops       it has crashed in its init
#   crash      at 1: symtest crashes in a program's system call
#   suspend    at 1: not while a module is being loaded; after that, yes
#   asleep     at 1: really, until the host wakes us up; symtest is still there
#   disabled   at 1: modules_disabled; says so by its own word
#   revoke     at 1: root says of one signed module that it is not loaded any more
#   kexec      at 1: another kernel, where all begins anew; see kexec.sh
#   no-disk    there is no NVMe, nor a driver for it; disk: there are
#   again      the host may take both; then there are
#   no-net     there is no e1000e, nor a driver for it; net-comes: there are
#   link       at 1: data runs both ways over a link of net_failover's, until the host has
#              seen enough of it (link_moves.sh)
#   two-ways   at 1: four programs write and read a disk of multipath's, to which the NVMe
#              comes, and goes again, ten times (disk_moves.sh)
#   edu-waits  at 1: the teaching device has come and reaches no memory
#   edu-works, edu-stopped   the teaching device reaches memory, or does not

# shellcheck source=/dev/null
. ./lib.sh

MODULES=$SYSFS/modules
SYMTEST=/sys/module/symtest/parameters

# host_says N
host_says()
{
	wait_for 3000 grep -qsx "0x$1" "$SYSFS/host_word"
	equal "host's word" "$(attr host_word)" "0x$1"
}

vmalloc_kb()
{
	# All but the stacks of tasks, of which some are kept, and addresses that are not in
	# use any more, of which there are many before somebody sees to them.
	awk '!/thread_stack|copy_process|dup_task|kernel_clone|unpurged/ { n += $2 }
		END { print int(n / 1024) }' /proc/vmallocinfo
}

t_off()
{
	check 'feature not accepted' sh -c "! grep -q modules $SYSFS/features"
	check 'no directory' [ ! -e "$MODULES" ]
}

t_on()
{
	check 'feature accepted' grep -q modules "$SYSFS/features"
	check 'published flag' sh -c "[ \$(( \$(cat $SYSFS/global_flags) & 2 )) = 2 ]"
	check 'directory' [ -d "$MODULES" ]
	equal 'empty' "$(ls "$MODULES")" ''
	equal 'policy' "$(cat /sys/module/symbiotic/parameters/modules)" signed
	check 'no modprobe' [ ! -e /sbin/modprobe ]
	vmalloc_kb >/tmp/vmalloc
}

t_go()
{
	echo 2 >"$SYSFS/guest_word"
}

t_wait()
{
	host_says 9
}

t_clean()
{
	# Freed by RCU and a work item, a moment later.
	wait_for 100 sh -c '! grep -q "^symtest" /proc/modules'
	check 'no module' sh -c '! grep -q "^symtest" /proc/modules'
	equal 'none listed' "$(ls "$MODULES")" ''
	check 'no address in use' sh -c '! grep -q "symbiotic module" /proc/iomem'
	now=$(vmalloc_kb)
	check "vmalloc: $(cat /tmp/vmalloc) KiB before, $now now" [ "$now" -le "$(cat /tmp/vmalloc)" ]
}

t_here()
{
	host_says 1
	check 'loaded' grep -q '^symtest ' /proc/modules
	check 'what it needs' grep -q '^symtest_base ' /proc/modules
	check 'listed' [ -e "$MODULES"/symtest/parameters ]
	check 'that, too' [ -e "$MODULES"/symtest_base ]
	equal 'its parameter' "$(cat $SYMTEST/text)" 'a b'
	# Neither by a module from elsewhere nor by one without a signature.
	# shellcheck disable=SC2016 # that shell's
	check 'not tainted' sh -c '[ $(( $(cat /proc/sys/kernel/tainted) & 0x3000 )) = 0 ]'
}

t_by_hand()
{
	host_says 1
	check 'rmmod' rmmod symtest
	check 'not listed' [ ! -e "$MODULES"/symtest ]
}

t_wake()
{
	host_says 1
	echo 1 >$SYMTEST/wake
}

t_wake_again()
{
	host_says 2
	echo 1 >$SYMTEST/wake
}

t_crash()
{
	host_says 1
	sh -c "echo 1 >$SYMTEST/crash" 2>/dev/null
	check 'the kernel says so' sh -c "dmesg | grep -q 'module symtest has crashed'"
}

t_oops()
{
	wait_for 3000 sh -c "dmesg | grep -q 'module symtest has crashed'"
	check 'the kernel says so' sh -c "dmesg | grep -q 'module symtest has crashed'"
}

t_suspend()
{
	host_says 1
	check 'not now' sh -c '! echo mem >/sys/power/state'
	check 'says why' sh -c "dmesg | grep -q 'not now: a module'"
	echo 1 >$SYMTEST/wake
	host_says 2
	echo core >/sys/power/pm_test
	check 'then' sh -c 'echo mem >/sys/power/state'
	echo none >/sys/power/pm_test
	check 'it is still there' [ -e "$MODULES/symtest" ]
	echo 1 >"$SYSFS/guest_word"
}

t_asleep()
{
	host_says 1
	echo deep >/sys/power/mem_sleep
	check 'deep sleep' sh -c 'echo mem >/sys/power/state'
	check 'it is still there' [ -e "$MODULES/symtest" ]
	echo 1 >"$SYSFS/guest_word"
}

t_disabled()
{
	host_says 1
	echo 1 >/proc/sys/kernel/modules_disabled
	check 'modules_disabled' grep -qx 1 /proc/sys/kernel/modules_disabled
	echo 1 >"$SYSFS/guest_word"
}

t_revoke()
{
	host_says 1
	# The build ID of this kernel is among its notes.
	notes=$(od -An -v -tx1 /sys/kernel/notes | tr -d ' \n')
	for dir in modules/*/; do
		id=$(basename "$dir")
		case $notes in *"$id"*) break ;; esac
	done
	# shellcheck disable=SC2016 # that shell's
	check 'not by anybody' sh -c '! ./revoke "$0" "$0" 2>/dev/null' "$dir/revoked.hash"
	check 'by who has the key' ./revoke "$dir/revoked.hash" "$dir/revoked.p7s"
	echo 1 >"$SYSFS/guest_word"
}

t_kexec()
{
	grep -q symb_kexec=1 /proc/cmdline && return
	host_says 1
	plan || exit
	exec ./kexec.sh
}

t_no_disk()
{
	check 'no disk' [ ! -e /dev/nvme0n1 ]
	check 'no driver' [ ! -e /sys/bus/pci/drivers/nvme ]
}

t_disk()
{
	wait_for 3000 [ -b /dev/nvme0n1 ]
	check 'the disk' [ -b /dev/nvme0n1 ]
	check 'its driver' [ -e "$MODULES/nvme" ]
}

t_again()
{
	echo 1 >"$SYSFS/guest_word"
	wait_for 3000 [ ! -e /dev/nvme0n1 ]
	check 'it has gone' [ ! -e /dev/nvme0n1 ]
	t_disk
}

t_no_net()
{
	check 'no link' [ ! -e /sys/class/net/eth0 ]
	check 'no driver' [ ! -e /sys/bus/pci/drivers/e1000e ]
}

t_net_comes()
{
	wait_for 3000 [ -e /sys/class/net/eth0 ]
	check 'the link' [ -e /sys/class/net/eth0 ]
	check 'its driver' [ -e "$MODULES/e1000e" ]
}

failover()
{
	for lower in /sys/class/net/*/lower_*; do
		[ ! -e "$lower" ] || basename "${lower%/*}"
	done | head -n 1
}

t_link()
{
	host_says 1
	wait_for 3000 sh -c 'ls -d /sys/class/net/*/lower_*'
	link=$(failover)
	check "$link is a link of two" [ -n "$link" ]
	ip link set "$link" up
	ip addr add 10.99.0.2/24 dev "$link"
	./link_stream 10.99.0.1 7000
	status=$?
	result $status 'no byte is lost or wrong'
	if [ $status != 0 ]; then
		ip link
		grep . /sys/class/net/*/statistics/?x_packets
		grep . /proc/interrupts
		dmesg | tail -n 20
	fi
}

# Names of disks: the one that is always there, and the one that comes and goes.
way()
{
	for d in /sys/block/vd*; do
		[ "$(cat "$d/serial" 2>/dev/null)" != way ] || echo "${d##*/}"
	done
}

nvme()
{
	for d in /sys/block/nvme*n1; do
		[ ! -e "$d" ] || echo "${d##*/}"
	done
}

there()
{
	[ -n "$("$1")" ]
}

gone()
{
	! there "$1"
}

# table DISK...: these are the ways, the first one if it works
table()
{
	groups=''
	for d; do
		groups="$groups round-robin 0 1 0 $(cat "/sys/block/$d/dev")"
	done
	echo "0 $(cat "/sys/block/$1/size") multipath 0 0 $# 1$groups"
}

# ways DISK...: from now on. What is under way ends on the old ones.
ways()
{
	dmsetup reload two --noudevrules --noudevsync --table "$(table "$@")" &&
		dmsetup resume two --noudevrules --noudevsync
}

# requests DISK: so many it has done
requests()
{
	awk '{ print $1 + $5 }' "/sys/block/$1/stat"
}

more()
{
	[ "$(requests "$1")" -gt "$2" ]
}

# carries DISK: some of the load, from now on
carries()
{
	enough=$(($(requests "$1") + 200))
	wait_for 600 more "$1" "$enough"
	check "$1 carries the load" more "$1" "$enough"
}

t_two_ways()
{
	host_says 1
	wait_for 3000 there way
	slow=$(way)
	check 'a disk of one way' dmsetup create two --noudevrules --noudevsync \
		--table "$(table "$slow")"
	wait_for 100 [ -b /dev/dm-0 ]
	streams=''
	for at in 0 2 4 6; do
		./disk_stream /dev/dm-0 $at 2 &
		streams="$streams $!"
	done
	carries "$slow"
	i=16
	while [ $i -lt 36 ]; do
		wait_for 3000 there nvme
		check 'the NVMe is a way, too' ways "$(nvme)" "$slow"
		carries "$(nvme)"
		echo $i >"$SYSFS/guest_word"
		wait_for 3000 gone nvme
		carries "$slow"
		check 'one way' ways "$slow"
		echo $((i + 1)) >"$SYSFS/guest_word"
		i=$((i + 2))
	done
	for stream in $streams; do
		kill "$stream"
		check 'no block is lost or wrong' wait "$stream"
	done
	echo "disk 0 8 $(dd if=/dev/dm-0 bs=1M count=8 iflag=direct 2>/dev/null |
		sha256sum | cut -d ' ' -f 1)"
	check 'nobody has it' dmsetup remove two --noudevrules --noudevsync
}

t_edu_works()
{
	wait_for 3000 [ -e /sys/kernel/debug/symbiotic_edu ]
	subtest 'the device works' ./passthrough.sh edu
}

t_edu_waits()
{
	host_says 1
	wait_for 3000 [ -e /sys/kernel/debug/symbiotic_edu ]
	t_edu_stopped
	echo 1 >"$SYSFS/guest_word"
}

t_edu_stopped()
{
	echo 'check 1 20000000 40000000' >/sys/kernel/debug/symbiotic_edu 2>/dev/null
	equal 'the device is stopped' "$(cut -d ' ' -f 1-2 /sys/kernel/debug/symbiotic_edu)" 'check -110'
}

for what; do
	"t_$(echo "$what" | tr - _)"
done
# A crash on purpose is no trouble.
case " $* " in
*' crash '* | *' oops '*) plan; exit ;;
esac
finish
