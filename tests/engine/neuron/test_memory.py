"""The memory of a device against tables computed by hand and a figure that others measured."""

from dataclasses import replace

import pytest

from engine.models.shape import KNOWN
from engine.neuron.memory import Memory

LLAMA = KNOWN["meta-llama/Meta-Llama-3-8B-Instruct"]
TINY = KNOWN["TinyLlama/TinyLlama-1.1B-Chat-v1.0"]


def llama(cores: int, slots: int = 1, length: int = 8192) -> Memory:
    return Memory.of(LLAMA, cores=cores, slots=slots, length=length)


def test_llama_3_8b_takes_what_was_measured_on_two_cores() -> None:
    measured = 21.3e9  # ai-on-eks: two cores, 10 slots of 4,096 tokens
    assert llama(2, 10, 4096).total == pytest.approx(measured, rel=0.05)
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
