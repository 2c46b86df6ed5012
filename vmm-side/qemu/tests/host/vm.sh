# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For test scripts in L1 that start VMs without a guest, to be read by "." from the PATH.

# vm NAME OPTION...: QEMU with a monitor at /run/NAME
vm()
{
	vm_name=$1
	shift
	timeout 60 qemu-system-x86_64 -L /usr/share/qemu -nodefaults -display none \
		-qmp "unix:/run/$vm_name,server=on,wait=off" "$@"
}

# vm_until NAME COMMAND PATTERN: what the tool symcall says, at last; 20 seconds at most
vm_until()
{
	n=0
	# shellcheck disable=SC2086 # a command and its arguments
	until symcall -q "/run/$1" $2 | grep -- "$3"; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.2
	done
}

vm_quit()
{
	symcall -q "/run/$1" qmp quit >/dev/null
}
