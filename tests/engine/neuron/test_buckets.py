"""Compiled lengths: which are made, which bucket a prompt runs in, what its padding costs."""

import pytest

from engine.neuron.buckets import bucket_of, bucket_problem, padding_share, powers_of_two


@pytest.mark.parametrize(
    ("first", "last", "made"),
    [
        (256, 4096, (256, 512, 1024, 2048, 4096)),
        (256, 3000, (256, 512, 1024, 2048, 3000)),
        (256, 256, (256,)),
        (256, 100, (100,)),
    ],
)
def test_defaults_are_powers_of_two_up_to_the_last(
    first: int, last: int, made: tuple[int, ...]
) -> None:
    assert powers_of_two(first, last) == made


@pytest.mark.parametrize(
    ("length", "bucket"), [(1, 64), (63, 64), (64, 128), (127, 128), (128, 128)]
)
def test_only_the_last_bucket_may_be_filled(length: int, bucket: int) -> None:
    assert bucket_of(length, (64, 128)) == bucket


@pytest.mark.parametrize("buckets", [[128, 64], [64, 64, 128], [0, 128]])
def test_buckets_that_do_not_ascend_are_a_problem(buckets: list[int]) -> None:
    assert "ascend" in str(bucket_problem(buckets, 128, "the limit"))


@pytest.mark.parametrize("buckets", [[], [64], [64, 256]])
def test_buckets_that_end_elsewhere_are_a_problem(buckets: list[int]) -> None:
    assert "must end at the limit, 128" in str(bucket_problem(buckets, 128, "the limit"))


def test_good_buckets_are_no_problem() -> None:
    assert bucket_problem([64, 128], 128, "the limit") is None


def test_padding_is_the_share_of_positions_without_a_token() -> None:
    assert padding_share([32, 32, 96], (64, 128)) == 1 - 160 / 256


def test_no_prompts_have_no_padding() -> None:
    assert padding_share([], (64, 128)) == 0.0
