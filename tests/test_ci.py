"""The table of `.ci/run` fails where a suite failed, ran no test, or did not start."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT
from tests.tools import require_tool

PASSED = "<testcase/>"
SKIPPED = '<testcase><skipped message="no device"/></testcase>'
FAILED = "<testcase><failure/></testcase>"


@pytest.mark.parametrize(
    ("cases", "status", "succeeds"),
    [
        (PASSED + SKIPPED, 0, True),
        (PASSED + FAILED, 1, False),
        (PASSED, 2, False),
        (SKIPPED, 0, False),
        (None, 2, False),
    ],
)
def test_only_a_suite_that_passed_tests_succeeds(
    tmp_path: Path, cases: str | None, status: int, succeeds: bool
) -> None:
    (tmp_path / "suites.tsv").write_text(f"check\t0\t9\ntest\t{status}\t9\n")
    if cases is not None:
        (tmp_path / "test.xml").write_text(f"<testsuites>{cases}</testsuites>")
    done = subprocess.run(
        [sys.executable, ".ci/summary.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    assert ("no device" in done.stdout) == (SKIPPED in (cases or ""))


def test_a_missing_tool_is_a_skip_or_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools._FOLDERS", "")
    monkeypatch.delenv("REQUIRE_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Debian's package curl"):
        require_tool("curl")
    monkeypatch.setenv("REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="Debian's package curl"):
        require_tool("curl")
    with pytest.raises(pytest.skip.Exception):
        require_tool("terraform")
