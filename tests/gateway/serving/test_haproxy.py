"""The script in HAProxy's place, on the config that Ray writes, with the HAProxy that Ray has."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.serving.haproxy import write_script

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write the config as Ray does."""
    from ray.serve._private.haproxy import HAProxyApi, HAProxyConfig

    path = tmp_path / "haproxy.cfg"
    options = HAProxyConfig(
        socket_path=str(tmp_path / "admin.sock"), stats_port=8404, metrics_port=9101
    )
    HAProxyApi(options, config_file_path=str(path))._generate_config_file_internal()
    return path


def test_haproxy_accepts_the_edited_config(config: Path, tmp_path: Path) -> None:
    before = config.read_text()
    assert "option splice-request" in before
    assert sorted(re.findall(r"bind (\S*:(?:8404|9101))$", before, re.MULTILINE)) == [
        "*:8404", ":9101"
    ]  # fmt: skip
    script = tmp_path / "cache" / "haproxy.sh"
    write_script(script, 8404, 9101)
    done = subprocess.run(
        [script, "-db", "-f", config, "-c"], capture_output=True, text=True, check=True
    )
    assert "Configuration file is valid" in done.stdout
    after = config.read_text()
    assert "splice-re" not in after
    assert sorted(re.findall(r"bind (\S*:(?:8404|9101))$", after, re.MULTILINE)) == [
        "127.0.0.1:8404", "127.0.0.1:9101"
    ]  # fmt: skip


def test_other_ports_are_left_alone(config: Path, tmp_path: Path) -> None:
    script = tmp_path / "haproxy.sh"
    write_script(script, 840, 910)
    subprocess.run([script, "-db", "-f", config, "-c"], capture_output=True, check=True)
    assert "bind *:8404" in config.read_text()
