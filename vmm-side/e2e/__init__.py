# SPDX-License-Identifier: GPL-2.0
"""The tests' workshop: it runs the suites, and counts their results."""
