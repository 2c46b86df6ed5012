# SPDX-License-Identifier: GPL-2.0
#
# How fuzzers are built, by clang with libFuzzer and sanitizers, each from PROG.c. A
# Makefile that includes this sets FUZZERS to their names, and the other variables of
# programs.mk. `make check` replays the inputs in corpus/PROG, by KTAP.

PROGS	:= $(FUZZERS)
CC	:= clang
SANITIZE := fuzzer,address,undefined

include $(dir $(lastword $(MAKEFILE_LIST)))programs.mk

check: all
	@$(TOP)/vmm-side/e2e/fuzz_replay.sh $(OUT) $(FUZZERS)

# For scripts: what there is.
list:
	@echo $(FUZZERS)

.PHONY: list
