"""Workloads and traces as files."""

from pathlib import Path

import pytest

from deploy.planner import WorkloadError, read_workload


def test_a_trace_is_repeated_after_its_end(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("seconds,prompt_tokens,output_tokens\n10,5,6\n11,7,8\n")
    load = read_workload(file)
    # Two requests in a second, and as long a gap behind them as one of theirs.
    assert [r.at for r in load.requests(4)] == pytest.approx([0, 1, 1.5, 2.5])
    assert load.longest == 15
    assert load.requests_per_second == pytest.approx(2 / 1.5)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "requests_per_second: 0", "requests_per_second"),
        ("a.yaml", "{requests_per_second: 1, prompt_tokens: 5, output_tokens: {sd: 1}}", "mean"),
        ("a.yaml", "[", "not valid YAML"),
        ("a.csv", "seconds,prompt_tokens\n1,2\n", "no column output_tokens"),
        ("a.csv", "seconds,prompt_tokens,output_tokens\n1,2,x\n", "line 2"),
        ("a.csv", "seconds,prompt_tokens,output_tokens\n", "no requests"),
    ],
)
def test_a_workload_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(WorkloadError, match=message):
        read_workload(tmp_path / name)
