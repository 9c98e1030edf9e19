"""Every exception of vLLM has an EngineError; a new one fails here until it has."""

import logging

import pytest

from engine import EngineError, GenerateRequest, GenerationFailed, InvalidRequest
from engine.vllm.errors import translate_error

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

# Of vllm.exceptions and vllm.v1.engine.exceptions, for an engine that is alive.
EXPECTED: dict[str, type[EngineError]] = {
    "VLLMError": GenerationFailed,
    "VLLMClientError": InvalidRequest,
    "VLLMValidationError": InvalidRequest,
    "VLLMNotFoundError": InvalidRequest,
    "LoRAAdapterNotFoundError": InvalidRequest,
    "VLLMUnprocessableEntityError": InvalidRequest,
    "VLLMServerError": GenerationFailed,
    "GenerationError": GenerationFailed,
    "RetryableRequestError": GenerationFailed,
    "EngineGenerateError": GenerationFailed,
    # Of a dead engine `AsyncLLM.errored` is true, and that decides; test_engine.py kills one.
    "EngineDeadError": GenerationFailed,
    # Limits and profiling that the gateway does not switch on.
    "GracefulHTTPError": GenerationFailed,
    "QueueOverflowError": GenerationFailed,
    "MaxQueuedTokensError": GenerationFailed,
    "ProfilerAlreadyActiveError": GenerationFailed,
}


def vllm_exceptions() -> dict[str, type[Exception]]:
    pytest.importorskip("vllm")
    from vllm import exceptions
    from vllm.v1.engine import exceptions as engine_exceptions

    return {
        name: value
        for module in (exceptions, engine_exceptions)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }


def test_none_is_forgotten() -> None:
    assert vllm_exceptions().keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_is_an_engine_error(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kind = vllm_exceptions()[name]
    error = kind.__new__(kind, "secret")  # without the arguments of its own __init__
    translated = translate_error(error, GenerateRequest(request_id="r", prompt="x"))
    assert type(translated) is EXPECTED[name]
    assert "secret" not in str(translated) + caplog.text
    assert name in caplog.text


def test_a_value_error_is_the_clients_mistake() -> None:
    assert type(translate_error(ValueError("secret"), None)) is InvalidRequest


@pytest.mark.parametrize("error", [TypeError("secret"), KeyError("secret"), OSError("secret")])
def test_anything_else_is_a_failed_generation_whose_origin_is_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    assert str(translate_error(raised.value, None)) == "The engine failed on this request."
    assert type(error).__name__ in caplog.text
    assert "raise error" in caplog.text  # the line of the stack
    assert "secret" not in caplog.text
