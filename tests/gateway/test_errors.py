"""The error table is complete, and errors survive a process border."""

import pickle

import pytest

import engine
from engine import EngineError, EngineLoading, EngineOverloaded, InvalidRequest, QuotaExceeded
from gateway.errors import TABLE, api_error


def subclasses(cls: type[EngineError]) -> list[type[EngineError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in subclasses(child))]


LEAVES = [cls for cls in subclasses(EngineError) if cls is not EngineError]


def make(cls: type[EngineError]) -> EngineError:
    if issubclass(cls, QuotaExceeded):
        return cls("Words.", 1.5, "tokens")
    if issubclass(cls, EngineOverloaded | EngineLoading):
        return cls("Words.", 1.5)
    return cls("Words.", "messages") if issubclass(cls, InvalidRequest) else cls("Words.")


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_error_has_a_row_and_a_public_name(cls: type[EngineError]) -> None:
    assert cls in TABLE
    assert cls.__name__ in engine.__all__


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_error_survives_pickle(cls: type[EngineError]) -> None:
    copy = pickle.loads(pickle.dumps(make(cls)))
    assert type(copy) is cls
    assert vars(copy) == vars(make(cls))


def test_what_is_not_ours_shows_no_message() -> None:
    error = api_error(RuntimeError("secret"))
    assert (error.status, error.message) == (500, "Internal server error.")


def test_no_row_is_a_408() -> None:
    assert 408 not in {status for status, _, _ in TABLE.values()}


def test_waiting_times_are_rounded_up() -> None:
    headers = api_error(EngineOverloaded("Busy.", 1.2)).headers
    assert headers == {"retry-after": "2", "retry-after-ms": "1200"}
