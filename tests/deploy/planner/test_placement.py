"""Placements: memory, speed, and what is not possible, as computed by hand."""

import pytest

from deploy.planner import find_shape, placements, shape_by_hand, trusted
from tests.deploy.planner.examples import USUAL, option


def test_memory_of_a_core_is_as_by_hand() -> None:
    memory = option("inf2.8xlarge", 2, 10).memory
    # 8.03 B weights of 2 bytes; 10 slots of 4,096 tokens of 128 KiB; over two cores.
    assert memory.weights / 1e9 == pytest.approx(16.06, abs=0.01)
    assert memory.kv == 10 * 4096 * 131072
    assert memory.total / 1e9 == pytest.approx(21.43, abs=0.01)


def test_steps_and_capacity_are_as_by_hand() -> None:
    placement = option("inf2.48xlarge", 8, 32)
    # The lines of inf2-tp8: 9.81 + 0.4773 ms a slot; 300 ms for 4,096 tokens.
    assert placement.step == pytest.approx(0.02508, abs=1e-5)
    assert placement.prefill(1500) == pytest.approx(0.15)
    # Three engines, each 0.15 s of prefill and 249 steps for 32 requests at once.
    assert placement.capacity(USUAL) == pytest.approx(3 / (0.15 + 249 * 0.02508 / 32), rel=1e-3)


@pytest.mark.parametrize(
    ("instance", "degree", "reason"),
    [
        ("inf2.8xlarge", 1, "no room for one slot"),
        ("inf2.8xlarge", 8, "more than its 2 NeuronCores"),
        ("trn1.32xlarge", 4, "4 is no degree of trn1"),
        ("trn1.2xlarge", 8, "more than its 2 NeuronCores"),
    ],
)
def test_an_impossible_placement_has_a_reason(instance: str, degree: int, reason: str) -> None:
    assert reason in (option(instance, degree, 1).problem() or "")


def test_a_host_too_small_to_compile_is_a_remark_and_not_chosen() -> None:
    small, large = option("inf2.xlarge", 2, 8), option("inf2.8xlarge", 2, 8)
    assert small.problem() is None
    assert any("compile takes 38 GiB" in remark for remark in small.remarks)
    assert trusted([small, large]) == [large]
    assert trusted([small]) == [small]


def test_trn1_has_the_latencies_of_inf2_with_a_remark_and_is_chosen_on_request_alone() -> None:
    trn1, inf2 = option("trn1.32xlarge", 8, 32), option("inf2.48xlarge", 8, 32)
    assert trn1.problem() is None
    assert (trn1.replicas, trn1.step) == (4, inf2.step)
    assert any("those of inf2: trn1 has the same NeuronCores" in one for one in trn1.remarks)
    assert trusted([trn1, inf2]) == [inf2]
    assert trusted([trn1]) == [trn1]


def test_a_degree_without_any_latencies_has_those_of_a_smaller_one() -> None:
    remarks = option("trn1.32xlarge", 32, 8).remarks
    assert any("no line was published for degree 32" in remark for remark in remarks)


def test_llama_3_3_70b_is_placed_on_24_cores_with_padded_heads() -> None:
    shape = find_shape("meta-llama/Llama-3.3-70B-Instruct")
    options = list(placements(shape, length=4096))
    (placement,) = [option for option in options if option.problem() is None and option.published]
    assert (placement.instance.name, placement.degree) == ("inf2.48xlarge", 24)
    assert any("pads 64 query heads to 72" in remark for remark in placement.remarks)


@pytest.mark.parametrize("model", ["meta-llama/Llama-3.3-70B-Instruct", "by hand"])
@pytest.mark.parametrize(("slots", "milliseconds"), [(1, 30), (4, 37), (8, 44)])
def test_llama_3_3_70b_has_its_published_latencies(
    model: str, slots: int, milliseconds: float
) -> None:
    sizes = "parameters=70.6e9,layers=80,heads=64,kv_heads=8"
    shape = shape_by_hand(sizes, length=4096) if model == "by hand" else find_shape(model)
    (placement,) = placements(
        shape, length=4096, instances=["inf2.48xlarge"], degrees=[24], slots=slots
    )
    assert 1000 * placement.step == pytest.approx(milliseconds, rel=0.05)
    assert 1000 * placement.prefill(3000) == pytest.approx(1100, rel=0.05)
    assert "Llama 3.3 70B bf16" in placement.remarks[0]
    assert not any("scaled" in remark for remark in placement.remarks)


@pytest.mark.parametrize(("instance", "degree"), [("inf2.24xlarge", 8), ("inf2.48xlarge", 16)])
@pytest.mark.parametrize("slots", [16, 48])
@pytest.mark.parametrize("model", ["Qwen/Qwen3-30B-A3B-Instruct-2507", "by hand"])
def test_a_mixture_of_experts_is_as_fast_as_others_saw_it(
    instance: str, degree: int, slots: int, model: str
) -> None:
    sizes = "parameters=30.5e9,active_parameters=3.3e9,layers=48,heads=32,kv_heads=4"
    shape = shape_by_hand(sizes, length=4096) if model == "by hand" else find_shape(model)
    (placement,) = placements(
        shape, length=4096, instances=[instance], degrees=[degree], slots=slots
    )
    assert placement.published
    assert 0.95 * 41 < 1000 * placement.step < 57
    assert placement.prefill(1500) == pytest.approx(0.5, rel=0.2)
    assert any("41 to 57 ms" in remark for remark in placement.remarks)


def test_a_mixture_of_experts_is_not_said_to_be_faster_at_a_degree_that_nobody_published() -> None:
    shape = find_shape("Qwen/Qwen3-30B-A3B-Instruct-2507")
    eight, all_cores = placements(
        shape, length=4096, instances=["inf2.48xlarge"], degrees=[8, 24], slots=16
    )
    assert all_cores.step == eight.step
    assert not all_cores.published


def test_a_degree_without_published_latencies_has_those_of_a_smaller_one() -> None:
    placement = option("inf2.48xlarge", 16, 32)
    assert not placement.published
    assert placement.step == option("inf2.48xlarge", 8, 32).step
    assert any("no line was published for degree 16" in remark for remark in placement.remarks)


def test_too_many_slots_name_how_many_fit() -> None:
    assert option("inf2.8xlarge", 2, 64).problem() == "64 slots do not fit, 27 do"


def test_qwen3_moe_needs_its_least_slots() -> None:
    shape = find_shape("Qwen/Qwen3-30B-A3B-Instruct-2507")
    few, enough = (
        next(placements(shape, length=4096, instances=["inf2.24xlarge"], degrees=[8], slots=slots))
        for slots in (8, 16)
    )
    assert few.problem() == "Qwen3MoeForCausalLM needs 16 slots at least, and 77 fit"
    assert enough.problem() is None


def test_another_model_is_scaled_by_its_weights_with_a_remark() -> None:
    shape = shape_by_hand("parameters=16.06e9,layers=40,heads=40,kv_heads=8", length=4096)
    (placement,) = placements(
        shape, length=4096, instances=["inf2.48xlarge"], degrees=[8], slots=32
    )
    assert placement.step == pytest.approx(2 * 0.02508, abs=1e-4)
    assert any("scaled by 2.00" in remark for remark in placement.remarks)
