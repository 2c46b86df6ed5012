# SPDX-License-Identifier: GPL-2.0
"""Unit tests of tracked.py: each rule complains of what breaks it, and of nothing else."""

import unittest

from e2e import tracked

SPDX = "# SPDX-License-Identifier: GPL-2.0\n"
CODE = "void symb_known(void) { }\n"


class TrackedTest(unittest.TestCase):
    """The rules, by what is said of one file beside a file of code."""

    def said(self, name: str, text: str) -> str:
        """Give the complaints about a file, one a line."""
        return "\n".join(tracked.complaints({name: text, "x.c": SPDX + CODE}))

    def test_licence(self) -> None:
        self.assertIn("no SPDX", self.said("a.sh", "#!/bin/sh\n"))
        self.assertIn("no SPDX", self.said("a.sh", "#!/bin/sh\n\n\n" + SPDX))
        self.assertEqual(self.said("a.sh", "#!/bin/sh\n" + SPDX), "")
        for name in ("COPYING", "LICENSES/BSD-2-Clause", "x/a.patch"):
            self.assertEqual(self.said(name, "text\n"), "")
        self.assertIn("no SPDX", self.said("LICENSES/README.md", "text\n"))

    def test_paths(self) -> None:
        nothing = "docs" + "/nothing.md"
        self.assertEqual(self.said("a.sh", f"{SPDX}cat {nothing}\n"),
                         f"a.sh:2: there is no {nothing}")
        for text in ("docs/*.md", "docs/abi.md.", "in vmm-side/e2e/, too", f"/usr/{nothing}",
                     f"$B/{nothing}", f"<{nothing}>"):
            self.assertEqual(self.said("a.sh", f"{SPDX}{text}\n"), "", text)

    def test_links(self) -> None:
        for link in ("(nothing.md)", "(abi.md#nothing)", "(#nothing)"):
            self.assertIn("a link to", self.said("docs/abi.md", f"{SPDX}[it]{link}\n"))
        for link in ("(design.md)", "(abi.md#1-discovery)", "(#4-symcall)", "(../README.md)",
                     "(https://example.org/nothing)"):
            self.assertEqual(self.said("docs/abi.md", f"{SPDX}[it]{link}\n"), "", link)

    def test_functions(self) -> None:
        self.assertIn("no function symb_other()", self.said("a.md", f"{SPDX}`symb_other()`\n"))
        self.assertEqual(self.said("a.md", f"{SPDX}`symb_known()`, `do_swap_page()`\n"), "")
        self.assertEqual(self.said("a.c", f"{SPDX}/* symb_other() */\n"), "")

    def test_wrapping(self) -> None:
        self.assertIn("longer", self.said("a.md", SPDX + "a" * 101))
        for text in ("a" * 100, "|" + "a" * 101):
            self.assertEqual(self.said("a.md", SPDX + text), "")
        self.assertEqual(self.said("a.c", SPDX + "a" * 101), "")


if __name__ == "__main__":
    unittest.main()
