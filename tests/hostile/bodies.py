"""The largest bodies of every shape, for every endpoint; each is at most 4 MiB."""

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

from backports import zstd

ZSTD_HEAD = b"\x28\xb5\x2f\xfd\x00\x58"  # a frame without a size, a window of 2 MiB
SIZE = 4 * 2**20 - 4096
CHAT = "/v1/chat/completions"
ENDPOINTS = (CHAT, "/v1/completions", "/v1/responses", "/tokenize", "/detokenize")
MESSAGES = [{"role": "user", "content": "Hello."}]
VALID: dict[str, dict[str, Any]] = {
    CHAT: {"model": "sim", "messages": MESSAGES, "max_tokens": 2},
    "/v1/completions": {"model": "sim", "prompt": "Hello.", "max_tokens": 2},
    "/v1/responses": {"model": "sim", "input": "Hello.", "max_output_tokens": 2},
    "/tokenize": {"model": "sim", "prompt": "Hello."},
    "/detokenize": {"model": "sim", "tokens": [1]},
}
# The field of each endpoint that takes a list, and the one that takes a text.
LISTS = {
    CHAT: "messages", "/v1/completions": "prompt", "/v1/responses": "input",
    "/tokenize": "messages", "/detokenize": "tokens",
}  # fmt: skip
TEXTS = {"/v1/completions": "prompt", "/v1/responses": "input", "/tokenize": "prompt"}


def many(item: str) -> str:
    """Return a JSON list that fills a body with one item."""
    return f"[{','.join([item] * (SIZE // (len(item) + 1)))}]"


def keys() -> str:
    """Return the members of a JSON object that fill a body, every key another one."""
    return ",".join(f'"k{number}":0' for number in range(SIZE // 12))


def with_field(endpoint: str, name: str, value: str) -> bytes:
    """Return a valid body in which one field has this JSON text."""
    rest = json.dumps({k: v for k, v in VALID[endpoint].items() if k != name})
    return f'{rest[:-1]},"{name}":{value}}}'.encode()


def bodies() -> Iterator[tuple[str, str, bytes]]:
    """Yield the name of a shape, the endpoint, and the body."""
    for endpoint in ENDPOINTS:
        field = LISTS[endpoint]
        for name, item in (("empty strings", '""'), ("numbers", "1"), ("nulls", "null"),
                           ("objects", "{}"), ("lists", "[]")):  # fmt: skip
            yield f"{field}: many {name}", endpoint, with_field(endpoint, field, many(item))
        yield "unknown keys", endpoint, f"{json.dumps(VALID[endpoint])[:-1]},{keys()}}}".encode()
        yield "deep lists", endpoint, with_field(endpoint, field, "[" * 100_000 + "]" * 100_000)
        yield "one long key", endpoint, with_field(endpoint, "k" * SIZE, "0")
        yield "not JSON", endpoint, b"[" * SIZE
        yield "an open string", endpoint, b'"' + rb"\"" * (SIZE // 4) + b"," * (SIZE // 3)
    for endpoint, field in TEXTS.items():
        yield (
            f"{field}: a long text",
            endpoint,
            with_field(endpoint, field, f'"{"a " * (SIZE // 2)}"'),
        )
        yield (
            f"{field}: escapes",
            endpoint,
            with_field(endpoint, field, f'"{chr(92)}u00e9{"é" * 9}"'),
        )
    yield from _of_chats()
    yield from _coded()


def _of_chats() -> Iterator[tuple[str, str, bytes]]:
    long = f'"{"a" * SIZE}"'
    message = f'[{{"role":"user","content":{long}}}]'
    yield "messages: a long text", CHAT, with_field(CHAT, "messages", message)
    members = ",".join(f'"vendor_name_{number}":0' for number in range(1000))
    message = f'{{"role":"user","content":"Hello.",{members}}}'
    of_messages = f"[{','.join([message] * 45)}]"
    yield "unknown keys within the bounds", CHAT, with_field(CHAT, "messages", of_messages)
    bias = ",".join(f'"{number}":1' for number in range(290_000))
    yield "logit_bias", CHAT, with_field(CHAT, "logit_bias", f"{{{bias}}}")
    yield "stop: long", CHAT, with_field(CHAT, "stop", long)
    yield "user: long", CHAT, with_field(CHAT, "user", long)
    schemas = {
        "minItems": '{"type":"array","items":{"type":"integer"},"minItems":3000000}',
        "pattern": f'{{"type":"string","pattern":{long}}}',
        "properties": f'{{"type":"object","properties":{{{keys()}}}}}',
    }
    for name, schema in schemas.items():
        wanted = f'{{"type":"json_schema","json_schema":{{"name":"x","schema":{schema}}}}}'
        yield f"schema: {name}", CHAT, with_field(CHAT, "response_format", wanted)
    call = json.dumps(
        [
            *MESSAGES,
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": "1", "type": "function",
                             "function": {"name": "f", "arguments": "[" * 100_000}}]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ]
    )  # fmt: skip
    yield "arguments: deep", CHAT, with_field(CHAT, "messages", call)
    twice = b'{"\\ud800":1,"\\ud800":2}'
    yield "half a surrogate twice", CHAT, twice
    halves = r"\ud800" * (SIZE // 6)
    yield "user: halves of surrogates", CHAT, with_field(CHAT, "user", f'"{halves}"')


def _coded() -> Iterator[tuple[str, str, bytes]]:
    """Yield bodies whose names begin with their content coding."""
    bomb = bytes(2**28)
    yield "gzip: a bomb", CHAT, gzip.compress(bomb)
    yield "zstd: a bomb", CHAT, zstd.compress(bomb)
    yield "gzip: many members", CHAT, gzip.compress(b"") * (SIZE // 20)
    yield "zstd: many frames", CHAT, zstd.compress(b"") * (SIZE // 9)
    yield "deflate: blocks without data", CHAT, b"\0\0\0\xff\xff" * (SIZE // 5)
    yield "zstd: blocks without data", CHAT, ZSTD_HEAD + b"\0\0\0" * (SIZE // 3)
    yield "gzip: noise", CHAT, random.Random(7).randbytes(SIZE)
    yield "gzip: a long name", CHAT, b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * SIZE
