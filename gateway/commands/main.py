"""`neuron-gateway`: its commands. Ray and the engines are imported only when asked for."""

import asyncio
import json
import math
import threading
import time
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.chat import chat
from gateway.commands.check_report import read_lengths, report
from gateway.commands.doctor import compiled_model, findings, table
from gateway.commands.errors import exit_on_config_error
from gateway.commands.keys import commands as key_commands
from gateway.commands.plan.command import plan
from gateway.commands.preflight import check as check_config
from gateway.commands.preflight import check_address, check_exposure, check_serve
from gateway.config import AppConfig, load_config
from gateway.observe.json_logging import configure as configure_logging
from gateway.serving.environment import set_serve_environment
from gateway.serving.local_models import with_local_models

app = typer.Typer(
    help="An OpenAI-compatible gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(key_commands, name="keys")
app.command()(plan)
app.command()(chat)
ConfigFile = Annotated[
    Path | None, typer.Argument(help="A Ray Serve config file; without one, a CPU default.")
]
NeuronFile = Annotated[Path, typer.Argument(help="A Ray Serve config file for inf2.")]


class Progress:
    """One line per phase, with the time it took; on a terminal the running one is shown too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._phase: str | None = None
        self._since = time.monotonic()

    def __call__(self, phase: str) -> None:
        """End the phase before and begin this one."""
        self.end()
        self._phase, self._since = phase, time.monotonic()
        self._status.update(phase)
        self._status.start()

    def end(self) -> None:
        """End the running phase, if any."""
        self._status.stop()
        if self._phase is not None:
            took = time.monotonic() - self._since
            self._console.print(f"{took:6.1f} s  {self._phase}", markup=False, highlight=False)
        self._phase = None


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    without_ray: Annotated[
        bool, typer.Option("--without-ray", help="Plain uvicorn, for development.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others than this machine call without a key.")
    ] = False,
) -> None:
    """Serve a model under Ray Serve until Ctrl-C."""
    with exit_on_config_error():
        loaded = load_config(config)
        check_config(loaded)
        check_exposure(loaded, host, insecure=insecure)
        check_address(host, port)
        if without_ray:
            _serve_plain(loaded, host, port)
        else:
            check_serve(loaded)
            _serve_ray(loaded, host, port)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="A Ray Serve config file.")],
    lengths: Annotated[
        str,
        typer.Option(help="Prompt lengths in tokens, `200,1500`, or a file with one in each line."),
    ] = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="It is for other machines: look at nothing here.")
    ] = False,
) -> None:
    """Say whether a config would be served here, and how; start nothing."""
    with exit_on_config_error():
        loaded = load_config(config)
        if not offline:
            check_config(loaded)
        parts = list(report(loaded, read_lengths(lengths)))
    console = Console(soft_wrap=True)
    for part in parts:
        console.print(part, markup=False, highlight=False)


@app.command()
def precompile(config: NeuronFile) -> None:
    """Compile what a config's engine loads, on an inf2 machine; then `compile: never` starts it."""
    from engine import EngineDead
    from engine import precompile as compile_artifacts

    progress = Progress(Console(soft_wrap=True))
    with exit_on_config_error():
        loaded = _with_models(load_config(config), progress, keys=False)
        model = compiled_model(loaded)
        try:
            folder = asyncio.run(compile_artifacts(model.id, model.engine, progress))
        except EngineDead as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        finally:
            progress.end()
    typer.echo(f"artifacts: {folder}")


@app.command()
def doctor(config: NeuronFile) -> None:
    """Say what keeps this node from serving a config on its NeuronCores, and how to mend it."""
    with exit_on_config_error():
        found = findings(load_config(config))
    Console().print(table(found))
    if any(one.state == "error" for one in found):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    try:
        typer.echo(package_version("neuron-gateway"))
    except PackageNotFoundError:
        typer.echo("unknown (not installed)")


def main() -> None:
    """Run the command line."""
    app()


def _serve_ray(config: AppConfig, host: str, port: int) -> None:
    console = Console(soft_wrap=True)
    progress = Progress(console)
    begun = time.monotonic()
    config = _with_models(config, progress)
    progress("Import Ray")
    set_serve_environment(config)
    try:
        from gateway.serving.ray_app import run

        with run(config, host, port, progress):
            progress.end()
            _welcome(console, config, host, port, time.monotonic() - begun)
            _wait()
    finally:
        progress.end()


def _with_models(config: AppConfig, progress: Progress, *, keys: bool = True) -> AppConfig:
    """Fetch what is missing, then check what only a model that is there can tell."""
    try:
        local = with_local_models(config, progress)
    finally:
        progress.end()
    check_config(local, keys=keys)
    return local


def _wait() -> None:
    """Sleep until Ctrl-C, or until SIGTERM raises SystemExit."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _serve_plain(config: AppConfig, host: str, port: int) -> None:
    from uvicorn import Config, Server

    from engine import EngineDead, create_engine
    from gateway.api.app import create_app

    configure_logging()

    def stop(error: EngineDead) -> None:
        deaths.append(error)
        server.should_exit = True

    deaths: list[EngineDead] = []
    console = Console(soft_wrap=True)
    config = _with_models(config, Progress(console))
    engines = {model.id: create_engine(model.id, model.engine) for model in config.models}
    app = create_app(config, engines, on_death=stop)
    server = Server(
        Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            lifespan="on",
            timeout_graceful_shutdown=math.ceil(config.limits.max_request_seconds),
        )
    )
    _welcome(console, config, host, port, None)
    server.run()
    if deaths:
        raise typer.Exit(1)


def _welcome(console: Console, config: AppConfig, host: str, port: int, took: float | None) -> None:
    address = f"[{host}]" if ":" in host else host
    base = f"http://{address}:{port}/v1"
    body = {
        "model": config.models[0].id,
        "messages": [{"role": "user", "content": "Say hello."}],
        "stream": True,
    }
    state = "will answer" if took is None else f"ready after {took:.1f} s"
    key = " -H 'authorization: Bearer YOUR-KEY'" if config.keys_file else ""
    open_to = "" if config.keys_file else "No keys_file: anyone who reaches this address may call. "
    lines = (
        f"{base} ({state}; Ctrl-C stops it). {open_to}Try:",
        f"curl -N {base}/chat/completions -H 'content-type: application/json'{key} "
        f"-d '{json.dumps(body)}'",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False)
