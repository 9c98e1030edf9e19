"""`neuron-gateway doctor`: what keeps a node or a cluster from serving, as a table or a file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine import Finding, Host
from gateway.commands.cluster import NAMESPACE, examine_cluster
from gateway.commands.errors import exit_on_config_error
from gateway.commands.node_report import node_report
from gateway.config import AppConfig, ConfigError, ModelConfig, load_config

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}

NeuronFile = Annotated[
    Path,
    typer.Argument(
        envvar="NEURON_GATEWAY_CONFIG",
        help="A Ray Serve config file with `device: {kind: neuron}`.",
    ),
]


def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(
            envvar="NEURON_GATEWAY_CONFIG",
            help="A Ray Serve config file; with `device: {kind: neuron}` where a node is examined.",
        ),
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Examine the Kubernetes cluster of kubectl's current context instead of this "
            "node. With a config, also whether a node or NodePool fits its instance.",
        ),
    ] = False,
    namespace: Annotated[
        str | None, typer.Option(help=f"Namespace of the service, for --cluster: {NAMESPACE}.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write what was found, versions and the plan into this JSON file, to be sent to "
            "others: without paths, host names and secrets."
        ),
    ] = None,
    attach: Annotated[
        list[Path] | None,
        typer.Option(help="Put the text of this file into the report; may be repeated."),
    ] = None,
) -> None:
    """List what keeps this node, or a cluster, from serving a config, with the fixes."""
    with exit_on_config_error():
        if attach and report is None:
            raise ConfigError("--attach: is for --report. Give --report FILE too.")
        if cluster and report is not None:
            raise ConfigError("--report: is of a node. Leave it or --cluster out.")
        if namespace is not None and not cluster:
            raise ConfigError("--namespace: is for --cluster. Give --cluster too.")
        if cluster:
            found = list(examine_cluster(namespace or NAMESPACE, _instances(config)))
        else:
            found = _examine_node(config, report, attach or ())
    Console().print(table(found))
    if any(one.state == "error" for one in found):
        raise typer.Exit(1)


def _examine_node(
    config: Path | None, report: Path | None, attach: Sequence[Path]
) -> list[Finding]:
    if config is None:
        raise ConfigError("doctor: give a config file, or --cluster.")
    loaded = load_config(config)
    model = compiled_model(loaded)
    found = list(model.engine.device.examine(model.engine, Host()))
    if report is not None:
        _write(report, node_report(loaded, model, found, attach))
    return found


def _instances(config: Path | None) -> set[str] | None:
    """Return the instance types of a config's models; None without a config."""
    if config is None:
        return None
    names = (model.engine.device.instance_name for model in load_config(config).models)
    return {name for name in names if name is not None}


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"--report: {file} cannot be written ({error.strerror}).") from None


def compiled_model(config: AppConfig) -> ModelConfig:
    """Return the model whose graphs are compiled ahead of time; raise ConfigError for none."""
    for model in config.models:
        if model.engine.device.compiler is not None:
            return model
    raise ConfigError("models.0.engine.device: kind is not neuron. Give a config for inf2.")


def table(found: Iterable[Finding]) -> Table:
    """Return the findings with their fixes, for the terminal."""
    shown = Table()
    for name in ("", "what", "seen", "fix"):
        shown.add_column(name)
    for one in found:
        # As Text: what was seen may hold brackets, which would be markup.
        texts = map(Text, (one.name, one.seen, one.fix))
        shown.add_row(Text(one.state, style=_COLOURS[one.state]), *texts)
    return shown
