"""LangChain's ChatOpenAI, configured for another server than OpenAI's."""

from collections.abc import Callable, Iterator
from typing import Any

import langchain_openai
import openai
import pytest
from langchain_core import messages, tools
from pydantic import BaseModel, Field

from tests.clients.weather import ANSWER, DEVICE, QUESTION, RESULT
from tests.conftest import running, simulated

pytestmark = pytest.mark.clients
# LangChain keeps its async client, which belongs to the loop that first used it.
one_loop = pytest.mark.asyncio(loop_scope="module")
# LangChain's own, of what the SDK parsed: langchain-ai/langchain#38034.
serializer_warning = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


class River(BaseModel):
    """A river."""

    name: str = Field(description="its name in English")
    length_km: int
    countries: list[str]


def weather(city: str) -> str:
    """Return the weather in a city."""
    return RESULT


Make = Callable[..., Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(DEVICE)) as url:
        yield url


@pytest.fixture
def make(url: str) -> Make:
    """Build a model whose client does not retry."""
    fixed = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 15}
    return lambda **fields: langchain_openai.ChatOpenAI(model="sim", **fixed, **fields)


@pytest.fixture
def model(make: Make) -> Any:
    return make()


@pytest.fixture
def bound(model: Any) -> Any:
    return model.bind_tools([weather])


def looped(bound: Any) -> list[Any]:
    """Ask and run the called tools until there is an answer."""
    tool = tools.tool(weather)
    history: list[Any] = [messages.HumanMessage(QUESTION)]
    for _ in range(3):
        history.append(bound.invoke(history))
        if not history[-1].tool_calls:
            break
        history += [tool.invoke(call) for call in history[-1].tool_calls]
    return history


# Text.


def test_invoke_answers(model: Any) -> None:
    answer = model.invoke("Say hello.")
    assert answer.content
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == "sim"


def test_usage_is_counted(model: Any) -> None:
    usage = model.invoke("Say hello.").usage_metadata
    assert usage["input_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_stream_joined_is_the_whole_answer(model: Any) -> None:
    chunks = list(model.stream("Say hello."))
    assert "".join(chunk.content for chunk in chunks) == model.invoke("Say hello.").content


def test_usage_of_a_stream_is_counted_if_requested(make: Make) -> None:
    first, *rest = make(stream_usage=True).stream("Say hello.")
    joined = sum(rest, first)
    assert joined.usage_metadata == make().invoke("Say hello.").usage_metadata


@one_loop
async def test_ainvoke_and_astream_agree(model: Any) -> None:
    chunks = [chunk.content async for chunk in model.astream("Say hello.")]
    assert "".join(chunks) == (await model.ainvoke("Say hello.")).content


def test_a_batch_is_answered_in_its_order(model: Any) -> None:
    questions = ["One?", "Two?", "Three?"]
    answers = [answer.content for answer in model.batch(questions)]
    assert answers == [model.invoke(question).content for question in questions]


def test_an_answer_can_be_sent_back(model: Any) -> None:
    ask = messages.HumanMessage("Say hello.")
    history = [messages.SystemMessage("Be brief."), ask, model.invoke([ask]), ask]
    assert model.invoke(history).content


def test_a_streamed_answer_can_be_sent_back(model: Any) -> None:
    ask = messages.HumanMessage("Say hello.")
    first, *rest = model.stream([ask])
    assert model.invoke([ask, sum(rest, first), ask]).content


def test_content_may_be_blocks(model: Any) -> None:
    blocks = messages.HumanMessage([{"type": "text", "text": "Say hello."}])
    assert model.invoke([blocks]).content == model.invoke("Say hello.").content


def test_sampling_parameters_are_taken(make: Make) -> None:
    model = make(temperature=1, top_p=0.9, seed=1, max_tokens=3, presence_penalty=0.5)
    answer = model.invoke("Say hello.", stop=["nothing of that"])
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.usage_metadata["output_tokens"] == 3


def test_logprobs_are_in_the_metadata(make: Make) -> None:
    answer = make(logprobs=True, top_logprobs=2).invoke("Say hello.")
    shown = answer.response_metadata["logprobs"]["content"]
    assert "".join(token["token"] for token in shown) == answer.content


def test_n_generations_are_returned(make: Make) -> None:
    (generations,) = make(n=3).generate([[messages.HumanMessage("Say hello.")]]).generations
    assert len(generations) == 3


# Tools.


def test_a_call_is_read_with_its_arguments(bound: Any) -> None:
    answer = bound.invoke(QUESTION)
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Zürich"})
    assert answer.invalid_tool_calls == []
    assert answer.response_metadata["finish_reason"] == "tool_calls"


def test_a_streamed_call_is_the_whole_ones(bound: Any) -> None:
    first, *rest = bound.stream(QUESTION)
    (call,) = sum(rest, first).tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Zürich"})


@one_loop
async def test_an_awaited_stream_has_the_call(bound: Any) -> None:
    chunks = [chunk async for chunk in bound.astream(QUESTION)]
    assert [call["args"] for call in sum(chunks[1:], chunks[0]).tool_calls] == [{"city": "Zürich"}]


def test_parallel_calls_are_kept_apart(bound: Any) -> None:
    first, *rest = bound.stream("And both weather?")
    cities = [call["args"]["city"] for call in sum(rest, first).tool_calls]
    assert cities == ["Zürich", "Genève"]


@pytest.mark.parametrize("choice", ["weather", "any", "required", True])
def test_a_forced_call_is_made(model: Any, choice: Any) -> None:
    answer = model.bind_tools([weather], tool_choice=choice).invoke("Say hello.")
    assert [call["name"] for call in answer.tool_calls] == ["weather"]


def test_a_choice_of_none_is_text(model: Any) -> None:
    answer = model.bind_tools([weather], tool_choice="none").invoke("Say hello.")
    assert answer.content
    assert not answer.tool_calls


def test_a_strict_tool_is_taken(model: Any) -> None:
    bound = model.bind_tools([weather], strict=True, parallel_tool_calls=False)
    assert len(bound.invoke("And both weather?").tool_calls) == 1


def test_the_loop_of_a_tool_ends_in_the_answer(bound: Any) -> None:
    history = looped(bound)
    assert [message.type for message in history] == ["human", "ai", "tool", "ai"]
    assert history[-1].content == ANSWER


def test_a_finished_loop_can_go_on(bound: Any) -> None:
    history = [*looped(bound), messages.HumanMessage("Thank you.")]
    assert bound.invoke(history).content == ANSWER  # the result is still in the prompt


# Structured output.


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_is_the_users_model(model: Any, method: str) -> None:
    asked = model.with_structured_output(River, method=method)
    assert isinstance(asked.invoke("Name a river."), River)


@one_loop
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_structured_output_can_be_awaited(model: Any, method: str) -> None:
    asked = model.with_structured_output(River, method=method)
    assert isinstance(await asked.ainvoke("Name a river."), River)


@serializer_warning
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_streams_to_the_users_model(model: Any, method: str) -> None:
    *_, last = model.with_structured_output(River, method=method).stream("Name a river.")
    assert isinstance(last, River)


def test_structured_output_may_be_strict_and_raw(model: Any) -> None:
    asked = model.with_structured_output(River, strict=True, include_raw=True)
    answer = asked.invoke("Name a river.")
    assert answer["parsing_error"] is None
    assert answer["parsed"] == River.model_validate_json(answer["raw"].content)


def test_the_raw_answer_of_structured_output_can_be_sent_back(model: Any) -> None:
    asked = model.with_structured_output(River, include_raw=True)
    ask = messages.HumanMessage("Name a river.")
    assert asked.invoke([ask, asked.invoke([ask])["raw"], ask])["parsed"]


def test_json_mode_returns_an_object(model: Any) -> None:
    asked = model.with_structured_output(None, method="json_mode")
    assert isinstance(asked.invoke("Name a river, in JSON."), dict)


# Errors.


def test_a_rejection_is_the_sdks_own_error(make: Make) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        make(temperature=3).invoke("Say hello.")
    assert refused.value.param == "temperature"
