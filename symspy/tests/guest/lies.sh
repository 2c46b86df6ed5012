#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lies.sh SECONDS [SEED]: the VMM lies, for so long each, by CPUID and in its MSRs while the
# guest finds it anew; in the SymSpy pages while the guest starts and stops its features, and
# while calls come. The guest goes on, and with the truth all is as before.
#
# lies.sh boot: it has lied since this kernel has begun (symbiotic.lies=SEED).

# shellcheck source=/dev/null
. ./lib.sh
LIES=/sys/module/symbiotic/parameters/lies

# Begins with no more than what is found now.
anew()
{
	echo anew 2>/dev/null >"$DEBUG/control"
}

said()
{
	dmesg | grep -c 'symbiotic: '
}

# At the most one each about the VMM, its features, the global page and two about DMA; and of
# each CPU, two about its page and its entry.
few=$((5 + 2 * $(nproc)))

if [ "$1" = boot ]; then
	check 'it lied' [ "$(cat $LIES)" != 0 ]
	check 'few words about it' [ "$(said)" -le "$few" ]
	echo "# $(said) lines, state: $(attr state 2>/dev/null || echo none)"
	echo 0 >$LIES
	check 'with the truth, on' anew
	equal 'state' "$(attr state)" on
	finish
fi
seed=${2:-1}

# What is offered has nothing to do with the pages.
offered=$(attr offered)
all_cpus_work

rounds=0 refused=0 most=0 end=$(($(date +%s) + $1))
echo "$seed" >$LIES
while [ "$(date +%s)" -lt "$end" ]; do
	lines=$(said)
	anew || refused=$((refused + 1))
	lines=$(($(said) - lines))
	[ "$lines" -le "$most" ] || most=$lines
	rounds=$((rounds + 1))
done
echo 0 >$LIES
echo "# $rounds times found anew, $refused times off, at most $most lines each"
check 'lies by CPUID and MSRs keep the features off, or do not' \
	[ "$refused" -gt 0 -a "$refused" -lt "$rounds" ]
check 'few words about it' [ "$most" -le "$few" ]
check 'found again' anew
equal 'on' "$(attr state)" on
equal 'the same is offered' "$(attr offered)" "$offered"
all_cpus_work

check 'lies, with the features off and on' ./vmm_lies -t "$1" -s "$seed" -r
equal 'on again' "$(attr state)" on
equal 'as much is offered' "$(attr offered)" "$offered"
all_cpus_work

# The same while they stay on, and calls come from both sides.
./vmm_lies -t "$1" -s $((seed + 1)) &
lying=$!
while kill -0 $lying 2>/dev/null; do
	for n in 0 1; do
		symcall "$n" 100 0x100 >/dev/null
	done
done
check 'lies, with the features on' wait $lying
echo stop >"$DEBUG/control"
check 'on once more' sh -c "echo start >$DEBUG/control"
all_cpus_work
finish
