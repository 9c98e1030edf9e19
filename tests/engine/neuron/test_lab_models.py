"""Published models: `check` accepts a config, and the plugin's loader starts and answers with it.

The sizes are the models' own. There are no real weights: the stand-in reads none.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from gateway.commands.main import app
from gateway.config import load_config
from tests.conftest import running
from tests.engine.neuron.conftest import lab_in
from tests.engine.neuron.lab.journal import answer
from tests.engine.neuron.lab.model import make_model
from tests.engine.neuron.lab.published import LLAMA_3_8B, LLAMA_3_70B, MISTRAL_7B, QWEN3_30B_A3B

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("default"),
]

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
PROMPT = [byte + 3 for byte in b"user: hi\nassistant:"]


@dataclass(frozen=True)
class Published:
    """A model, the config that serves it, and what must reach the library."""

    config: dict[str, Any]
    slots: int
    device: dict[str, Any]
    decoder: str = "NeuronLlamaForCausalLM"
    keys: dict[str, Any] = field(default_factory=dict)


MODELS = {
    "Llama 3.3 70B": Published(
        LLAMA_3_70B, 8, {"instance": "inf2.48xlarge", "tensor_parallel_size": 24}
    ),
    "Qwen3 30B A3B": Published(
        QWEN3_30B_A3B,
        16,
        {"instance": "inf2.24xlarge", "tensor_parallel_size": 8},
        decoder="NeuronQwen3MoeForCausalLM",
    ),
    "Mistral 7B": Published(MISTRAL_7B, 4, {"instance": "inf2.8xlarge", "tensor_parallel_size": 2}),
    "Llama 3 8B in int8": Published(
        LLAMA_3_8B,
        4,
        {
            "instance": "inf2.8xlarge",
            "tensor_parallel_size": 1,
            "override_neuron_config": {"quantized": True, "fused_qkv": True},
        },
        keys={"quantized": True, "quantization_dtype": "int8", "fused_qkv": True},
    ),
}


def make_weights(folder: Path, config: dict[str, Any]) -> Path:
    """Return the folder of a model, with a file where its weights are."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"no weights")
    return make_model(folder, config)


def start_and_ask(file: Path) -> str:
    with running(load_config(file)) as url:
        made = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"max_tokens": 8}, timeout=60)
    assert made.status_code == 200, made.text
    return str(made.json()["choices"][0]["message"]["content"])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_check_accepts_it_and_the_library_gets_its_keys(tmp_path: Path, model: Published) -> None:
    folder = make_weights(tmp_path / "model", model.config)
    with lab_in(tmp_path, folder) as lab:
        file = lab.config_file(slots=model.slots, length=4096, **model.device)
        checked = CliRunner().invoke(app, ["check", "--offline", str(file)])
        assert checked.exit_code == 0, checked.output
        assert start_and_ask(file) == answer(PROMPT, 8, greedy=False)
        load = lab.events[-1]
    degree = model.device["tensor_parallel_size"]
    wanted = {"tp_degree": degree, "batch_size": model.slots, "seq_len": 4096} | model.keys
    assert load["event"] == "load"
    assert load["model"] == model.decoder
    assert {key: load["config"][key] for key in wanted} == wanted
    assert load["unknown_keys"] == []
    assert load["visible_cores"] == ("0" if degree == 1 else f"0-{degree - 1}")
    assert load["sizes"] == {key: model.config[key] for key in load["sizes"]}


def test_the_plugin_quantizes_once_and_a_start_from_artifacts_needs_no_more(tmp_path: Path) -> None:
    int8 = MODELS["Llama 3 8B in int8"]
    folder = make_weights(tmp_path / "model", int8.config)
    with lab_in(tmp_path, folder) as lab:
        for compile_ in ("allowed", "never"):
            start_and_ask(lab.config_file(length=4096, compile=compile_, **int8.device))
        quantize, *others = lab.events
    assert [event["event"] for event in others] == ["compile", "load", "load"]
    assert (quantize["event"], quantize["path"]) == ("quantize", str(folder))
    into = Path(quantize["into"])
    assert into.is_relative_to(tmp_path / "artifacts")
    assert not into.exists()
    assert others[-1]["config"]["quantized_checkpoints_path"] == str(into)
