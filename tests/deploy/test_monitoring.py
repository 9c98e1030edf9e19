"""Alerts and dashboard hold to the metrics there are; alerts fire when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.metrics import METRICS, PREFIX

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
ALERTS, DASHBOARD = FOLDER / "alerts.yaml", FOLDER / "dashboards" / "gateway.json"
BY_NAME = {metric.name: metric for metric in METRICS}


def used(text: str) -> set[str]:
    """Name the metrics in expressions, without what a histogram adds to its name."""
    names = re.findall(rf"ray_{PREFIX}(\w+)", text)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_alerts_hold_to_metrics_that_there_are() -> None:
    assert used(ALERTS.read_text()) <= BY_NAME.keys()


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    assert used("\n".join(expressions())) == BY_NAME.keys()


def test_every_panel_groups_by_labels_that_its_metric_has() -> None:
    for expression in expressions():
        labels = {label for name in used(expression) for label in BY_NAME[name].labels} | {"le"}
        grouped = re.findall(r"by \(([\w, ]+)\)", expression)
        assert {label for group in grouped for label in group.split(", ")} <= labels


def test_every_alert_says_what_to_do() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in group["rules"])


@pytest.mark.parametrize("command", [["check", "rules", "alerts.yaml"],
                                     ["test", "rules", "alerts_test.yaml"]])  # fmt: skip
def test_promtool_is_content(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    done = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test() -> None:
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "alerts_test.yaml").read_text()))
    assert tested == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
