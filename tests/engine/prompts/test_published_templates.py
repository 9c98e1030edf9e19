"""Eight published chat templates, with what agents send on their second turn."""

import json
import re
from typing import Any

import pytest

from engine import Chat
from gateway.parsing.deltas import ToolCallDelta, join_deltas
from gateway.parsing.tool_calls import make_parser
from tests.engine.prompts.published import FAMILIES, load_tokenizer, rendered, token_ids

pytestmark = [pytest.mark.templates, pytest.mark.timeout(120)]

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Say how the weather is.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
SYSTEM = {"role": "system", "content": "Be as terse as a telegram."}
QUESTION = {"role": "user", "content": "How warm is it there?"}
ANSWER = {"role": "assistant", "content": "Eleven degrees."}
THANKS = {"role": "user", "content": "And tomorrow?"}
ARGUMENTS = {"city": 'Zürich "Altstadt"', "days": 3}


def called(*ids: str, content: str | None = None) -> dict[str, Any]:
    calls = [
        {
            "id": id_,
            "type": "function",
            "function": {"name": "get_weather", "arguments": ARGUMENTS | {"days": number}},
        }
        for number, id_ in enumerate(ids, 3)
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def result(id_: str, content: str = "11 °C, drizzle") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def chat(name: str, *messages: dict[str, Any], **kwargs: Any) -> Chat:
    return Chat(messages=messages, tools=(TOOL,), tool_format=FAMILIES[name], **kwargs)


each_template = pytest.mark.parametrize("name", FAMILIES)


@each_template
def test_a_conversation_with_a_call_is_rendered_whole(name: str) -> None:
    text = rendered(
        name, chat(name, SYSTEM, QUESTION, called("call_abc"), result("call_abc"), ANSWER, THANKS)
    )
    assert "None" not in text
    for part in ("Say how the weather is.", '"city"', '"integer"', "terse as a telegram"):
        assert part in text
    places = [
        text.rindex(part) for part in ("How warm", '"days": 3', "11 °C", "Eleven", "tomorrow")
    ]
    assert places == sorted(places)


@each_template
@pytest.mark.parametrize("count", [1, 2])
def test_a_rendered_call_is_read_back(name: str, count: int) -> None:
    ids = tuple(f"call_{number}" for number in range(count))
    before = rendered(name, chat(name, SYSTEM, QUESTION))
    after = rendered(name, chat(name, SYSTEM, QUESTION, called(*ids), *map(result, ids)))
    assert after.startswith(before)
    turn = re.split(r"<\|eot_id\|>|<\|im_end\|>|</s>|<end_of_turn>", after[len(before) :])[0]
    parser = make_parser(FAMILIES[name], {"get_weather": TOOL["function"]["parameters"]})
    parts = join_deltas([*parser.feed(turn), *parser.finish()])
    calls = [part for part in parts if isinstance(part, ToolCallDelta)]
    assert calls[0].name == "get_weather"
    assert json.loads(calls[0].arguments) == ARGUMENTS


@each_template
@pytest.mark.parametrize(
    "messages",
    [
        (called("call_a", "call_b"), result("call_a", "first"), result("call_b", "second")),
        (called("call_a", content="Let me look."), result("call_a", "first, second")),
        (called("call_a"), result("call_a", "first"), {"role": "user", "content": "second"}),
        (ANSWER, {"role": "assistant", "content": "first"}, {"role": "user", "content": "second"}),
        ({"role": "system", "content": "first"}, {"role": "user", "content": "second"}),
    ],
    ids=["two calls", "a text beside", "no answer", "two answers", "system later"],
)
def test_unusual_conversations_are_rendered(name: str, messages: tuple[dict[str, Any]]) -> None:
    for start in ((SYSTEM, SYSTEM, QUESTION), (QUESTION, THANKS), (ANSWER,)):
        text = rendered(name, chat(name, *start, *messages))
        assert "first" in text
        assert "second" in text


@each_template
def test_tools_make_the_prompt_longer(name: str) -> None:
    plain = token_ids(name, Chat(messages=(QUESTION,)))
    assert len(token_ids(name, chat(name, QUESTION))) > len(plain) + 30


@each_template
def test_the_gateways_own_text_can_be_forced(name: str) -> None:
    own = rendered(name, chat(name, QUESTION, tools_by="gateway"))
    assert "You can call the functions below" in own


@each_template
def test_an_ordinary_conversation_is_rendered_as_transformers_does(name: str) -> None:
    messages = [SYSTEM, QUESTION] if name == "mistral_nemo" else [SYSTEM, QUESTION, ANSWER, THANKS]
    theirs = load_tokenizer(name).apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert rendered(name, Chat(messages=tuple(messages))) == theirs


@each_template
def test_an_answer_is_continued(name: str) -> None:
    begun = {"role": "assistant", "content": "Eleven deg"}
    text = rendered(name, Chat(messages=(QUESTION, begun), continue_final_message=True))
    assert text.endswith("Eleven deg")
    assert "How warm" in text
