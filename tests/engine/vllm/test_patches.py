"""Each private name of vLLM: it is where it was, means what it meant, and is still needed."""

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from engine import DEFAULT_MODEL, RAY_STAT_LOGGER, Cpu, EngineOptions, resolve_model
from engine.vllm import patches
from gateway.serving.environment import cache_folder

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def vllm() -> Any:
    return pytest.importorskip("vllm")


def test_vllm_asks_one_function_whether_a_ray_actor_may_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vllm.utils import system_utils

    def asked() -> bool:
        raise InterruptedError

    monkeypatch.setenv("VLLM_WORKER_MULTIPROC_METHOD", "fork")
    monkeypatch.setattr(system_utils, "is_in_ray_actor", asked)
    with pytest.raises(InterruptedError):
        system_utils.get_mp_context()
    patches.allow_fork_in_ray_actors()
    assert system_utils.get_mp_context().get_start_method() == "fork"


def test_attention_takes_the_vector_kernels_in_place_of_amx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch
    from vllm.v1.attention.backends import cpu_attn

    arguments = {"dtype": torch.bfloat16, "block_size": 32, "head_size": 64}
    original = inspect.unwrap(cpu_attn._get_attn_isa)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(cpu_attn, "_get_attn_isa", original)
    assert original(**arguments) == "amx"
    patches.disable_amx_attention()
    assert cpu_attn._get_attn_isa(**arguments) == "vec"
    builder = inspect.getsource(cpu_attn.CPUAttentionMetadataBuilder)
    assert "self.isa = _get_attn_isa(" in builder  # looked up in the module at each call


CONFIG = """
import json, os, sys
arguments, environment = json.loads(sys.argv[1])
os.environ.update(environment)
from vllm import AsyncEngineArgs
config = AsyncEngineArgs(**arguments).create_engine_config()
method = os.environ["VLLM_WORKER_MULTIPROC_METHOD"]
print(json.dumps([config.parallel_config.distributed_executor_backend, method]))
"""


@pytest.fixture(scope="module")
def model() -> str:
    return str(resolve_model(DEFAULT_MODEL, cache=cache_folder(), progress=lambda _: None))


@pytest.mark.parametrize(
    ("variables", "executor"),
    [(patches.KEEP_UNIPROC_EXECUTOR, "uni"), ({"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}, "mp")],
)
def test_the_cpu_platform_replaces_executor_and_start_method(
    model: str, variables: dict[str, str], executor: str
) -> None:
    options, device = EngineOptions(model=model, max_model_len=256), Cpu(kv_cache_gib=0.1)
    environment = device.environment(device.launch(options)) | variables
    given = json.dumps([device.engine_args("m", options), environment])
    done = subprocess.run([sys.executable, "-c", CONFIG, given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The start method is why `make_async_llm` sets the environment a second time.
    assert json.loads(done.stdout.splitlines()[-1]) == [executor, "spawn"]


def test_vllm_refuses_a_bad_request_with_a_client_error(vllm: Any) -> None:
    with pytest.raises(patches.client_error_types()):
        vllm.SamplingParams(top_p=7.0)
    from vllm.exceptions import VLLMClientError

    assert VLLMClientError in patches.client_error_types()


def test_token_ids_are_a_prompt_that_needs_no_renderer() -> None:
    prompt = patches.token_prompt([1, 2, 3])
    assert (prompt["type"], prompt["prompt_token_ids"]) == ("token", [1, 2, 3])


def test_the_statistics_logger_for_ray_exists() -> None:
    pytest.importorskip("ray")
    module, _, name = RAY_STAT_LOGGER.partition(":")
    parameters = inspect.signature(getattr(import_module(module), name)).parameters
    assert next(iter(parameters)) == "vllm_config"


def test_every_private_name_is_in_one_file() -> None:
    """Only `patches` names what is not exported by vLLM, and what depends on its version."""
    folder = Path(patches.__file__).parent
    others = [file for file in folder.glob("*.py") if file.name != "patches.py"]
    found = [f"{f.name}: {line}" for f in others for line in f.read_text().splitlines()
             if "vllm.v1" in line or "cpu_attn" in line or "llm._" in line]  # fmt: skip
    assert found == []
