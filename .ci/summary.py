"""Print what the suites of `.ci/run` did; fail if one failed or ran no test.

The folder has `suites.tsv`, a line of name, status and seconds for each suite, and beside it the
JUnit file NAME.xml of each suite that pytest ran.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

WITHOUT_TESTS = ("check",)
ROW = "{:<22} {:>8} {:>7} {:>8} {:>7} {:>8}  {}"


class Suite:
    """One line of the table, and the reasons of its skipped tests."""

    def __init__(self, folder: Path, line: str) -> None:
        self.name, status, self.seconds = line.split("\t")
        self.python = "-"
        self.passed = self.failed = 0
        self.skips: Counter[str] = Counter()
        file = folder / f"{self.name}.xml"
        if file.exists():
            self._read(ElementTree.parse(file).getroot())
        self.ran = self.name in WITHOUT_TESTS or self.passed + self.failed > 0
        self.succeeded = status == "0" and self.failed == 0 and self.ran

    def _read(self, root: ElementTree.Element) -> None:
        self.python = next((one.get("value", "-") for one in root.iter("property")), "-")
        for test in root.iter("testcase"):
            skipped = test.find("skipped")
            if skipped is not None:
                self.skips[skipped.get("message", "no reason")] += 1
            elif test.find("failure") is not None or test.find("error") is not None:
                self.failed += 1
            else:
                self.passed += 1

    def row(self) -> str:
        """Return the line of the table."""
        result = "ok" if self.succeeded else "FAILED" if self.ran else "FAILED: ran no test"
        counts = (self.passed, self.skips.total(), self.failed)
        return ROW.format(self.name, self.python, *counts, self.seconds, result)


def main(folder: Path) -> int:
    """Print the table and every reason; return the exit status."""
    lines = (folder / "suites.tsv").read_text("utf-8").splitlines()
    suites = [Suite(folder, line) for line in lines]
    print(ROW.format("suite", "Python", "passed", "skipped", "failed", "seconds", ""))
    for suite in suites:
        print(suite.row())
    print("\nSkipped tests:")
    for suite in suites:
        for reason, count in suite.skips.items():
            print(f"  {suite.name}: {count} x {reason}")
    print("\nNever run here: test-neuron (an inf2 machine); test-neuron-lab only with PLUGIN=DIR.")
    return 0 if suites and all(suite.succeeded for suite in suites) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
