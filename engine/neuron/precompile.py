"""`precompile`: compiled artifacts for an engine, before any request waits for it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import EngineDead
from engine.neuron.artifacts import Artifacts, weight_bytes
from engine.neuron.catalogue import GIB
from engine.neuron.device import Neuron
from engine.neuron.engine import NeuronEngine
from engine.neuron.plugin.causes import cause_of
from engine.neuron.plugin.log_pipe import LogPipe
from engine.options import EngineOptions

_POLL_SECONDS: Final = 0.1
# The library's name for the cores of inf2 too: a host that is no such instance must be told.
_TARGET: Final = {"NEURON_PLATFORM_TARGET_OVERRIDE": "trn1"}


async def precompile(
    model_id: str,
    options: EngineOptions,
    device: Neuron,
    report: Callable[[str], None],
    *,
    offline: bool = False,
) -> Path:
    """Return the folder of an engine's artifacts, compiled where they do not exist.

    `report` gets each phase. Damaged artifacts are compiled again. The plugin compiles when the
    engine starts, which needs the device; `offline`, a process runs the plugin's loader without.
    Raises EngineDead where that fails, and leaves no partial artifacts.
    """
    compiling = device.model_copy(update={"compile": "allowed"})
    engine = NeuronEngine(model_id, options, compiling)
    engine.require_compilable()
    report(f"hashing {weight_bytes(Path(options.model)) / GIB:.1f} GiB of weights")
    artifacts = await asyncio.to_thread(lambda: engine.artifacts)
    if damage := await asyncio.to_thread(artifacts.damage):
        report(damage)
        artifacts.remove()
    if artifacts.exists:
        return artifacts.folder
    if offline:
        await _compile_offline(model_id, options, compiling, artifacts, report)
        return artifacts.folder
    try:
        await _start(engine, report)
    finally:
        await engine.close()
    return artifacts.folder


async def _start(engine: NeuronEngine, report: Callable[[str], None]) -> None:
    starting = asyncio.create_task(engine.start())
    phase = None
    while not starting.done():
        if engine.phase != phase:
            phase = engine.phase
            report(phase)
        await asyncio.wait({starting}, timeout=_POLL_SECONDS)
    await starting


async def _compile_offline(
    model_id: str,
    options: EngineOptions,
    device: Neuron,
    artifacts: Artifacts,
    report: Callable[[str], None],
) -> None:
    """Compile in a process that holds no cores; raise EngineDead with the cause if that fails."""
    report("loading")
    pipe = LogPipe(report)
    try:
        with artifacts.building() as folder:
            if folder == artifacts.folder:  # another process has compiled it meanwhile
                return
            variables = {
                **device.environment(device.launch(options)),
                "NEURON_GATEWAY_LOG": str(pipe.path),
                "NEURON_COMPILED_ARTIFACTS": str(folder),
            }
            ended = await _run_compiler(device.engine_args(model_id, options), variables)
            if ended:
                raise EngineDead("The compile failed.", _reason([*pipe.lines(), ended]))
    finally:
        pipe.close()


async def _run_compiler(arguments: Mapping[str, object], variables: Mapping[str, str]) -> str:
    """Return how the process ended, empty where it compiled; end its children with it."""
    merged = {**_TARGET, **os.environ, **variables}  # noqa: TID251 - it is passed on
    # The runtime's variables name cores.
    environment = {name: text for name, text in merged.items() if not name.startswith("NEURON_RT_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "engine.neuron.plugin.offline"),
        stdin=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        await process.communicate(json.dumps(arguments).encode())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return f"The compile ended with {process.returncode}." if process.returncode else ""


def _reason(lines: list[str]) -> str:
    """Return the cause that is known by these lines of output, else the last line but one."""
    cause = cause_of(lines)
    return str(cause) if cause is not None else " ".join(lines[-2:])
