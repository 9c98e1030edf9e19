"""The memory of a device and its host against what others published, and as computed by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.models.shape import KNOWN, ModelShape, read_shape
from engine.neuron.catalogue import GIB
from engine.neuron.memory import Memory
from engine.neuron.node.host_memory import compile_gib
from tests.engine.models.test_shape import PUBLISHED

LLAMA = KNOWN["meta-llama/Meta-Llama-3-8B-Instruct"]
TINY = KNOWN["TinyLlama/TinyLlama-1.1B-Chat-v1.0"]


def llama(cores: int, slots: int = 1, length: int = 8192) -> Memory:
    return Memory.of(LLAMA, cores=cores, slots=slots, length=length)


class Figure(NamedTuple):
    """A published figure, and how the same is computed from a model's config.json."""

    model: str
    published: float
    computed: Callable[[ModelShape], float]


def weights(shape: ModelShape) -> float:
    return Memory.of(shape, cores=1, slots=1, length=1).weights / 1e9


def compiling(shape: ModelShape) -> float:
    return compile_gib(shape.weight_bytes)


def left(cores: int) -> Callable[[ModelShape], float]:
    def gib(shape: ModelShape) -> float:
        memory = Memory.of(shape, cores=cores, slots=1, length=1)
        return (memory.device - memory.weights) / GIB

    return gib


def total(cores: int, slots: int, length: int) -> Callable[[ModelShape], float]:
    return lambda shape: Memory.of(shape, cores=cores, slots=slots, length=length).total / 1e9


def token(cores: int) -> Callable[[ModelShape], float]:
    return lambda shape: Memory.of(shape, cores=cores, slots=1, length=1).kv_per_token / 1024


# By source. Units are GB for weights and totals, GiB for what is left and for a compile, KiB for a
# token. Weights of a model card are its parameters in bfloat16.
FIGURES = {
    "10 slots on two cores, GB: ai-on-eks": Figure("Llama 3 8B", 21.3, total(2, 10, 4096)),
    "weights, GB: model card, 8.03 B": Figure("Llama 3 8B", 16.06, weights),
    "weights, GB: model card, 70.6 B": Figure("Llama 3.3 70B", 141.2, weights),
    "weights, GB: Mistral AI, 46.7 B": Figure("Mixtral 8x7B", 93.4, weights),
    "weights, GB: safetensors of the Hub": Figure("Qwen3-30B-A3B", 61.06, weights),
    "weights, GB: model card, 20.9 B": Figure("gpt-oss-20b", 41.8, weights),
    "weights, GB: Databricks, 132 B": Figure("DBRX", 264, weights),
    "a compile, GiB: Red Hat, a peak near 120": Figure("Qwen3-30B-A3B", 120, compiling),
    "left on one core of 16 GiB": Figure("Llama 3 8B", 1.0, left(1)),
    "left on two cores": Figure("Llama 3 8B", 17.0, left(2)),
    "left on four cores": Figure("Llama 3 8B", 49.0, left(4)),
    "left on eight cores": Figure("Llama 3 8B", 113.0, left(8)),
    "left on 24 cores": Figure("Llama 3 8B", 364.0, left(24)),
    "a token on eight cores: 32 layers x 8 heads": Figure("Llama 3 8B", 128, token(8)),
    "a token on 24 cores, to which KV heads are padded": Figure("Llama 3 8B", 384, token(24)),
}  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_a_sum_is_within_5_percent_of_what_was_published(tmp_path: Path, figure: Figure) -> None:
    (config,) = (sizes for name, (_, sizes) in PUBLISHED.items() if name.startswith(figure.model))
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = read_shape(str(tmp_path))
    assert shape is not None
    assert figure.computed(shape) == pytest.approx(figure.published, rel=0.05)


def test_an_8b_model_needs_more_than_the_hosts_of_32_gib_that_killed_its_compile() -> None:
    # aws-neuron-sdk#1222, nki-samples#87, neuronx-distributed-inference#26.
    assert compile_gib(LLAMA.weight_bytes) > 32


def test_the_sum_of_two_cores_is_weights_and_every_slot() -> None:
    assert llama(2, 10, 4096).total == 16_060_522_496 + 10 * 4096 * 131_072


def test_the_parameters_are_the_published_ones() -> None:
    assert LLAMA.parameters == 8_030_261_248
    assert TINY.parameters == 1_100_048_384


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_a_token_takes_128_kib_while_every_core_has_a_kv_head_of_its_own(cores: int) -> None:
    assert llama(cores).kv_per_token == 128 * 1024


def test_more_cores_than_kv_heads_repeat_them() -> None:
    assert llama(24).kv_per_token == 384 * 1024


def test_a_degree_that_divides_nothing_gives_every_query_head_its_kv_head() -> None:
    assert llama(12).kv_per_token == 36 * 16 * 1024


def test_llama_3_3_70b_fits_24_cores_where_others_ran_it() -> None:
    memory = Memory.of(KNOWN["meta-llama/Llama-3.3-70B-Instruct"], cores=24, slots=4, length=4096)
    # 141.1 GB of weights, and 8 query and 16 KV heads more in each of 80 layers.
    assert memory.weights / 1e9 == pytest.approx(141.1 + 8.05, abs=0.05)
    assert memory.fits


@pytest.mark.parametrize(
    ("cores", "most", "advised"),
    [(1, 8_000, 0), (2, 139_000, 87_000), (4, 402_000, 297_000), (8, 926_000, 716_000),
     (24, 0.99e6, 0.78e6)],
)  # fmt: skip
def test_as_many_tokens_fit_as_computed_by_hand(cores: int, most: float, advised: float) -> None:
    assert llama(cores).most_tokens(free=0.0) == pytest.approx(most, rel=0.07)
    assert llama(cores).most_tokens(free=0.2) == pytest.approx(advised, rel=0.03)


@pytest.mark.parametrize(
    ("sizes", "cores", "bf16", "int8"),
    [
        # 8.03 B weights of which 1.05 B are embeddings; 13.0 B of which 0.33 B are.
        ({}, 1, 16.06, 9.08),
        ({"hidden_size": 5120, "intermediate_size": 13824, "layers": 40, "heads": 40,
          "kv_heads": 40, "vocab_size": 32000}, 2, 26.03, 13.34),
    ],
)  # fmt: skip
def test_int8_weights_of_8b_fit_one_core_and_those_of_13b_two(
    sizes: dict[str, int], cores: int, bf16: float, int8: float
) -> None:
    shape = replace(LLAMA, **sizes)
    plain, quantized = (
        Memory.of(shape, cores=cores, slots=4, length=4096, tuning={"quantized": on})
        for on in (False, True)
    )
    assert plain.weights / 1e9 == pytest.approx(bf16, abs=0.01)
    assert quantized.weights / 1e9 == pytest.approx(int8, abs=0.01)
    assert (plain.fits, quantized.fits) == (False, True)


def test_a_quantized_kv_cache_takes_half_the_memory() -> None:
    tuning = {"kv_cache_quant": True, "kv_quant_config": {}}
    half = Memory.of(LLAMA, cores=2, slots=1, length=8192, tuning=tuning)
    assert 2 * half.kv == llama(2).kv


def test_a_tenth_must_be_free() -> None:
    # 0.9 * 34.36 GB less 16.06 GB of weights is 14.86 GB: 13.8 sequences of 1.07 GB.
    assert llama(2, slots=13, length=8192).fits
    assert not llama(2, slots=14, length=8192).fits
