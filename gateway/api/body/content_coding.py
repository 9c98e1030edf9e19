"""The content codings of a request's body: which are read, and how a body is decoded.

A body is decoded in pieces. No more than its limit is ever in memory, however much a few bytes
expand to, and streams go on between the pieces.
"""

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
from starlette.requests import Request

from gateway.api.body.budget import Reservation
from gateway.errors import ApiError

SMALL: Final = 32 * 2**10  # bytes, decoded in less time than a thread takes to start
PIECE: Final = 256 * 2**10
_ZLIB, _GZIP, _RAW = 15, 31, -15  # zlib's `wbits`
_ZSTD_WINDOW: Final = 23  # 8 MiB, the most that RFC 9659 allows

# `decompress(data, max_length)`, `eof`, `unused_data`: zlib's and zstd's have no common base.
_Decompressor = Any


def _deflate(raw: bytes) -> _Decompressor:
    """Return a decompressor of zlib's format, or of raw deflate, which some clients send."""
    is_zlib = raw[:1] and raw[0] & 15 == 8 and int.from_bytes(raw[:2], "big") % 31 == 0
    return zlib.decompressobj(_ZLIB if is_zlib else _RAW)


def _gzip(_: bytes) -> _Decompressor:
    return zlib.decompressobj(_GZIP)


def _zstd(_: bytes) -> _Decompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW})


CODINGS: Final[dict[str, Callable[[bytes], _Decompressor]]] = {
    "gzip": _gzip, "deflate": _deflate, "zstd": _zstd
}  # fmt: skip


def content_coding(request: Request) -> str | None:
    """Return the coding of a request's body, None for none; raise ApiError 415 for others."""
    value = ",".join(request.headers.getlist("content-encoding")).lower()
    names = [name.strip().removeprefix("x-") for name in value.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > 1 or names[0] not in CODINGS:
        raise ApiError(
            415,
            f"Unsupported Content-Encoding: '{value[:100]}'. Send the body in one of "
            f"{', '.join(CODINGS)}, or without a Content-Encoding.",
            code="unsupported_content_encoding",
            headers={"accept-encoding": ", ".join(CODINGS)},
        )
    return names[0]


async def decode(raw: bytes, coding: str, most: int, reservation: Reservation) -> bytes:
    """Return the first `most` bytes of a decoded body.

    Raise ApiError 400 for a body that is damaged, or 503 where all bodies have too many bytes.
    """
    decompressor = CODINGS[coding](raw)
    decoded = bytearray()
    rest, size = raw, SMALL
    while len(decoded) < most and not decompressor.eof:
        task = partial(_piece, decompressor, rest, min(size, most - len(decoded)))
        try:
            is_short = size == SMALL and len(raw) <= SMALL
            piece, rest = task() if is_short else await asyncio.to_thread(task)
        except (zlib.error, ZstdError):
            raise _damaged(coding, "is damaged") from None
        if not piece:
            break
        reservation.add(len(piece))
        decoded += piece
        size = PIECE
    if len(decoded) < most:
        _check_end(decompressor, coding)
    return bytes(decoded)


def _piece(decompressor: _Decompressor, data: bytes, size: int) -> tuple[bytes, bytes]:
    """Return decoded bytes, and the input that the decompressor did not keep for the next."""
    return decompressor.decompress(data, size), getattr(decompressor, "unconsumed_tail", b"")


def _check_end(decompressor: _Decompressor, coding: str) -> None:
    if not decompressor.eof:
        raise _damaged(coding, "is cut off")
    if decompressor.unused_data:
        raise _damaged(coding, "goes on after its end")


def _damaged(coding: str, what: str) -> ApiError:
    return ApiError(
        400,
        f"The body is not valid {coding}: it {what}. Send it whole, or without the header "
        "'Content-Encoding'.",
        code="invalid_content_encoding",
    )
