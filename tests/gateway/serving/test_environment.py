"""Environment variables: what the gateway reads, and what it sets before Ray starts."""

import os
from pathlib import Path

import pytest

from gateway.config import AppConfig, parse_config
from gateway.serving.environment import (
    cache_folder,
    haproxy_ports,
    set_serve_environment,
    with_otlp_endpoint,
)


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
def test_haproxy_is_started_by_a_script_for_its_ports() -> None:
    os.environ["RAY_SERVE_HAPROXY_STATS_PORT"] = "8500"
    set_serve_environment(AppConfig())
    script = Path(os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert script == cache_folder().parent / "haproxy-8500-9101.sh"
    assert os.access(script, os.X_OK)
    assert haproxy_ports()["RAY_SERVE_HAPROXY_STATS_PORT"] == 8500


@pytest.mark.usefixtures("clean")
def test_what_is_set_is_kept_but_for_the_proxy_of_the_config() -> None:
    os.environ |= {"RAY_SERVE_HAPROXY_NBTHREAD": "7", "RAY_SERVE_ENABLE_HA_PROXY": "1"}
    set_serve_environment(parse_config({"proxy": "python"}, "test"))
    assert os.environ["RAY_SERVE_HAPROXY_NBTHREAD"] == "7"
    assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
    assert "RAY_SERVE_HAPROXY_BINARY_PATH" not in os.environ
