"""Environment variables: what the gateway reads, and what it sets before Ray starts."""

import os
from pathlib import Path

import pytest

from gateway.config import AppConfig, parse_config
from gateway.serving.environment import set_serve_environment, with_otlp_endpoint
from gateway.serving.host import host_environment


@pytest.mark.parametrize(
    ("config", "variable", "endpoint"),
    [
        ({}, None, None),
        ({}, "http://of-the-environment", "http://of-the-environment"),
        ({"otlp_endpoint": "http://of-the-config"}, None, "http://of-the-config"),
        ({"otlp_endpoint": "http://of-the-config"}, "http://other", "http://of-the-config"),
    ],
)
def test_traces_go_to_the_endpoint_of_the_config_or_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    variable: str | None,
    endpoint: str | None,
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    if variable is not None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", variable)
    assert with_otlp_endpoint(parse_config(config, "test")).otlp_endpoint == endpoint


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without variables of Ray, which ends with the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    monkeypatch.setattr(os, "environ", kept | {"XDG_CACHE_HOME": str(tmp_path)})


@pytest.mark.usefixtures("clean")
def test_what_is_set_is_kept_but_for_the_proxy_of_the_config() -> None:
    given = {"RAY_SERVE_HAPROXY_NBTHREAD": "7", "RAY_SERVE_HAPROXY_STATS_PORT": "8404"}
    given |= {"RAY_SERVE_HAPROXY_BINARY_PATH": "/x", "RAY_SERVE_HAPROXY_SOCKET_PATH": "/tmp/x.sock"}
    os.environ |= given | {"RAY_SERVE_ENABLE_HA_PROXY": "1"}
    set_serve_environment(parse_config({"proxy": "python"}, "test"))
    assert given.items() <= os.environ.items()
    assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "0"


@pytest.mark.usefixtures("clean")
def test_serve_starts_our_program_as_haproxy() -> None:
    set_serve_environment(AppConfig())
    assert os.access(os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"], os.X_OK)


def test_two_gateways_share_no_port_and_no_file() -> None:
    first, second = host_environment(), host_environment()
    assert not set(first.values()) & set(second.values())
    config = Path(first["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"])
    assert config.parent.stat().st_mode & 0o777 == 0o700
