# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# KTAP from a test script, in the guest or on a host: read it by ".", then any number of
# the functions below, `plan` last. Without a plan a test has failed (ktap.py).

ktap_results=0 ktap_failures=0
echo 'KTAP version 1'

# result STATUS NAME [NOTE]
result()
{
	ktap_results=$((ktap_results + 1))
	if [ "$1" = 0 ]; then
		echo "ok $ktap_results $2${3:+ # $3}"
	else
		ktap_failures=$((ktap_failures + 1))
		echo "not ok $ktap_results $2${3:+ # $3}"
	fi
}

# skip NAME REASON
skip()
{
	result 0 "$1" "SKIP $2"
}

# check NAME COMMAND...: the command succeeds
check()
{
	ktap_name=$1
	shift
	if "$@"; then
		result 0 "$ktap_name"
	else
		result 1 "$ktap_name" "$*"
	fi
}

# equal NAME GOT EXPECTED
equal()
{
	if [ "$2" = "$3" ]; then
		result 0 "$1"
	else
		result 1 "$1" "got '$2', expected '$3'"
	fi
}

# subtest NAME COMMAND...: the command succeeds; what it says, perhaps KTAP of its own, is
# shown before
subtest()
{
	ktap_name=$1
	shift
	ktap_said=$("$@" 2>&1)
	ktap_status=$?
	echo "$ktap_said" | sed 's/^/  /'
	result $ktap_status "$ktap_name"
}

# plan: that was all; the status tells whether it was good
plan()
{
	echo "1..$ktap_results"
	[ "$ktap_failures" = 0 ]
}
