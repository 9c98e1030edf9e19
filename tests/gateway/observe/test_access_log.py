"""The line of a request in the log, and its response by route."""

import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpx
import pytest

from engine import EngineConfig, GenerateRequest, Simulated, TokenDelta
from engine.simulated.engine import SimulatedEngine
from tests.conftest import Serve, running, simulated, wait_until

CHAT = {
    "model": "sim",
    "messages": [{"role": "user", "content": "a secret"}],
    "max_tokens": 10,
    "ignore_eos": True,
}


def test_a_line_has_the_figures_of_its_request_and_no_prompt(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve()
    with caplog.at_level(logging.INFO, "gateway.observe.access_log"):
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT)
        wait_until(lambda: bool(caplog.messages))
    entry = json.loads(caplog.messages[-1])
    assert entry["request_id"] == answer.headers["x-request-id"]
    expected = {"model": "sim", "key": "", "outcome": "ok", "output_tokens": 10, "status": 200}
    assert entry.items() >= expected.items()
    assert entry.keys() >= {"prompt_tokens", "queue_time_seconds", "ttft_seconds", "tpot_seconds"}
    assert "secret" not in caplog.text
    assert answer.json()["choices"][0]["message"]["content"] not in caplog.text


SCHEMA = {"type": "object", "properties": {"secret": {"type": "secret"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}


class Quoting(SimulatedEngine):
    """An engine that fails with a message that quotes its prompt, at once or after a token."""

    def __init__(self, model_id: str, config: EngineConfig) -> None:
        super().__init__(model_id, config, cast(Simulated, config.device))

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        if request.sampling.seed:
            yield TokenDelta(text="a", token_ids=(1,))
        async with aclosing(super().generate(request)) as deltas:
            await anext(deltas)
        raise RuntimeError(f"cannot serve {request.prompt}")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"stop": ["a secret"], "stop_token_ids": [2**31 - 1]},
        {"response_format": FORM},
        {"chat_template_kwargs": {"secret": 1}},
        {"max_tokens": 10**6},
        {"a secret, as a name": 1, "stop": [5]},
        {},
        {"seed": 1},
    ],
    ids=lambda fields: ",".join(fields),
)
def test_nothing_of_a_request_that_is_refused_or_fails_is_in_the_log(
    caplog: pytest.LogCaptureFixture, fields: dict[str, Any], stream: bool
) -> None:
    with running(simulated(), make_engine=Quoting) as url, caplog.at_level(logging.INFO):
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT | {"stream": stream} | fields)
        assert '"error":' in answer.text
        assert "cannot serve" not in answer.text
        wait_until(lambda: any('"status":' in message for message in caplog.messages))
    assert "secret" not in caplog.text
    assert ("RuntimeError" in caplog.text) == (answer.status_code in (200, 500))


def test_unknown_paths_make_no_labels(serve: Serve) -> None:
    url = serve()
    for name in ("a", "b"):
        httpx.get(f"{url}/{name}")
    samples = httpx.get(f"{url}/metrics").text
    responses = re.findall(r"http_responses_total\{(.*)\} (\S+)", samples)
    assert responses == [('method="GET",path="other",status="404"', "2.0")]
