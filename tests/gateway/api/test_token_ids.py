"""`return_token_ids`: the ids of the prompt and of the output, where vLLM has them."""

import json
from typing import Any

import httpx
import pytest

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}
TEXT = {"model": "sim", "prompt": "Hello.", "max_tokens": 5}
ON = {"return_token_ids": True}


def whole(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{url}/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def chunks(url: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    lines = httpx.post(f"{url}/v1/{path}", json=body | {"stream": True}).text.splitlines()
    frames = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    return [json.loads(frame) for frame in frames]


def detokenized(url: str, ids: list[int]) -> str:
    return str(httpx.post(f"{url}/detokenize", json={"tokens": ids}).json()["prompt"])


def prompt_ids(url: str, body: dict[str, Any]) -> list[int]:
    fields = {name: body[name] for name in ("messages", "prompt") if name in body}
    return list(httpx.post(f"{url}/tokenize", json=fields).json()["tokens"])


def test_a_whole_chat_has_them(url: str) -> None:
    answer = whole(url, "chat/completions", CHAT | ON)
    (choice,) = answer["choices"]
    assert answer["prompt_token_ids"] == prompt_ids(url, CHAT)
    assert len(choice["token_ids"]) == answer["usage"]["completion_tokens"] == 5
    assert detokenized(url, choice["token_ids"]) == choice["message"]["content"]


def test_a_streamed_chat_has_the_prompt_in_its_first_chunk_and_each_token_once(url: str) -> None:
    first, *rest = chunks(url, "chat/completions", CHAT | ON)
    assert first["prompt_token_ids"] == prompt_ids(url, CHAT)
    assert not any("prompt_token_ids" in chunk for chunk in rest)
    ids = [id_ for chunk in rest for id_ in chunk["choices"][0].get("token_ids", ())]
    assert ids == whole(url, "chat/completions", CHAT | ON)["choices"][0]["token_ids"]


def test_completions_have_them_in_their_choices(url: str) -> None:
    (choice,) = whole(url, "completions", TEXT | ON)["choices"]
    assert choice["prompt_token_ids"] == prompt_ids(url, TEXT)
    assert detokenized(url, choice["token_ids"]) == choice["text"]
    first, *rest = [chunk["choices"][0] for chunk in chunks(url, "completions", TEXT | ON)]
    assert first["prompt_token_ids"] == prompt_ids(url, TEXT)
    ids = [id_ for chunk in (first, *rest) for id_ in chunk.get("token_ids", ())]
    assert ids == choice["token_ids"]


def test_text_that_a_parser_holds_back_leaves_no_id_out(url: str) -> None:
    function = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    body = CHAT | ON | {"tools": [{"type": "function", "function": function}]}
    ids = whole(url, "chat/completions", body)["choices"][0]["token_ids"]
    streamed = chunks(url, "chat/completions", body)
    found = [id_ for chunk in streamed for id_ in chunk["choices"][0].get("token_ids", ())]
    assert found == ids


@pytest.mark.parametrize(("path", "body"), [("chat/completions", CHAT), ("completions", TEXT)])
def test_nobody_else_gets_them(url: str, path: str, body: dict[str, Any]) -> None:
    assert "token_ids" not in json.dumps(whole(url, path, body))
    assert "token_ids" not in json.dumps(chunks(url, path, body))
