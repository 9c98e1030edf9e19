"""Ten thousand changed requests: each is answered in one of the forms of the API, and soon."""

import itertools
import json
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.hostile.mutations import mutated
from tests.hostile.server import serving

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(300)]

REQUESTS = 10_000
SECONDS = 1.0


def is_openais_error(document: object) -> bool:
    """Return whether it is `{"error": {...}}` with OpenAI's four fields."""
    error = document.get("error") if isinstance(document, dict) else None
    return isinstance(error, dict) and {"message", "type", "param", "code"} <= error.keys()


def fault(answer: httpx.Response, seconds: float) -> str | None:
    """Return what is wrong with an answer."""
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    if seconds > SECONDS:
        return f"{seconds:.1f} s"
    if answer.status_code != 200:
        return None if is_openais_error(answer.json()) else "another shape"
    if kind.startswith("text/event-stream"):
        return None if answer.text.endswith("\n\n") else "a frame is cut"
    return None if isinstance(answer.json(), dict) else "another shape"


def test_changed_requests_are_answered_in_openais_shape(tmp_path: Path) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    faults: list[tuple[str, str, bytes]] = []
    headers = {"content-type": "application/json"}
    fast = serving(tmp_path, token_ms=0.1, max_model_len=512)
    with fast as (url, _), httpx.Client(base_url=url, timeout=30) as client:
        for endpoint, body in itertools.islice(mutated(seed=17), REQUESTS):
            start = time.monotonic()
            answer = client.post(endpoint, content=body, headers=headers)
            if wrong := fault(answer, time.monotonic() - start):
                faults.append((wrong, endpoint, body[:500]))
            statuses[endpoint, answer.status_code] += 1
    sys.stdout.write(f"\n{json.dumps({f'{a} {b}': n for (a, b), n in sorted(statuses.items())})}\n")
    assert faults == []
    assert sum(statuses.values()) == REQUESTS
