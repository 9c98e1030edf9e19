"""The attention kernel: never left to the library, and what `check` says of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gateway.commands.main import app

CACHING: dict[str, Any] = {"prefix_caching": True, "block_size": 32}
KERNEL_ON: dict[str, Any] = {"override_neuron_config": {"attn_kernel_enabled": True}}


def check(folder: Path, length: int, **device: Any) -> str:
    """Return what `check` shows of Llama 3 8B on two cores."""
    fixed = {"kind": "neuron", "instance": "inf2.24xlarge", "tensor_parallel_size": 2}
    engine = {
        "model": "meta-llama/Meta-Llama-3-8B-Instruct",
        "max_num_seqs": 4,
        "max_model_len": length,
        "device": fixed | device,
    }
    args = {"models": [{"id": "llama", "engine": engine}]}
    application = {"import_path": "gateway.serving.ray_app:build_app", "args": args}
    file = folder / "inf2.yaml"
    file.write_text(yaml.safe_dump({"applications": [application]}))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["check", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout


def kernel(shown: str) -> Any:
    """Return the value that the plugin is started with."""
    found = re.search(r"  additional_config: (.*)", shown)
    assert found is not None
    return json.loads(found[1])["override_neuron_config"]["attn_kernel_enabled"]


@pytest.mark.parametrize("length", [256, 2048, 4096, 8192])
@pytest.mark.parametrize("caching", [{}, CACHING], ids=["plain", "prefix caching"])
@pytest.mark.parametrize("plugin", ["0.4.1", "0.5.0", "0.5.3"])
def test_it_is_off_for_every_length(
    tmp_path: Path, plugin: str, caching: dict[str, Any], length: int
) -> None:
    assert kernel(check(tmp_path, length, plugin=plugin, **caching)) is False


def test_up_to_4096_there_is_no_risk(tmp_path: Path) -> None:
    assert "attention kernel" not in check(tmp_path, 4096)


def test_above_it_the_memory_of_the_scores_and_the_ways_out_are_shown(tmp_path: Path) -> None:
    shown = " ".join(check(tmp_path, 8192).split())
    assert "risk: the attention kernel is off" in shown
    assert "NxDI contrib, chandra): the scores of 8,192 tokens take 4.3 GB of each core" in shown
    assert "Set max_prompt_length: 4096, or try attn_kernel_enabled: true" in shown
    assert "attention kernel" not in check(tmp_path, 8192, max_prompt_length=4096)


def test_with_prefix_caching_the_reason_is_shown_and_the_kernel_is_no_way_out(
    tmp_path: Path,
) -> None:
    reason = "attention kernel: off, since with prefix_caching it compiles RangeSelect"
    assert reason in check(tmp_path, 4096, **CACHING)
    assert reason not in check(tmp_path, 2048, **CACHING)
    shown = " ".join(check(tmp_path, 8192, **CACHING).split())
    assert reason in shown
    assert "Set max_prompt_length: 4096. " in shown


def test_the_config_may_turn_it_on_at_its_own_risk(tmp_path: Path) -> None:
    shown = check(tmp_path, 8192, **KERNEL_ON)
    assert kernel(shown) is True
    assert "risk: attn_kernel_enabled: true" in shown
    assert "helix#2724" in shown


def test_a_graph_too_short_for_it_has_no_risk(tmp_path: Path) -> None:
    assert "risk: attn_kernel" not in check(tmp_path, 256, **KERNEL_ON)
    assert kernel(check(tmp_path, 256, **KERNEL_ON, **CACHING)) is True
