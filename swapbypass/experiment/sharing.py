# SPDX-License-Identifier: GPL-2.0
"""Memory that a guest gets from its host and gives back: how long that takes, in a spike as well,
and what two guests do with memory for one."""

from __future__ import annotations

import dataclasses
import pathlib
import re

from modes import DIMM, FIRST_TOUCH, IN_PLACE, NEVER, Mode
from plan import Plan
from rig import Result, measure
from rig.measure import Target, number, ratio, say, script, table

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


# ---- a spike, there and back ----------------------------------------------

SPIKE_SIZE = 4                  # times all memory of the guest
SPIKE_SECONDS = 10
SPIKES = 4                      # of each kind, in turns: the better of two was a third off


@dataclasses.dataclass
class Spike:
    """A program of four times the memory: what it and the host have measured."""
    mode: Mode
    fill: float
    exit: float
    passes: int
    back: float | None          # seconds until the host has the window's memory; None: no window


def spike(bench: measure.Runner, plan: Plan, mode: Mode, files: pathlib.Path) -> Spike | str:
    """One, with first touches and free page reporting, or with enough memory from the beginning;
    or why there is none."""
    small = plan.memory(FIRST_TOUCH, plan.ws)
    data = SPIKE_SIZE * small
    window = mode is FIRST_TOUCH
    # First touches leave a part of the window alone.
    result = bench.run(script(GUEST / "give_back.sh", "spike", data, SPIKE_SECONDS), files=files,
                       guest_mem=small if window else plan.memory(mode, data), paging="nested",
                       swap=mode.swap, swap_size=room_for(data), swap_store=mode.store,
                       append=mode.append(data), timeout=240,
                       host_cmd=script(HOST / "give_back.sh", "spike", data if window else 0))
    found = {name: re.search(rf"^{name} seconds=([0-9.]+)$", result.stdout, re.M)
             for name in ("init", "exit")}
    back = re.search(r"^spike ([0-9.]+)$", result.host_out, re.M)
    if (result.status != 0 or "verify result=ok" not in result.stdout or (window and not back) or
            not found["init"] or not found["exit"]):
        return _why(result)
    return Spike(mode, float(found["init"][1]), float(found["exit"][1]),
                 len(re.findall("^pass ", result.stdout, re.M)), float(back[1]) if back else None)


def spikes(bench: measure.Runner, plan: Plan,
           files: pathlib.Path) -> tuple[list[Spike], list[str]]:
    """All of them, and errors."""
    made: list[Spike] = []
    errors = []
    for _ in range(SPIKES):
        for mode in (NEVER, FIRST_TOUCH):
            found = spike(bench, plan, mode, files)
            if isinstance(found, Spike):
                made.append(found)
            else:
                errors.append(f"spike, {mode.name}: {found}")
    return made, errors


def spikes_text(made: list[Spike], plan: Plan) -> list[str]:
    """Lines of the report."""
    if not made:
        return []
    small = plan.memory(FIRST_TOUCH, plan.ws)
    return [f"A spike: a program fills {SPIKE_SIZE * small} MiB, uses them for {SPIKE_SECONDS} s "
            f"and ends; with first touches in a guest of {small} MiB.",
            *table(["", "fill s", "passes", "exit s", "back with the host s"],
                   [[one.mode.text, f"{one.fill:.2f}", one.passes, f"{one.exit:.2f}",
                     number(one.back, "{:.2f}")] for one in made]), ""]


def spike_targets(made: list[Spike]) -> list[Target]:
    """The best fill of each kind; the slowest way back."""
    fill = {mode: min((one.fill for one in made if one.mode is mode), default=None)
            for mode in (FIRST_TOUCH, NEVER)}
    back = max((one.back for one in made if one.back is not None), default=None)
    filled = Target("Fill of a spike, 4 x the memory: first touch / never swaps",
                    ratio(fill[FIRST_TOUCH], fill[NEVER]), 1.1)
    if filled.value is not None:
        filled.detail = f"{fill[FIRST_TOUCH]:.2f} s / {fill[NEVER]:.2f} s, in time"
    given = Target("A spike's memory back with the host, s after its end", back, 1)
    if back is not None:
        given.detail = ("nine tenths of it, of the host's file, from the last look that saw the "
                        "program; the slowest")
    return [filled, given]


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


# ---- all of it ------------------------------------------------------------

@dataclasses.dataclass
class Sharing:
    """What is measured besides the jobs."""
    plan: Plan
    seconds: dict[str, float]   # from give_back()
    shared: dict[str, Shared]   # from two_guests()
    spikes: list[Spike]         # from spikes()
    errors: list[str]

    @classmethod
    def measure(cls, bench: measure.Runner, plan: Plan, files: pathlib.Path) -> Sharing:
        """Runs it all."""
        say("getting memory and giving it back ...")
        seconds, errors = give_back(bench, plan, files)
        say("a spike, there and back ...")
        made, lost = spikes(bench, plan, files)
        say("two guests, one budget ...")
        shared, more = two_guests(bench, plan, files)
        return cls(plan, seconds, shared, made, errors + lost + more)

    def targets(self) -> list[Target]:
        """Of all of it."""
        return [give_back_target(self.seconds), exit_target(self.seconds),
                *spike_targets(self.spikes)]

    def text(self) -> list[str]:
        """Lines of the report."""
        return (give_back_text(self.seconds) + spikes_text(self.spikes, self.plan) +
                two_guests_text(self.shared, self.plan) +
                [f"FAILED {error}" for error in self.errors])
