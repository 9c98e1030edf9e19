"""What is refused before anything starts; every message names its key."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import Host
from gateway.commands.check_report import report
from gateway.commands.preflight import check, check_address, check_serve
from gateway.config import AppConfig, ConfigError, load_config, parse_config
from gateway.serving.environment import serve_environment
from tests.serving import ROOT

SERVE_FILES = sorted((Path(__file__).parents[3] / "deploy" / "serve").glob("*.yaml"))


def config(device: dict[str, Any], **engine: Any) -> AppConfig:
    return parse_config({"models": [{"id": "m", "engine": {"device": device, **engine}}]}, "test")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 2048}))
    return tmp_path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine with every package and with 2 GiB of free memory."""
    file = tmp_path / "host" / "proc" / "meminfo"
    file.parent.mkdir(parents=True)
    file.write_text(f"MemTotal: 99999999 kB\nMemAvailable:    {2 * 2**20} kB\n")
    return Host(root=tmp_path / "host", find_module=lambda name: name)


def test_a_missing_extra_is_named_with_the_config_that_needs_none() -> None:
    key = r"models\.0\.engine\.device\.kind"
    with pytest.raises(ConfigError, match=rf"{key}.*neuron-gateway\[cpu\].*simulated\.yaml"):
        check(config({"kind": "cpu"}), host=Host(find_module=lambda _: None))


def test_a_context_above_the_models_own_is_refused(model: Path, host: Host) -> None:
    with pytest.raises(ConfigError, match=r"max_model_len: 4096 is above the 2048"):
        check(
            config({"kind": "cpu", "kv_cache_gib": 0.01}, model=str(model), max_model_len=4096),
            host=host,
        )


def test_a_context_as_long_as_the_models_own_is_accepted(model: Path, host: Host) -> None:
    check(
        config({"kind": "cpu", "kv_cache_gib": 0.01}, model=str(model), max_model_len=2048),
        host=host,
    )


@pytest.mark.parametrize("folder", ["./no-such-model", "models/deep/no-such", "/no/such/model"])
def test_a_missing_model_folder_is_named(folder: str, host: Host) -> None:
    with pytest.raises(ConfigError, match=r"models\.0\.engine\.model: .*no-such|/no/such"):
        check(config({"kind": "cpu"}, model=folder), host=host)


def test_a_folder_without_a_config_is_refused(tmp_path: Path, host: Host) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        check(config({"kind": "cpu"}, model=str(tmp_path)), host=host)


def test_a_kv_cache_above_the_free_memory_is_refused(host: Host) -> None:
    with pytest.raises(ConfigError, match=r"device\.kv_cache_gib: 3 GiB.* 2\.0 GiB"):
        check(config({"kind": "cpu", "kv_cache_gib": 3}), host=host)


def test_a_kv_cache_within_the_free_memory_is_accepted(host: Host) -> None:
    check(config({"kind": "cpu", "kv_cache_gib": 1.5}), host=host)


def test_buckets_that_do_not_end_at_the_context_are_refused() -> None:
    device = {"kind": "simulated", "prefill_buckets": [128, 512]}
    key = r"models\.0\.engine\.device\.prefill_buckets"
    with pytest.raises(ConfigError, match=rf"{key}: the last bucket, 512"):
        config(device, max_model_len=1024)


def test_buckets_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"prefill_buckets must ascend"):
        config({"kind": "simulated", "prefill_buckets": [512, 128]})


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"--port: 127\.0\.0\.1:{port} cannot be used"):
            check_address("127.0.0.1", port)


def test_a_port_on_which_another_gateway_starts_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    check_address("127.0.0.1", port)
    file = str(ROOT / "deploy/serve/simulated.yaml")
    command = [sys.executable, "-m", "gateway", "serve", file, "--port", str(port), "--without-ray"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "cannot be used (Another gateway starts there)" in done.stderr


def test_a_port_of_a_variable_that_is_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", str(port))
        with pytest.raises(ConfigError, match=rf"RAY_SERVE_FALLBACK\w+: port {port} cannot"):
            check_serve(AppConfig())


@pytest.mark.parametrize("path", SERVE_FILES, ids=lambda path: path.stem)
def test_the_files_we_ship_are_valid_and_can_be_described(path: Path) -> None:
    loaded = load_config(path)
    assert re.match(rf"{loaded.models[0].id}: ", str(next(report(loaded))))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("inf2-48xlarge-llama3-70b", "pads 64 query heads to 72 and 8 KV heads to 24"),
        ("inf2-48xlarge-llama3-70b", "rope_type llama3"),
        ("trn1-32xlarge-llama3-8b", "32 on trn1.32xlarge, which has cores for 4 such replicas"),
        ("inf2-24xlarge-qwen3-30b-a3b", "8 NeuronCores of inf2.24xlarge; 16 slots"),
    ],
)
def test_big_models_and_trn1_are_accepted_with_what_is_known_of_them(name: str, line: str) -> None:
    command = [sys.executable, "-m", "gateway", "check", "--offline", f"deploy/serve/{name}.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout


def test_haproxy_outlives_the_longest_stream() -> None:
    environment = serve_environment(parse_config({"limits": {"max_request_seconds": 700}}, "test"))
    assert int(environment["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"]) > 700


def test_the_python_proxy_switches_haproxy_off() -> None:
    environment = serve_environment(parse_config({"proxy": "python"}, "test"))
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "0"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("proxy_locatoin: HeadOnly\napplications: [{import_path: X}]", "proxy_locatoin"),
        ("applications: [{import_path: X, route_prefx: /}]", "applications[0].route_prefx"),
    ],
)
def test_a_misspelt_key_that_ray_would_ignore_is_refused(
    tmp_path: Path, text: str, key: str
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text.replace("X", "gateway.serving.ray_app:build_app"))
    with pytest.raises(ConfigError, match=re.escape(f"{key} is not a known key")):
        load_config(file)


def test_a_kv_cache_too_small_for_one_request_is_refused(tmp_path: Path, host: Host) -> None:
    # Llama 3 8B: 128 KiB per token, so 1 GiB for 8,192 tokens.
    shape = {"num_hidden_layers": 32, "num_key_value_heads": 8, "head_dim": 128}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    with pytest.raises(ConfigError, match=r"kv_cache_gib: a context of 8192 tokens takes 1\.00"):
        check(
            config({"kind": "cpu", "kv_cache_gib": 0.9}, model=str(tmp_path), max_model_len=8192),
            host=host,
        )


@pytest.mark.parametrize("length", [None, 128], ids=["no length", "a length"])
def test_a_config_json_that_is_none_is_refused(
    tmp_path: Path, host: Host, length: int | None
) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json is not valid JSON"):
        check(config({"kind": "cpu"}, model=str(tmp_path), max_model_len=length), host=host)


def template_lines(config: AppConfig, **options: Any) -> list[str]:
    lines = [part for part in report(config, **options) if isinstance(part, str)]
    return [line.strip() for line in lines if "tools:" in line or "template" in line]


def test_who_writes_tools_into_prompts_is_shown(model: Path) -> None:
    template = model / "chat_template.jinja"
    template.write_text("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    shown = config({"kind": "cpu"}, model=str(model))
    assert template_lines(shown) == ["tools: gateway's own text"]
    assert template_lines(shown, offline=True) == []
    template.write_text(
        "{{ tools | tojson }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{{ (m.tool_calls or '') | tojson }}{% endfor %}"
    )
    assert template_lines(shown) == ["tools: template"]
    simulated = config({"kind": "simulated", "template": str(template)})
    assert template_lines(simulated) == ["tools: template"]
    template.write_text("{{ raise_exception('no') }}")
    assert template_lines(shown) == ["the chat template fails: a plain one is used"]
    template.unlink()
    assert template_lines(shown) == ["no chat template: chats are refused"]


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"device\.template: .*nowhere has no chat template"):
        check(config({"kind": "simulated", "template": str(tmp_path / "nowhere")}))
