# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables for the scripts that use it
#
# For scripts in the host of the rig's guest, to be read by "." from the PATH: a second VM
# like it, with a directory like $WORK of its own, and $second/qmp.

second=${QMP%/qmp}.second

# second_start OPTIONS: its QEMU, with more options, as a shell reads them. It boots as the
# first did, on one CPU (l2.sh); what it says to the rig is for second_says.
second_start()
{
	mkdir "$second" || return
	cp "${QMP%/qmp}/initrd" "$second"
	# shellcheck disable=SC2086 # a list
	(cd "$second" && mkfifo $PIPES)
	exec 8<>"$second/ctl.out" 9<>"$second/ctl.in"
	{
		tr '\n' ' ' <"$JOB/qemu.cmd"
		echo "$1"
	} >"$second/qemu.cmd"
	(
		# shellcheck disable=SC2086,SC2154 # a command, and the rig's
		WORK=$second SWAPFILE=$second/swap ${boot_cpu:+taskset $boot_cpu} busybox sh \
			"$second/qemu.cmd" >"$second/log" 2>&1 8>&- 9>&-
		echo gone >&8
	) &
}

# second_says VERB: what it says next
second_says()
{
	read -r verb rest <&8
	[ "$verb" = "$1" ] || {
		echo "# $verb $rest"
		sed 's/^/# /' "$second/log"
		return 1
	}
}

# second_loose: it has booted, and may use all CPUs that the first may; $second_dir is KVM's
# directory of it
second_loose()
{
	[ -z "$boot_cpu" ] || taskset -ap "$JOB_CPUS" "$(cat "$second/pid")" >/dev/null
	for second_dir in "/sys/kernel/debug/kvm/$(cat "$second/pid")-"*; do :; done
}

# second_tell WORD: go, or bye
second_tell()
{
	echo "$1" >&9
}

# second_leave: at the end, whatever has happened
second_leave()
{
	[ ! -e "$second/pid" ] || kill "$(cat "$second/pid")"
	wait
	rm -rf "$second"
}
