"""What clients see of an inf2 engine: answers, refusals by name, an engine that keeps serving."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from engine.neuron.capabilities import unsupported
from engine.types import HINTS
from tests.conftest import sdk, wait_until
from tests.engine.neuron.conftest import Lab, lab_in
from tests.engine.neuron.lab.journal import answer

pytestmark = [
    pytest.mark.neuron_lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("default"),
]

LIMIT = 2048  # tokens of a prompt; a token is a byte
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
PROMPT = "user: hi\nassistant:"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
# How a client asks for what the device cannot do, by the name in `SamplingParams`.
ASKED_BY: dict[str, dict[str, Any]] = {
    "logprobs": {"logprobs": True},
    "logit_bias": {"logit_bias": {"50": 10}},
    "presence_penalty": {"presence_penalty": 0.5},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "repetition_penalty": {"repetition_penalty": 1.2},
    "min_p": {"min_p": 0.1},
    "min_tokens": {"min_tokens": 3},
    "structured": {"response_format": {"type": "json_object"}},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("http"), tiny) as lab:
        yield lab


@pytest.fixture(scope="module")
def url(shared: Lab) -> Iterator[str]:
    with shared.gateway(length=2 * LIMIT, max_prompt_length=LIMIT) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with sdk(url) as client:
        yield client


def post(url: str, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
    return httpx.post(f"{url}{path}", json=body, timeout=20)


def text_of(prompt: str, tokens: int, *, greedy: bool) -> str:
    return answer([byte + 3 for byte in prompt.encode()], tokens, greedy=greedy)


@pytest.mark.parametrize("temperature", [0, 1])
def test_an_answer_is_the_devices(client: openai.OpenAI, temperature: int) -> None:
    fields: dict[str, Any] = ASK | {"temperature": temperature, "max_tokens": 12}
    whole = client.chat.completions.create(**fields)
    chunks = list(client.chat.completions.create(**fields, stream=True))
    wanted = text_of(PROMPT, 12, greedy=temperature == 0)
    assert whole.choices[0].message.content == wanted
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == wanted
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (len(PROMPT), 12)


def test_choices_are_served_from_slots_of_their_own(client: openai.OpenAI) -> None:
    answered = client.chat.completions.create(**ASK, n=3, max_tokens=5)  # type: ignore[call-overload]
    wanted = text_of(PROMPT, 5, greedy=False)
    assert [choice.message.content for choice in answered.choices] == [wanted] * 3


LONG = "x" * (LIMIT + 1)
TOO_LONG: dict[str, Callable[[str], httpx.Response]] = {
    "chat": lambda url: post(url, **ASK | {"messages": [{"role": "user", "content": LONG}]}),
    "text": lambda url: post(url, "/v1/completions", model="tiny", prompt=LONG),
    "tokens": lambda url: post(url, "/v1/completions", model="tiny", prompt=[40] * (LIMIT + 1)),
    "responses": lambda url: post(url, "/v1/responses", model="tiny", input=LONG),
    "one of many": lambda url: post(url, "/v1/completions", model="tiny", prompt=["a", LONG]),
    "streamed": lambda url: post(url, "/v1/completions", model="tiny", prompt=LONG, stream=True),
}


@pytest.mark.parametrize("ask", TOO_LONG.values(), ids=TOO_LONG)
def test_a_prompt_above_the_limit_is_a_400_and_the_engine_keeps_serving(
    url: str, ask: Callable[[str], httpx.Response]
) -> None:
    refused = ask(url)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert str(LIMIT) in refused.json()["error"]["message"]
    assert post(url, **ASK, max_tokens=2).status_code == 200
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_a_prompt_of_the_limit_is_served(url: str) -> None:
    answered = post(url, "/v1/completions", model="tiny", prompt="x" * LIMIT, max_tokens=2)
    assert answered.json()["usage"]["prompt_tokens"] == LIMIT


def test_every_parameter_that_the_device_cannot_honour_is_asked_for_below() -> None:
    assert ASKED_BY.keys() == unsupported("on_device") - HINTS


@pytest.mark.parametrize("fields", ASKED_BY.values(), ids=ASKED_BY)
def test_what_the_device_cannot_honour_is_refused_by_name(url: str, fields: dict[str, Any]) -> None:
    refused = post(url, **ASK, **fields)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(fields)))


def test_a_seed_is_ignored_and_reported(url: str) -> None:
    answer = post(url, **ASK, seed=7, max_tokens=2)
    assert (answer.status_code, answer.headers["x-ignored-fields"]) == (200, "seed")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_forced_tool_is_refused_by_name(url: str, choice: Any) -> None:
    refused = post(url, **ASK, tools=[TOOL], tool_choice=choice)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tool_choice")


def test_a_tool_that_may_be_called_is_accepted(url: str) -> None:
    assert post(url, **ASK, tools=[TOOL], max_tokens=2).status_code == 200


def test_a_top_k_that_the_device_would_cut_is_refused(url: str) -> None:
    assert post(url, **ASK, top_k=256).json()["error"]["param"] == "top_k"
    assert post(url, **ASK, top_k=255, max_tokens=2).status_code == 200


def test_the_model_lists_what_it_refuses(url: str) -> None:
    (model,) = httpx.get(f"{url}/v1/models").json()["data"]
    assert model["unsupported"] == sorted(ASKED_BY)
    assert "seed" in model["ignored"]
    assert model["phase"] == "ready"


def test_a_client_that_leaves_frees_its_slot(shared: Lab, url: str) -> None:
    shared.forget()
    body = ASK | {"stream": True, "max_tokens": 200}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as stream:
        frames = (line for line in stream.iter_lines() if line.startswith("data"))
        for _ in range(5):
            next(frames)
    wait_until(lambda: httpx.get(f"{url}/readyz").json()["models"]["tiny"]["running"] == 0)
    steps = len(shared.calls)
    time.sleep(0.3)
    assert len(shared.calls) <= steps + 1 < 200


def test_more_choices_than_slots_are_all_served(url: str) -> None:
    answered = post(url, **ASK, n=9, max_tokens=8)
    assert len(answered.json()["choices"]) == 9
