# SPDX-License-Identifier: GPL-2.0
"""What the lightweight kernel's experiments share."""

import datetime
import pathlib
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = TOP / "build" / "kitten" / "programs"

GUESTS = ("kitten", "linux")


def say(text=""):
    """Prints a line at once."""
    print(text, flush=True)


def run(bench, guest, command, **options):
    """Runs the same program in one of the two guests; its output."""
    if guest == "linux":
        result = bench.run(command.replace("@", "./"), files=PROGRAMS, kernel="guest", **options)
    else:
        result = bench.run(command.replace("@", ""), kernel="kitten", **options)
    if result.status != 0:
        raise RuntimeError(f"{guest}: " + (result.explain() if result.status is None else
                                           f"status {result.status}\n{result.stderr}{result.stdout}"))
    return result.stdout


def fields(line):
    """The key=value pairs of a line, numbers as numbers."""
    return {k: float(v) if re.fullmatch(r"-?[\d.]+", v) else v
            for k, v in re.findall(r"(\w+)=(\S+)", line)}


def results_directory():
    """A new directory below results/."""
    path = TOP / "results" / datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    path.mkdir(parents=True)
    return path


def gnuplot(script):
    """Runs a script; returns why it did not work, or None."""
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed (package gnuplot-nox)"
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, timeout=60,
                          check=False)
    return done.stderr.strip() if done.returncode else None
