# SPDX-License-Identifier: GPL-2.0
"""A made-up rig for the swap experiments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jobs
from rig import Guest, Result, fake

# Seconds that a pass over one MiB takes under pressure, by device; of another peer.
PER_MIB = {"none": 0.0006, "dimm": 0.0006, "in-place": 0.00061, "bypass": 0.00062,
           "symswap": 0.08, "zram": 0.045, "virtio-blk": 0.25}
PEER_PER_MIB = 0.06
# Of the ways to give memory back.
GIVE_BACK = {"grant": 0.5, "balloon": 2.0, "exit": 0.6, "spike": 0.8, "dimm": 3.0}
SPIKE_FILL = {"none": 2.0, "in-place": 2.1}
VERIFIED = "verify result=ok checked=9 of=9 wrong=0 seconds=0.1\n"


def number(option: str, cmd: str, default: str = "") -> float:
    """The number behind an option."""
    found = re.search(rf"{option} (\S+)", cmd)
    return float(found[1] if found else default)


def passes(swap: str, cmd: str, seconds: float, line: Any) -> str:
    """The pass lines, cut short at the limit. @line: of (number, seconds, part done)."""
    text, limit = "", number("-t", cmd, "0")
    for count in range(1, int(number("-n", cmd)) + 1):
        now = seconds * (6 if count == 1 and swap == "bypass" else 1)
        done = min(1.0, limit / now) if limit else 1.0
        text += (f"{line(count, now * done, done)} complete={int(done == 1.0)} pswpin=100 "
                 "pswpout=90 pgmajfault=7 answered_pages=11 queries=3\n")
        if done < 1.0:
            break
    return text


def stream(cmd: str, swap: str, seconds: float) -> str:
    """Output of the stream program."""
    elements = (int(number("-m", cmd)) << 20) // 24
    kernel = cmd.split(" -k ")[1].split()[0].split(",")[-1]

    def line(count: int, took: float, done: float) -> str:
        size = int(elements * 24 * done)
        return (f"pass kernel={kernel} pass={count} seconds={took:.6f} bytes={size} "
                f"rate_mbs={size / took / 1e6:.3f}")
    return (f"stream bytes={elements * 24} elements={elements} passes=1 contents=random\n"
            f"init seconds=1.5\n{passes(swap, cmd, seconds, line)}{VERIFIED}" +
            ("exit seconds=0.15\n" if " -x" in cmd else ""))


def gups(cmd: str, swap: str, seconds: float) -> str:
    """Output of the gups program."""
    updates = int(number("-u", cmd))

    def line(count: int, took: float, done: float) -> str:
        return (f"pass kernel=update pass={count} seconds={took:.6f} "
                f"updates={int(updates * done)} rate_gups={updates * done / took * 1e-9:.9f}")
    return (f"gups bytes=1 words=1 passes=1 updates_per_pass={updates}\n"
            f"{passes(swap, cmd, seconds * 30, line)}{VERIFIED}")


def mix(cmd: str, swap: str, seconds: float) -> str:
    """Output of kv and forkmix."""
    ops = int(number("-u", cmd))
    kernel = "unit" if "forkmix" in cmd else "mix"

    def line(count: int, took: float, done: float) -> str:
        return (f"pass kernel={kernel} pass={count} seconds={took:.6f} ops={int(ops * done)} "
                f"rate_per_s={ops * done / took}")
    return (f"prog bytes=1 passes=1 ops_per_pass={ops}\n"
            f"{passes(swap, cmd, seconds, line)}{VERIFIED}")


def memperf(*_: Any) -> str:
    """Output of memperf: two sizes and two strides."""
    return "".join(
        f"pass kernel={kernel} bytes={size << 20} stride={stride} pass=1 "
        f"seconds={size / stride / 100:.6f} rate_mbs={100 * stride}.5 "
        "pswpin=0 pswpout=0 pgmajfault=0\n"
        for size in (1, 2) for stride in (1, 8)
        for kernel in ("load", "update")) + "verify result=ok checked=1 of=1\n"


PROGRAMS: dict[str, Callable[[str, str, float], str]] = {
    "stream": stream, "gups": gups, "kv": mix, "forkmix": mix, "memperf": memperf}


class FakeBench(fake.FakeBench):
    """Answers as the rig would, from a simple model of the times."""
    damage = ""                 # device whose data comes back wrong
    crash = ""                  # device whose guest hangs
    hangs = 100                 # so many times
    slow = 1.0                  # factor on SwapBypass
    give_back = GIVE_BACK
    spike_fill = SPIKE_FILL
    turns = "turn 1 in-place 512 256 swap-ins 7\n" * 4 + "passes 5\n"

    def answer(self, guest: Guest) -> Result:
        """Pretends to run a guest."""
        assert self.machine.smp == 1 or not self.machine.icount
        free = guest.memory - 48
        memory = f"MemTotal: {guest.memory * 1024} kB\nMemAvailable: {free * 1024} kB\n"
        if guest.cmd == "cat /proc/meminfo":
            return Result(status=0, out=memory.encode())
        if guest.swap == self.crash and type(self).hangs:
            type(self).hangs -= 1
            return Result(error="timeout after 9 s\n--- QEMU ---")
        if guest.host_cmd:
            way, *more = guest.host_cmd.split("\n", 1)[0].split()[2:]
            if way == "spike":
                return self.spike(guest, int(more[0]))
            return self.with_host(way)
        lines = re.findall(r"^job (\./.*)$", guest.cmd, re.M)
        assert lines
        parts = [self.job(line, guest.swap, free) for line in lines]
        moments = [{"exits": 1000 + 90000 * i, "bypass_maps": 5 + 40000 * i,
                    "symcalls": 1 + 2500 * i} for i in range(len(lines) + 1)]
        return Result(status=0, err=jobs.JOB.encode() * len(lines), host_before=moments[0],
                      host_marks=moments[1:-1], host_after=moments[-1],
                      out="".join(f"{jobs.JOB}{memory}{text}{jobs.STATUS}{status}\n"
                                  for status, text in parts).encode())

    def with_host(self, way: str) -> Result:
        """Pretends to run what the host has a part in."""
        said = f"{way} {self.give_back[way]}\n" if way in self.give_back else self.turns
        return Result(status=0, out=b"swapon 5.00 5.25\npasses 3\n", host_said=said.encode())

    def spike(self, guest: Guest, mib: int) -> Result:
        """Pretends to run a spike, with a window or without."""
        assert (mib != 0) == (guest.swap == "in-place") and guest.reporting
        text = (f"init seconds={self.spike_fill[guest.swap]}\npass kernel=triad pass=1\n"
                f"pass kernel=triad pass=2\n{VERIFIED}exit seconds=0.15\n")
        if self.damage == guest.swap:
            text = text.replace("=ok", "=WRONG")
        said = f"spike {self.give_back['spike']}\n" if mib else ""
        return Result(status=0, out=text.encode(), host_said=said.encode())

    def job(self, cmd: str, swap: str, free: int) -> tuple[int, str]:
        """Pretends to run one job; returns its status and output."""
        ws = int(number("-m", cmd))
        if swap == "zram" and "-c random" in cmd and ws > free:
            return 137, ""
        pace = PER_MIB["none"]
        if ws > free * 0.9:
            pace = PER_MIB.get(swap, PEER_PER_MIB) * (self.slow if swap == "bypass" else 1)
        text = PROGRAMS[cmd.split()[0][2:]](cmd, swap, pace * ws)
        if self.damage != swap:
            return 0, text
        return 1, text.replace(VERIFIED, "verify result=WRONG checked=9 of=9 wrong=2\n")
