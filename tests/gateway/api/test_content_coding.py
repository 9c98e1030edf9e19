"""The content codings of a body: what is read, what is refused, and how large it may become."""

import gzip
import json
import zlib
from collections.abc import Callable

import httpx
import pytest
from backports import zstd

from tests.conftest import Serve
from tests.raw_http import BODY, CHAT


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
    "upper case": ("ZSTD", zstd.compress),
    "identity": ("identity", bytes),
    "gzip of identity": ("identity, gzip", gzip.compress),
}
PACKED = {name: case for name, case in CODED.items() if "identity" not in name}


def post(url: str, coding: str, body: bytes, path: str = CHAT) -> httpx.Response:
    headers = {"content-type": "application/json", "content-encoding": coding}
    return httpx.post(url + path, content=body, headers=headers, timeout=20)


@pytest.mark.parametrize("case", CODED)
@pytest.mark.parametrize("size", [1, 1_000_000], ids=["small", "large"])
def test_a_body_is_decoded(url: str, case: str, size: int) -> None:
    coding, encode = CODED[case]
    text = "".join(chr(97 + n * n % 26) for n in range(size))
    answer = post(url, coding, encode(json.dumps({"model": "sim", "prompt": text}).encode()),
                  "/tokenize")  # fmt: skip
    plain = httpx.post(f"{url}/tokenize", json={"model": "sim", "prompt": text}, timeout=20)
    assert (answer.status_code, answer.json()) == (plain.status_code, plain.json())


@pytest.mark.parametrize("case", PACKED)
def test_a_body_is_limited_by_its_decoded_size(url: str, case: str) -> None:
    coding, encode = PACKED[case]
    answer = post(url, coding, encode(b" " * 50 * 2**20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("case", PACKED)
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "is cut off"),
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: b"", "is cut off"),
        (lambda data: data + b"more", "goes on"),
        (lambda data: b"\x00nonsense" + data, "is damaged"),
    ],
    ids=["last byte", "half", "all", "more", "front"],
)
def test_a_damaged_body_is_a_400_that_says_so(
    url: str, case: str, damage: Callable[[bytes], bytes], what: str
) -> None:
    coding, encode = PACKED[case]
    body = json.dumps(BODY | {"user": "abcdefghij" * 20}).encode()
    answer = post(url, coding, damage(encode(body)))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_content_encoding"
    assert what in answer.json()["error"]["message"]


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, zstd", "nonsense"])
def test_another_coding_is_a_415_by_name(url: str, coding: str) -> None:
    answer = post(url, coding, b"{}")
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
    assert f"'{coding}'" in answer.json()["error"]["message"]


def test_all_bodies_together_are_limited_by_their_decoded_size(serve: Serve) -> None:
    url = serve(limits={"max_body_bytes_in_flight": 100_000})
    answer = post(url, "zstd", zstd.compress(b" " * 2**20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert post(url, "zstd", zstd.compress(json.dumps(BODY).encode())).status_code == 200
