"""What an engine would ignore is rejected by name, before the stream begins."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from engine import (
    EngineBackend,
    GenerateRequest,
    ModelInfo,
    Structured,
    TokenDelta,
    UnsupportedParameter,
    UnsupportedValue,
)
from gateway.policies.supported_parameters import SupportedParameters
from tests.engine.contract import EngineContract, request


class TestSupportedParameters(EngineContract):
    @pytest.fixture
    def engine(self, backend: EngineBackend) -> SupportedParameters:
        return SupportedParameters(backend)


class LimitedEngine:
    """Honours some parameters, and others in part."""

    model = ModelInfo(
        id="limited",
        max_model_len=100,
        unsupported=frozenset({"min_p", "structured"}),
        at_most={"top_k": 256},
        fixed={"temperature": 1.0},
    )

    async def check_health(self) -> None: ...

    async def generate(self, _: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        yield TokenDelta(text="x", token_ids=(1,))


@pytest.mark.parametrize(
    ("sampling", "error", "param"),
    [
        ({"min_p": 0.1}, UnsupportedParameter, "min_p"),
        ({"structured": Structured(param="text.format")}, UnsupportedParameter, "text.format"),
        ({"top_k": 257}, UnsupportedValue, "top_k"),
        ({"temperature": 0.5}, UnsupportedValue, "temperature"),
    ],
)
def test_a_parameter_that_is_not_honoured_is_rejected_by_name(
    sampling: dict[str, Any], error: type[UnsupportedParameter | UnsupportedValue], param: str
) -> None:
    engine = SupportedParameters(LimitedEngine())
    with pytest.raises(error, match=rf"'{param}'.*'limited'") as rejected:
        engine.generate(request(**{"temperature": 1.0} | sampling))
    assert rejected.value.param == param


async def test_it_is_no_layer_of_the_stream() -> None:
    engine = LimitedEngine()
    stream = SupportedParameters(engine).generate(request(temperature=1.0, min_p=0.0, top_k=256))
    assert stream.ag_code is engine.generate(request()).ag_code  # type: ignore[attr-defined]
    await stream.aclose()
