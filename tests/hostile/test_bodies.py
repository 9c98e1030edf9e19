"""The largest bodies of every shape beside a paced stream: nobody else may notice."""

import itertools
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from gateway.api.body.content_coding import CODINGS
from tests.hostile.bodies import CHAT, bodies
from tests.hostile.server import serving

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(60)]

GAP_SECONDS = 0.25
GROWTH_MIB = 100
BODIES = list(bodies())
TABLE = "{:<36} {:<22} {:>6} {:>9} {:>9} {:>11}"


class PacedStream:
    """A stream of one token every 20 ms, read in a thread; keeps when each chunk came."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        body = {
            "model": "sim", "messages": [{"role": "user", "content": "Go on."}],
            "max_tokens": 15_000, "ignore_eos": True, "stream": True,
        }  # fmt: skip
        with httpx.stream("POST", self._url + CHAT, json=body, timeout=None) as answer:
            for _ in answer.iter_raw():
                self.times.append(time.monotonic())
                if self._ended.is_set():
                    return

    def longest_gap(self, since: float) -> float:
        """Return the longest time without a chunk, in seconds, from then until now."""
        times = [since, *(at for at in self.times if at > since), time.monotonic()]
        return max(after - before for before, after in itertools.pairwise(times))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    with serving(tmp_path_factory.mktemp("gateway")) as (url, process):
        yield url, process


@pytest.fixture(scope="module")
def stream(server: tuple[str, psutil.Process]) -> Iterator[PacedStream]:
    paced = PacedStream(server[0])
    while len(paced.times) < 10:
        time.sleep(0.05)
    header = TABLE.format("body", "endpoint", "status", "answer, s", "gap, s", "growth, MiB")
    sys.stdout.write(f"\n{header}\n")
    yield paced
    paced.close()


@pytest.mark.parametrize(
    ("name", "endpoint", "body"), BODIES, ids=[f"{path} {name}" for name, path, _ in BODIES]
)
def test_a_hostile_body_holds_up_nobody(
    server: tuple[str, psutil.Process], stream: PacedStream, name: str, endpoint: str, body: bytes
) -> None:
    url, process = server
    before, start = process.memory_info().rss, time.monotonic()
    coding = name.partition(":")[0]
    headers = {"content-encoding": coding} if coding in CODINGS else {}
    headers |= {"content-type": "application/json"}
    answer = httpx.post(url + endpoint, content=body, headers=headers, timeout=30)
    seconds, growth = time.monotonic() - start, (process.memory_info().rss - before) / 2**20
    gap = stream.longest_gap(start)
    row = (name[:36], endpoint, answer.status_code, f"{seconds:.2f}", f"{gap:.2f}", f"{growth:.0f}")
    sys.stdout.write(f"{TABLE.format(*row)}\n")
    assert answer.status_code < 500, answer.text
    assert answer.status_code == 200 or set(answer.json()) == {"error"}
    assert gap <= GAP_SECONDS
    assert growth <= GROWTH_MIB
