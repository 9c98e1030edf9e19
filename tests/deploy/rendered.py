"""`make rendered`: writes the files of deploy/ that are generated, for `kubectl apply -f`."""

from typing import Final

import yaml

from tests.deploy.chart_files import CHART, chart_files
from tests.deploy.checks.manifests import DEPLOY, rendered

NOTE: Final = "# Made by `make rendered` from {}.\n"
RENDERED: Final = {"ray-service.yaml": "k8s/overlays/inf2-8xlarge", "gradio-ui.yaml": "k8s/webui"}


def files() -> dict[str, str]:
    """Return the path under deploy/ and the text of each file."""
    found = {file: NOTE.format(folder) + rendered(folder) for file, folder in RENDERED.items()}
    of_chart = {str((CHART / path).relative_to(DEPLOY)): text for path, text in chart_files()}
    return found | of_chart | {"monitoring/prometheus-rule.yaml": _rule()}


def _rule() -> str:
    """Return the alerts as a PrometheusRule."""
    alerts = (DEPLOY / "monitoring" / "alerts.yaml").read_text("utf-8")
    head = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "neuron-gateway"},
        "spec": yaml.safe_load(alerts),
    }
    return NOTE.format("alerts.yaml") + yaml.safe_dump(head, sort_keys=False, width=100)


if __name__ == "__main__":
    for name, text in files().items():
        (DEPLOY / name).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / name).write_text(text, "utf-8")
