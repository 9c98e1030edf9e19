"""`neuron-gateway plan`."""

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.commands.main import app
from gateway.commands.preflight import check
from gateway.config import load_config

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
BY_HAND = "parameters=8.03e9,layers=32,heads=32,kv_heads=8"
LOAD = "requests_per_second: 4\nprompt_tokens: {mean: 1500, sd: 150}\noutput_tokens: 250\n"


def plan(*options: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, options)])


def error_of(*options: object) -> str:
    done = plan(*options)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    return done.output


def test_every_placement_is_shown_and_why_others_do_not_fit() -> None:
    done = plan(LLAMA)
    assert done.exit_code == 0, done.output
    assert "3 x TP8" in done.output
    assert "inf2.8xlarge, degree 1: 16.1 GB of weights leave no room" in done.output
    assert "Hugging Face, July 2025" in done.output


def test_check_accepts_the_config_of_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    done = plan(LLAMA, "--instance", "inf2.8xlarge", "--max-num-seqs", 8, "--config", file)
    assert done.exit_code == 0, done.output
    config = load_config(file)
    check(config)
    assert config.models[0].engine.max_num_seqs == 8
    assert config.models[0].replicas == 1


@pytest.mark.parametrize(
    ("model", "degree", "instance"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", 24, "inf2.48xlarge"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 8, "inf2.48xlarge"),
    ],
)
def test_big_models_are_planned_at_the_degrees_that_others_ran(
    tmp_path: Path, model: str, degree: int, instance: str
) -> None:
    file = tmp_path / "plan.yaml"
    done = plan(model, "--config", file)
    assert done.exit_code == 0, done.output
    config = load_config(file)
    check(config)
    device = config.models[0].engine.device.model_dump()
    assert (device["tensor_parallel_size"], device["instance"]) == (degree, instance)


def test_the_cheapest_fleet_for_a_workload_is_found_and_plotted(tmp_path: Path) -> None:
    (tmp_path / "load.yaml").write_text(LOAD)
    picture = tmp_path / "plan.png"
    done = plan(LLAMA, "--workload", tmp_path / "load.yaml", "--plot", picture)
    assert done.exit_code == 0, done.output
    assert re.search(r"\d x inf2", done.output)
    assert "p95 of TTFT ≤ 2 s, TPOT ≤ 0.08 s" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_model_is_planned_by_its_sizes() -> None:
    done = plan("my-model", "--by-hand", BY_HAND, "--instance", "inf2.48xlarge")
    assert done.exit_code == 0, done.output
    assert "id: my-model" in done.output


def test_a_folder_with_a_config_is_enough(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "intermediate_size": 5632,
        "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4,
        "vocab_size": 32000, "max_position_embeddings": 2048,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = plan(tmp_path, "--instance", "inf2.xlarge", "--prompt", 500)
    assert done.exit_code == 0, done.output
    assert "1 x TP2" in done.output
    assert "scaled by 0.14" in done.output


def test_a_given_price_is_used() -> None:
    done = plan(LLAMA, "--instance", "inf2.48xlarge", "--price", 5.608)
    assert "$5.608 an hour" in done.output


def test_degrees_beyond_the_instance_are_not_explained() -> None:
    said = error_of("Qwen/Qwen3-30B-A3B-Instruct-2507", "--instance", "inf2.8xlarge")
    assert said.count("inf2.8xlarge, degree") == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["/nowhere/model"], "is no folder with a config.json"),
        ([LLAMA, "--price", "5"], "--price: is that of one instance. Give --instance too"),
        ([LLAMA, "--instance", "inf2.24xlarge", "--tensor-parallel-size", "24"],
         "degree 24 is more than its 12 NeuronCores"),
        ([LLAMA, "--instance", "inf2.8xlarge", "--max-num-seqs", "64"], "64 slots do not fit"),
        ([LLAMA, "--max-model-len", "9000"], "the model was made for 8192 tokens"),
        ([LLAMA, "--prompt", "9000"], "the longest request has 9250 tokens"),
        ([LLAMA, "--slo", "fast"], "fast is no limit"),
        ([LLAMA, "--workload", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
        (["x", "--by-hand", "layers=32"], "parameters is missing"),
        (["x", "--by-hand", "depth=32"], "depth is no size"),
        (["x", "--by-hand", BY_HAND + ",active_parameters=9e9"],
         "active_parameters, 9000000000, is above parameters"),
        (["Qwen/Qwen3-30B-A3B-Instruct-2507", "--instance", "inf2.8xlarge"],
         "61.1 GB of weights leave no room"),
        (["x", "--by-hand", "parameters=7e10,layers=80,heads=64,kv_heads=8",
          "--instance", "inf2.8xlarge"], "Nothing fits"),
        ([LLAMA, "--instance", "inf2.8xlarge", "--plot", "/nowhere/a.png"], "cannot be written"),
    ],
)  # fmt: skip
def test_an_impossible_plan_is_reported_in_a_sentence(options: list[str], says: str) -> None:
    assert says in error_of(*options).replace("\n", " ")
