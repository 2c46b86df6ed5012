# SPDX-License-Identifier: GPL-2.0
"""`python3 -m rig`."""

from . import cli, ending

ending.exit_when_told(cli.main, "rig")
