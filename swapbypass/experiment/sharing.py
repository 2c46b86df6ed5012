# SPDX-License-Identifier: GPL-2.0
"""Memory that a guest gets from its host and gives back: how long that takes, and what two
guests do with memory for one."""

from __future__ import annotations

import dataclasses
import pathlib
import re

from modes import DIMM, IN_PLACE, NEVER
from plan import Plan
from rig import Result, measure
from rig.measure import Target, ratio, say, script, table

HOST = pathlib.Path(__file__).resolve().parent
GUEST = HOST / "guest"


def room_for(ws: int) -> int:
    """MiB of a window or DIMM with room for a working set twice: a window's are a
    power of two, a DIMM's a multiple of Linux's memory blocks."""
    return max(128, 1 << (2 * ws - 1).bit_length())


def _why(result: Result) -> str:
    return result.host_out.strip() or result.explain()


# ---- getting and giving back --------------------------------------------

@dataclasses.dataclass(frozen=True)
class Way:
    """A way to take memory from a guest."""
    name: str
    guest: str                  # arguments of guest/give_back.sh
    host: str                   # of give_back.sh
    swap: str
    memory: int                 # MiB of the guest
    qemu_args: str = ""
    store: str = "tmpfs"


def ways(plan: Plan) -> list[Way]:
    """All of them, for half of a working set."""
    ws = plan.ws
    short, roomy = plan.memory(IN_PLACE, ws), plan.memory(NEVER, ws)
    grant = f"grant {ws * 256 // 2}"
    return [
        Way("grant", f"rest {ws}", grant, IN_PLACE.swap, short),
        Way("grant, in use", f"use {ws}", grant, IN_PLACE.swap, short),
        Way("balloon", "nothing", f"balloon {(roomy - ws // 2) << 20}", "none", roomy,
            "-device virtio-balloon-pci"),
        Way("exit", f"exit {ws}", f"exit {ws}", IN_PLACE.swap, short,
            "-device virtio-balloon-pci,free-page-reporting=on", IN_PLACE.store),
        Way("dimm", "dimm", "dimm", DIMM.swap, short),
    ]


def give_back(bench: measure.Runner, plan: Plan,
              files: pathlib.Path) -> tuple[dict[str, float], list[str]]:
    """Seconds to get memory and to give it back, by GIVE_BACK_TEXT's names, and errors."""
    seconds, errors = {}, []
    for way in ways(plan):
        result = bench.run(script(GUEST / "give_back.sh", *way.guest.split()), files=files,
                           reporting=False,
                           guest_mem=way.memory, paging="nested", swap=way.swap,
                           swap_size=room_for(plan.ws), swap_store=way.store,
                           qemu_args=way.qemu_args,
                           host_cmd=script(HOST / "give_back.sh", *way.host.split()), timeout=150)
        found = re.findall(r"^(\S+) ([0-9.]+)$", result.host_out, re.M)
        if result.status != 0 or not found:
            errors.append(f"{way.name}: {_why(result)}")
            continue
        took = re.search(r"^swapon (\S+) (\S+)$", result.stdout, re.M)
        if took:
            seconds["swapon"] = float(took[2]) - float(took[1])
        for key, value in found:
            seconds[way.name if key == "grant" else key] = float(value)
    return seconds, errors


GIVE_BACK_TEXT = {
    "swapon": "get: swapon of the window",
    "dimm": "get: plug a DIMM of twice the working set",
    "grant": "give half the working set back: grant, its process at rest",
    "grant, in use": "give half the working set back: grant, in use",
    "balloon": "give as much back: balloon, from free memory",
    "exit": "give a process's window back, from its end on",
    "dimm-back": "give all back: unplug the DIMM, not in use",
}


def give_back_text(seconds: dict[str, float]) -> list[str]:
    """Lines of the report."""
    return [*table(["Getting memory and giving it back, by the host's clock", "s"],
                   [[text, f"{seconds[key]:.2f}"] for key, text in GIVE_BACK_TEXT.items()
                    if key in seconds]), ""]


def exit_target(seconds: dict[str, float]) -> Target:
    """@seconds: from give_back()."""
    took = seconds.get("exit")
    made = Target("A process's window back with the host, s after its end", took, 1)
    if took is not None:
        made.detail = "three quarters of it, of the host's file; most of the wait is for a reuse"
    return made


def give_back_target(seconds: dict[str, float]) -> Target:
    """@seconds: from give_back()."""
    lent, balloon = seconds.get("grant"), seconds.get("balloon")
    made = Target("Half the window back: balloon / grant", ratio(balloon, lent), 1, at_least=True)
    if made.value is not None:
        made.detail = f"{balloon:.2f} s / {lent:.2f} s"
    return made


# ---- two guests, one budget ---------------------------------------------

OPERATIONS = 50000              # of a pass: short, so that whole ones count
TURN = 15                       # seconds
TURNS = 4

POLICY_TEXT = {
    "daemon": "symbioticd moves the grants",
    "halves": "half for each, for good",
    "all": "no grants: the host swaps",
}


@dataclasses.dataclass
class Shared:
    """What two guests did with one way to share the host's memory."""
    rate: float                 # operations per second, of both
    turns: list[tuple[int, int, int]]   # pages in place of each, the host's swap-ins


def two_guests(bench: measure.Runner, plan: Plan,
               files: pathlib.Path) -> tuple[dict[str, Shared], list[str]]:
    """Two guests in turns. The host has memory for what one of them cannot
    keep in its own, and a little more. Returns Shared by policy, and errors."""
    ws, memory = plan.ws * 5 // 4, plan.memory(IN_PLACE, plan.ws)
    budget = plan.ws * 3 // 4
    # All memory but the windows' is there before the host's limit is.
    ram = (f"-object memory-backend-ram,id=ram,prealloc=on,size={memory}M "
           "-machine memory-backend=ram")
    shared, errors = {}, []
    for policy in POLICY_TEXT:
        # Room for the windows' struct pages, and KVM's tables.
        host_cmd = script(HOST / "two_guests.sh", policy, budget * 256, budget + 16, TURN)
        result = bench.run(script(GUEST / "two_guests.sh", ws, OPERATIONS), files=files,
                           guest_mem=memory, paging="nested", swap=IN_PLACE.swap,
                           reporting=False, swap_size=room_for(plan.ws), qemu_args=ram,
                           host_cmd=host_cmd, timeout=180 + TURNS * TURN)
        passes = re.findall(r"^passes (\d+)$", result.stdout + result.host_out, re.M)
        turns = re.findall(r"^turn \d+ in-place (\d+) (\d+) swap-ins (\d+)$", result.host_out,
                           re.M)
        if result.status != 0 or len(passes) != 2 or len(turns) != TURNS:
            errors.append(f"two guests, {policy}: {_why(result)}")
            continue
        shared[policy] = Shared(sum(map(int, passes)) * OPERATIONS / (TURNS * TURN),
                                [(int(a), int(b), int(swapped)) for a, b, swapped in turns])
    return shared, errors


def two_guests_text(shared: dict[str, Shared], plan: Plan) -> list[str]:
    """Lines of the report."""
    if not shared:
        return []
    return [f"Two guests with {plan.ws * 5 // 4} MiB of data each, one busy, then the other; "
            f"{plan.ws * 3 // 4} MiB of the host for both windows.",
            "After each turn: MiB in place (pages that the host read from disk).",
            *table(["", "operations/s", *(f"turn {n}" for n in range(1, TURNS + 1))],
                   [[POLICY_TEXT[policy], f"{found.rate:.0f}",
                     *(f"{a // 256}+{b // 256} ({swapped})" for a, b, swapped in found.turns)]
                    for policy, found in shared.items()]), ""]


# ---- both ---------------------------------------------------------------

@dataclasses.dataclass
class Sharing:
    """What is measured besides the jobs."""
    plan: Plan
    seconds: dict[str, float]   # from give_back()
    shared: dict[str, Shared]   # from two_guests()
    errors: list[str]

    @classmethod
    def measure(cls, bench: measure.Runner, plan: Plan, files: pathlib.Path) -> Sharing:
        """Runs it all."""
        say("getting memory and giving it back ...")
        seconds, errors = give_back(bench, plan, files)
        say("two guests, one budget ...")
        shared, more = two_guests(bench, plan, files)
        return cls(plan, seconds, shared, errors + more)

    def text(self) -> list[str]:
        """Lines of the report."""
        return (give_back_text(self.seconds) + two_guests_text(self.shared, self.plan) +
                [f"FAILED {error}" for error in self.errors])
