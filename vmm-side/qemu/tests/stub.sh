#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# stub.sh BUILD: has a QEMU without KVM all that others call of us? From the objects
# of BUILD/qemu, which has KVM: what code outside KVM's takes from ours, the stub has
# to define. Status 1 and the names of what it lacks.
#
# configure --disable-kvm would show that by a link. But without KVM the target needs TCG,
# and has no object in common with ours: as long a build as that of QEMU itself. Of what we
# add or change, the stub alone depends on CONFIG_KVM.

set -eu

src=$(realpath "$1")/src/qemu obj=$(realpath "$1")/qemu
target=$obj/libqemu-x86_64-softmmu.fa.p
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As the file that it stands for is compiled, apart from the names.
command=$(python3 - "$obj/compile_commands.json" "$work/stub.o" <<'END'
import json, shlex, sys
for c in json.load(open(sys.argv[1])):
    if c["file"].endswith("/target/i386/kvm/symbiotic.c"):
        words = [w.replace("/symbiotic.c", "/symbiotic-stub.c") for w in shlex.split(c["command"])]
        out = words.index("-o") + 1
        for option in ("-MD", "-MQ", "-MF"):
            at = words.index(option)
            del words[at:at + (1 if option == "-MD" else 2)]
        out = words.index("-o") + 1
        words[out] = sys.argv[2]
        print(shlex.join(words))
END
)
[ -e "$src/target/i386/kvm/symbiotic-stub.c" ] && [ -n "$command" ]
(cd "$obj" && eval "$command")

nm --defined-only -g -P "$target"/target_i386_kvm_symbiotic*.c.o | awk '$2 == "T" { print $1 }' | sort >"$work/ours"
find "$obj" -name '*.o' ! -name 'accel_kvm_*' ! -name 'target_i386_kvm_*' -exec nm -u -P {} + 2>/dev/null |
	awk '$2 == "U" { print $1 }' | sort -u >"$work/wanted"
nm --defined-only -g -P "$work/stub.o" | awk '$2 == "T" { print $1 }' | sort >"$work/stub"
comm -12 "$work/ours" "$work/wanted" >"$work/needed"
[ -s "$work/needed" ]
comm -23 "$work/needed" "$work/stub" >"$work/missing"
[ ! -s "$work/missing" ] || { echo "not in symbiotic-stub.c:"; cat "$work/missing"; exit 1; }
