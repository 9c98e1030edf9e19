"""What a client hears while there is no replica: before the first, between two, after the last."""

import contextlib
import itertools
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import STEADY, ask, free_port, repeated, served, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

REFUSED, CUT = "refused", "cut"
ERROR_KEYS = {"message", "type", "param", "code"}


def hear(**request: Any) -> str:
    """Return the status of an answer in the right shape, or what happened instead."""
    try:
        answer = httpx.request(**request, timeout=60)
    except httpx.ConnectError:
        return REFUSED
    except (httpx.ReadError, httpx.RemoteProtocolError):
        return CUT
    if answer.status_code == 200:
        return "200"
    is_ours = answer.headers["content-type"] == "application/json"
    if answer.status_code in (429, 503) and is_ours and "retry-after" in answer.headers:
        assert answer.json()["error"].keys() == ERROR_KEYS
        return str(answer.status_code)
    return f"{answer.status_code} {answer.headers} {answer.text}"


def args(**more: Any) -> dict[str, Any]:
    engine = {"max_model_len": 4096, "max_num_seqs": 4, "device": STEADY}
    return {"models": [{"id": "sim", "engine": engine}], **more}


@pytest.mark.parametrize("proxy", ["haproxy", "python"])
def test_a_client_hears_json_from_the_start_to_the_end(tmp_path: Path, proxy: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    requests = [ask(url, max_tokens=1), {"method": "GET", "url": f"{url}/v1/models"}]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(repeated(partial(hear, **each))) for each in requests]
        with served(tmp_path, args(proxy=proxy), port=port) as gateway:
            gateway.deploy(tmp_path, args(proxy=proxy, limits={"max_queued": 7}))
            until(lambda: all(heard[-1] == "200" for heard in clients), 60)
        time.sleep(0.5)
    for client in clients:
        heard = [status for status, _ in itertools.groupby(client)]
        if heard[-2] == CUT:  # as the proxy ended
            del heard[-2]
        assert heard[0] == heard[-1] == REFUSED
        assert set(heard[1:-1]) == {"200", "503"}, heard
