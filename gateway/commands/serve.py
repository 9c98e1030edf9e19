"""`neuron-gateway serve`: the gateway under Ray Serve, or under plain uvicorn."""

import math
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.errors import exit_on_config_error
from gateway.commands.preflight import check, check_address, check_exposure, check_serve
from gateway.commands.prepare import prepare_models
from gateway.commands.progress import Progress
from gateway.config import AppConfig, load_config
from gateway.observe.json_logging import configure as configure_logging
from gateway.serving.environment import set_serve_environment, with_otlp_endpoint
from gateway.serving.host import cannot_listen
from gateway.serving.orphans import end_orphans


def serve(
    config: Annotated[
        Path | None,
        typer.Argument(
            envvar="NEURON_GATEWAY_CONFIG",
            help="A Ray Serve config file. Default: SmolLM2-135M-Instruct on the CPU.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    keys_file: Annotated[
        Path | None, typer.Option(help="File of API keys, instead of the config's `keys_file`.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of Ray's metrics. Default: a free one."),
    ] = None,
    without_ray: Annotated[
        bool, typer.Option("--without-ray", help="Run under plain uvicorn, for development.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow calls from other machines without API keys.")
    ] = False,
) -> None:
    """Serve the models of a config file under Ray Serve until Ctrl-C."""
    with exit_on_config_error():
        loaded = load_config(config)
        if keys_file is not None:
            loaded = loaded.model_copy(update={"keys_file": str(keys_file)})
        check(loaded)
        check_exposure(loaded, host, insecure=insecure)
        _end_orphans(host, port)
        check_address(host, port)
        if without_ray:
            _serve_plain(loaded, host, port)
        else:
            check_serve(loaded)
            _serve_ray(loaded, host, port, metrics_port)


def _end_orphans(host: str, port: int) -> None:
    for pid in end_orphans(port) if cannot_listen(host, port) else ():
        typer.echo(f"Ended process {pid}, the HAProxy of a gateway that is gone, on port {port}.")


def _serve_ray(config: AppConfig, host: str, port: int, metrics_port: int | None) -> None:
    console = Console(soft_wrap=True)
    progress = Progress(console)
    started_at = time.monotonic()
    config = prepare_models(config, progress)
    progress("Import Ray")
    set_serve_environment(config)
    try:
        from gateway.serving.ray_app import run

        with run(config, host, port, progress, metrics_port=metrics_port):
            progress.end()
            _print_address(console, config, host, port, time.monotonic() - started_at)
            _wait()
    finally:
        progress.end()


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
    from gateway.serving.http10 import close_streams_to_http10

    configure_logging()
    close_streams_to_http10()

    def stop(error: EngineDead) -> None:
        deaths.append(error)
        server.should_exit = True

    deaths: list[EngineDead] = []
    console = Console(soft_wrap=True)
    config = with_otlp_endpoint(prepare_models(config, Progress(console)))
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
    _print_address(console, config, host, port, None)
    server.run()
    if deaths:
        raise typer.Exit(1)


def _print_address(
    console: Console, config: AppConfig, host: str, port: int, seconds: float | None
) -> None:
    """Print the base URL and a curl command; `seconds` is how long the start took, if it ended."""
    from gateway.api.pages.index import curl_command

    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{port}/v1"
    state = "engine starting" if seconds is None else f"ready after {seconds:.1f} s"
    warning = "" if config.keys_file else "No keys_file: anyone who reaches this address may call. "
    curl = curl_command(url, config.models[0].id, needs_key=config.keys_file is not None)
    for line in (f"{url} ({state}; Ctrl-C stops it). {warning}Try:", curl):
        console.print(line, markup=False, highlight=False)
