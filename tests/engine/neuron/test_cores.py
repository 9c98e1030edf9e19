"""NeuronCores: ids as Ray gives them and as the runtime reads them, and one holder for each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.neuron.cores import CoresUnusable, claim, contiguous, expand_ranges, runtime_environment

HOLD = "import sys; from pathlib import Path; from engine.neuron.cores import claim; "
HOLD += "claim([0], folder=Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_ids_in_any_order_are_sorted() -> None:
    assert contiguous(["10", "9", "8", 11]) == (8, 9, 10, 11)


@pytest.mark.parametrize("ids", [["0", "2"], [3, 5, 4, 7], [1, 1]])
def test_a_gap_is_refused_with_the_fix(ids: list[str]) -> None:
    with pytest.raises(CoresUnusable, match=r"not contiguous.*one replica size per node"):
        contiguous(ids)


def test_no_cores_are_refused() -> None:
    with pytest.raises(CoresUnusable, match="no neuron_cores"):
        contiguous([])


@pytest.mark.parametrize(
    ("visible", "ids"),
    [("0-3", "0 1 2 3"), ("0,1", "0 1"), ("0-1, 4-5", "0 1 4 5"), ("7", "7"), ("", "")],
)
def test_a_range_is_written_out_for_ray(visible: str, ids: str) -> None:
    assert expand_ranges(visible) == ids.split()


def test_the_runtime_gets_a_range_and_a_port_of_its_own() -> None:
    assert runtime_environment((4, 5))["NEURON_RT_VISIBLE_CORES"] == "4-5"
    assert runtime_environment((4,))["NEURON_RT_VISIBLE_CORES"] == "4"
    ports = {
        runtime_environment(cores)["NEURON_RT_ROOT_COMM_ID"] for cores in ((0, 1), (2, 3), (4, 5))
    }
    assert len(ports) == 3


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def release(process: "subprocess.Popen[str]") -> None:
    process.communicate("")


def test_a_held_core_is_refused_with_its_holder(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(CoresUnusable, match=f"NeuronCore 0 is held by process {holder.pid}"):
        claim([0], wait=0.3, folder=tmp_path)
    release(holder)


def test_a_core_of_a_process_that_was_killed_is_free(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    holder.kill()
    holder.communicate()
    claim([0], wait=0.0, folder=tmp_path)
    assert (tmp_path / "0").read_text() == str(os.getpid())


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "0").symlink_to(precious)
    with pytest.raises(CoresUnusable, match="cannot be locked"):
        claim([0], wait=0.0, folder=tmp_path)
    assert precious.read_text() == "kept"
