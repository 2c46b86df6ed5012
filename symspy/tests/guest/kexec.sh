#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kexec.sh [crash]: boot the same kernel (./bzImage) again without a reset of
# the machine, in peace or from a crash. All features must work again. The
# second kernel gets this machine's root file system as its initrd, with an
# /init that runs this script again and reports to the bench.

# shellcheck source=/dev/null
. ./lib.sh

if grep -q symb_kexec=1 /proc/cmdline; then
	equal state "$(attr state)" on
	equal 'lines in the log' "$(dmesg | grep -c 'symbiotic:')" 1
	all_cpus_work
	finish
fi

all_cpus_work
# shellcheck disable=SC2154 # from lib.sh
[ "$failures" = 0 ] || finish

mkdir -p /tmp/root
cp -a /bin /job /tmp/root
for dir in lib lib64; do
	[ ! -e "/$dir" ] || cp -a "/$dir" /tmp/root
done
mkdir -p /tmp/root/proc /tmp/root/sys /tmp/root/dev /tmp/root/files /tmp/root/tmp
cat >/tmp/root/init <<'END'
#!/bin/sh
# The second kernel: no conversation with the bench, just the end of the test.
export PATH=/files:/files/bin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
for d in /sys/block/vd*; do
	[ "$(cat "$d/serial")" = files ] && mount -t squashfs -o ro "/dev/${d##*/}" /files
done
for d in /sys/class/virtio-ports/*; do
	case $(cat "$d/name") in
	out) out=/dev/${d##*/} ;;
	ctl) ctl=/dev/${d##*/} ;;
	esac
done
cd /files || poweroff -f
exec 3<>"$ctl"
sh ./kexec.sh >"$out" 2>&1
echo "exit $?" >&3
read -r answer <&3
poweroff -f
END
chmod 755 /tmp/root/init
(cd /tmp/root && find . | cpio -o -H newc) >/tmp/initrd 2>/dev/null

cmdline="$(cat /proc/cmdline) symb_kexec=1"
if [ "$1" = crash ]; then
	cmdline="$cmdline nr_cpus=1 reset_devices"
	./kexec_file ./bzImage /tmp/initrd "$cmdline" crash || exit 1
	taskset -c "${2:-0}" sh -c 'echo c >/proc/sysrq-trigger'
else
	./kexec_file ./bzImage /tmp/initrd "$cmdline"
fi
echo 'FAILED kexec'
exit 1
