"""Fixtures: the app on a real socket, and the OpenAI SDK."""

import asyncio
import contextlib
import platform
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import openai
import pytest
import uvicorn

from engine import EngineBackend, create_engine
from gateway.api.app import create_app
from gateway.config import AppConfig, parse_config
from gateway.serving.http10 import close_streams_to_http10

# A shell without job control starts `make test &` with SIGINT ignored. Programs that the tests
# interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on the machine's load; pytest's timeout limits the whole test.
hypothesis.settings.register_profile(
    "no deadline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no deadline")

Serve = Callable[..., str]


class Clock:
    """A clock in seconds that stands still until a test sets it."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


ON_THE_WAY = ("created", "loading", "compiling", "warming up")


def simulated(device: dict[str, Any] | None = None, **parts: Any) -> AppConfig:
    """Return a config with a simulated device that takes no time."""
    engine = {"max_num_seqs": 4, "device": {"kind": "simulated", "time_scale": 0} | (device or {})}
    engine |= parts.pop("engine", {})
    model = {"id": "sim", "engine": engine} | parts.pop("model", {})
    return parse_config({"models": [model], **parts}, "test")


@contextlib.contextmanager
def running(
    config: AppConfig,
    port: int = 0,
    clock: Clock | None = None,
    make_engine: Callable[..., EngineBackend] = create_engine,
) -> Iterator[str]:
    """Serve the app under uvicorn in a thread; yields its URL.

    The minutes of limits are those of the clock, so that no minute ends within a test by itself.
    """
    engines = {model.id: make_engine(model.id, model.engine) for model in config.models}
    app = create_app(config, engines, clock=clock or Clock())
    close_streams_to_http10()
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, lifespan="on")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    while not server.started or any(backend.phase in ON_THE_WAY for backend in engines.values()):
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a condition holds; fail after some seconds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def python_version(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Write the version of Python into the JUnit file, from which `.ci/run` makes its table."""
    record_testsuite_property("python", platform.python_version())


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Yield a function that starts a gateway, which ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda device=None, clock=None, **parts: stack.enter_context(
            running(simulated(device, **parts), clock=clock)
        )


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Yield the URL of a gateway with a simulated device that takes no time."""
    with running(simulated()) as url:
        yield url


def sdk(url: str) -> openai.OpenAI:
    """Return a client without retries."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=15)


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[openai.OpenAI]:
    """Yield the OpenAI SDK on `url`."""
    with sdk(url) as client:
        yield client
