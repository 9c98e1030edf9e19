"""`check` and host memory: what cannot be compiled on its instance, and what it can serve."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.main import app

FILE = """\
applications:
- import_path: gateway.serving.ray_app:build_app
  args:
    models:
    - id: llama
      engine:
        model: meta-llama/Meta-Llama-3-8B-Instruct
        max_num_seqs: 4
        max_model_len: 4096
        device: {kind: neuron, instance: INSTANCE, tensor_parallel_size: 2, compile: COMPILE}
"""


def check(folder: Path, instance: str, compile_: str) -> tuple[int, str]:
    file = folder / "inf2.yaml"
    file.write_text(FILE.replace("INSTANCE", instance).replace("COMPILE", compile_))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["check", "--offline", str(file)])
    return result.exit_code, result.output


def test_a_compile_that_the_host_cannot_hold_is_refused(tmp_path: Path) -> None:
    code, shown = check(tmp_path, "inf2.xlarge", "allowed")
    assert code == 2
    assert (
        "models.0.engine.device.compile: a compile takes 38 GiB of host memory, 2 x the weights "
        "and 8, and inf2.xlarge has 16. Compile on a larger host"
    ) in shown


def test_artifacts_of_a_larger_host_are_the_way_to_a_small_one(tmp_path: Path) -> None:
    code, shown = check(tmp_path, "inf2.xlarge", "never")
    assert code == 0, shown
    assert "host memory: a compile takes 38 GiB" in shown
    assert "with compile: never a start loads their sharded weights" in shown


@pytest.mark.parametrize("compile_", ["allowed", "never"])
def test_a_host_that_can_compile_is_not_mentioned(tmp_path: Path, compile_: str) -> None:
    code, shown = check(tmp_path, "inf2.8xlarge", compile_)
    assert code == 0, shown
    assert "host memory" not in shown
