"""Alerts and dashboards use metrics that exist; alerts fire when they should."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from engine.neuron import INSTANCES
from gateway.observe.metrics import METRICS, OUTCOMES, PREFIX
from tests.tools import require_tool

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
ALERTS, DASHBOARD = FOLDER / "alerts.yaml", FOLDER / "dashboards" / "gateway.json"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
# What AWS's neuron-monitor exports to Prometheus, by the documentation of its script.
NEURON = {
    "neuroncore_utilization_ratio", "neuroncore_memory_usage_constants", "execution_status_total",
    "execution_errors_total", "execution_latency_seconds", "hardware_ecc_events_total",
    "neuron_runtime_memory_used_bytes",
}  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}


def used(text: str) -> set[str]:
    """Return the names of the metrics in expressions, without the suffixes of histograms."""
    names = re.findall(rf"ray_{PREFIX}(\w+)", text)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def expressions(file: Path = DASHBOARD) -> list[str]:
    panels = json.loads(file.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [require_tool("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_use_metrics_that_exist() -> None:
    assert used(ALERTS.read_text()) <= BY_NAME.keys()


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    assert used("\n".join(expressions())) == BY_NAME.keys()


def test_outcomes_are_those_of_the_metric() -> None:
    for file in (ALERTS, FOLDER / "alerts_test.yaml"):
        named = re.findall(r'outcome=~?"([\w|]+)"', file.read_text())
        assert {name for group in named for name in group.split("|")} <= OUTCOMES.keys()
    (panel,) = (p for p in json.loads(DASHBOARD.read_text())["panels"] if "outcome" in p["title"])
    assert all(outcome in panel["description"] for outcome in OUTCOMES)


def test_every_panel_groups_by_labels_that_its_metric_has() -> None:
    for expression in expressions():
        labels = {label for name in used(expression) for label in BY_NAME[name].labels} | {"le"}
        grouped = re.findall(r"by \(([\w, ]+)\)", expression)
        assert {label for group in grouped for label in group.split(", ")} <= labels


def test_every_alert_has_an_action() -> None:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in rules)


@pytest.mark.parametrize("command", [["check", "rules", "alerts.yaml"],
                                     ["test", "rules", "alerts_test.yaml"]])  # fmt: skip
def test_promtool_accepts_the_rules(command: list[str]) -> None:
    promtool(*command)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_prometheus_can_read_every_panel(tmp_path: Path, file: Path) -> None:
    texts = [text.replace("$__rate_interval", "1m") for text in expressions(file)]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "p", "rules": rules}]})
    )
    promtool("check", "rules", str(tmp_path / "rules.yaml"))


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_panel_queries_the_chosen_data_source(file: Path) -> None:
    board = json.loads(file.read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {"title", "uid", "schemaVersion", "templating"} <= board.keys()


def test_the_neuron_dashboard_uses_what_neuron_monitor_exports() -> None:
    text = "\n".join(expressions(FOLDER / "dashboards" / "neuron.json"))
    names = set(re.findall(r"\b((?:neuron|neuroncore|execution|hardware)_\w+)", text))
    names = {name for name in names if not name.startswith(PREFIX)}
    assert {name.removesuffix("_") for name in names} <= NEURON | {"neuroncore_memory_usage"}


def test_the_price_of_a_token_is_that_of_the_catalogue() -> None:
    (text,) = [e for e in expressions(FOLDER / "dashboards" / "neuron.json") if "inf2.8xl" in e]
    found = re.findall(r"([\d.]+) \* count\(.*?instance_type=\"((?:inf2|trn1n?)\.\w+)\"", text)
    assert {name: float(price) for price, name in found} == {
        name: one.price for name, one in INSTANCES.items()
    }


def test_every_alert_has_a_test() -> None:
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "alerts_test.yaml").read_text()))
    assert tested == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
