"""Valid requests that are changed at random; the same seed makes the same ones."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.hostile.bodies import CHAT

TOOL = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
FORM = {"name": "city", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "Rain."},
]
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (CHAT, {
        "model": "sim", "messages": TALK, "max_tokens": 3, "temperature": 0.5, "top_p": 0.9,
        "stop": ["x"], "seed": 1, "n": 2, "logprobs": True, "top_logprobs": 2, "user": "me",
        "logit_bias": {"5": 1}, "metadata": {"a": "b"}, "presence_penalty": 0.1,
    }),
    (CHAT, {
        "model": "sim", "messages": TALK[:2], "max_completion_tokens": 3, "stream": True,
        "stream_options": {"include_usage": True}, "tool_choice": "auto",
        "tools": [{"type": "function", "function": TOOL}], "parallel_tool_calls": True,
    }),
    (CHAT, {
        "model": "sim", "messages": TALK[:2], "max_tokens": 8,
        "response_format": {"type": "json_schema", "json_schema": FORM},
        "reasoning_effort": None, "chat_template_kwargs": {},
    }),
    ("/v1/completions", {
        "model": "sim", "prompt": ["One", "two"], "max_tokens": 2, "echo": False, "logprobs": 1,
        "n": 1, "stop": "x", "stream": False, "suffix": None, "best_of": 1,
    }),
    ("/v1/completions", {"model": "sim", "prompt": [[1, 2], [3]], "max_tokens": 2, "stream": True}),
    ("/v1/responses", {
        "model": "sim", "instructions": "Be brief.", "max_output_tokens": 3, "stream": True,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "function_call", "call_id": "1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "Rain."},
        ],
        "tools": [{"type": "function", **TOOL}], "text": {"format": {"type": "text"}},
        "reasoning": None, "include": [], "truncation": "disabled",
    }),
    ("/tokenize", {"model": "sim", "messages": TALK[:2], "return_token_strs": True}),
    ("/tokenize", {"model": "sim", "prompt": "One two.", "add_special_tokens": True}),
    ("/detokenize", {"model": "sim", "tokens": [1, 2, 3]}),
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -0.0, 1.5, 1e308, float("nan"),
    float("inf"), "", "x", "\ud800", "\x00", "é" * 50, "0", "true", "sim", [], {}, [[]], [None],
    [{}], {"": 0}, {"type": "text"}, {"type": "function"}, {"$ref": "#"}, {"$ref": "#/$defs/no"},
    {"type": "json_schema"}, "a" * 5000, [0] * 300, "<|im_start|>", "{" * 50, {"role": "user"},
)  # fmt: skip


def mutated(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield endpoints and bodies without end."""
    chance = random.Random(seed)
    while True:
        endpoint, valid = chance.choice(REQUESTS)
        body = copy.deepcopy(valid)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            _change(body, chance)
        raw = json.dumps(body).encode()
        yield endpoint, _cut(raw, chance) if chance.random() < 0.1 else raw


def _change(body: dict[str, Any], chance: random.Random) -> None:
    """Change one place of a JSON value, as deep as chance has it."""
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = chance.choice(keys) if keys else None
        inner = key is not None and isinstance(place[key], dict | list) and place[key]
        if not inner or chance.random() < 0.3:
            break
        place = place[key]
    if key is None:
        return
    how = chance.randrange(4)
    if how == 0:
        del place[key]
    elif how == 1 and isinstance(place, list):
        place.extend(copy.deepcopy(place))
    elif how == 1:
        place[f"{key}x"] = place[key]
    else:
        place[key] = copy.deepcopy(chance.choice(ODD))


def _cut(raw: bytes, chance: random.Random) -> bytes:
    """Break the text of a JSON document."""
    start = chance.randrange(len(raw))
    end = start + chance.randrange(8)
    noise = (b"", b"\xff", b'"', b"}", b"[" * 200, b"\\u", b"0", raw[start:end] * 3)
    return raw[:start] + chance.choice(noise) + raw[end:]
