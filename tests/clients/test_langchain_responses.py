"""LangChain's ChatOpenAI over `/v1/responses`."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.test_langchain import River, looped, messages, one_loop, weather
from tests.clients.test_langchain import langchain_openai as langchain
from tests.clients.weather import ANSWER, DEVICE, QUESTION
from tests.conftest import running, simulated

pytestmark = [
    pytest.mark.clients,
    # LangChain's own, of what the SDK parsed: langchain-ai/langchain#36589.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


@pytest.fixture
def model(url: str) -> Any:
    fixed = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 15}
    return langchain.ChatOpenAI(model="sim", use_responses_api=True, **fixed)


def test_the_stream_joined_is_the_whole_answer(model: Any) -> None:
    first, *rest = model.stream("Say hello.")
    assert sum(rest, first).text == model.invoke("Say hello.").text != ""


def test_usage_is_counted(model: Any) -> None:
    assert model.invoke("Say hello.").usage_metadata["output_tokens"] > 0


@one_loop
async def test_ainvoke_and_astream_agree(model: Any) -> None:
    chunks = [chunk async for chunk in model.astream("Say hello.")]
    assert sum(chunks[1:], chunks[0]).text == (await model.ainvoke("Say hello.")).text


def test_an_answer_can_be_sent_back(model: Any) -> None:
    ask = messages.HumanMessage("Say hello.")
    assert model.invoke([messages.SystemMessage("Be brief."), ask, model.invoke([ask]), ask]).text


def test_the_loop_of_a_tool_ends_in_the_answer(model: Any) -> None:
    history = looped(model.bind_tools([weather]))
    assert [message.type for message in history] == ["human", "ai", "tool", "ai"]
    assert history[-1].text == ANSWER


def test_a_streamed_call_is_read_with_its_arguments(model: Any) -> None:
    first, *rest = model.bind_tools([weather]).stream(QUESTION)
    (call,) = sum(rest, first).tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Zürich"})


@pytest.mark.parametrize("choice", ["weather", "any"])
def test_a_forced_call_is_made(model: Any, choice: str) -> None:
    answer = model.bind_tools([weather], tool_choice=choice).invoke("Say hello.")
    assert [call["name"] for call in answer.tool_calls] == ["weather"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_is_the_users_model(model: Any, method: str) -> None:
    asked = model.with_structured_output(River, method=method)
    assert isinstance(asked.invoke("Name a river."), River)
