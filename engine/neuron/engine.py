"""`NeuronEngine`: vLLM on NeuronCores, with checks before a start and a cause after a death."""

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from pydantic_core import PydanticCustomError

from engine.errors import EngineDead
from engine.host import Host
from engine.neuron.artifacts import Artifacts
from engine.neuron.device import Neuron
from engine.neuron.packages import package_problem, package_versions
from engine.neuron.plugin.causes import Cause, cause_of
from engine.neuron.plugin.log_pipe import LogPipe
from engine.options import EngineOptions
from engine.types import Phase
from engine.vllm.engine import VLLMEngine

RETRIES: Final = 3  # of a start that can succeed later, when a dying process has freed its cores
BACKOFF_SECONDS: Final = 10.0
_log: Final = logging.getLogger(__name__)


class NeuronEngine(VLLMEngine):
    """An Engine on inf2."""

    def __init__(self, model_id: str, options: EngineOptions, device: Neuron) -> None:
        super().__init__(model_id, options, device)
        self._neuron = device
        self._artifacts_folder: Path | None = None
        self._pipe: LogPipe | None = None
        self._last_lines: list[str] = []
        self.hang_timeout_seconds = device.hang_timeout_seconds

    @property
    def artifacts(self) -> Artifacts:
        """The compiled artifacts that this engine loads."""
        return self._neuron.compiled(self._neuron.launch(self._options))

    def _load(self) -> None:
        self._require_startable()
        artifacts = self.artifacts
        weights = artifacts.facts["weights"]
        self.model = replace(self.model, weights=weights)
        _log.info("%s: weights %s, artifacts %s", self.model.id, weights, artifacts.folder)
        with artifacts.building() as self._artifacts_folder:
            self._start_with_retries()

    def _start_with_retries(self) -> None:
        for retries in range(RETRIES, -1, -1):
            self._close_pipe()
            self._pipe = LogPipe(self._enter_phase)
            try:
                super()._load()
            except Exception:
                cause = self._cause()
                if not retries or cause is None or cause.action != "retry":
                    raise
                _log.warning("%s Trying again in %.0f s.", cause, BACKOFF_SECONDS)
                time.sleep(BACKOFF_SECONDS)
            else:
                return

    def require_compilable(self) -> None:
        """Raise EngineDead for a config or packages with which nothing can be compiled."""
        try:
            self._neuron.validate_engine(self._options)  # a hub's model is known only now
        except PydanticCustomError as error:
            raise EngineDead("The engine did not start.", f"{error.message()}.") from None
        release = self._neuron.release
        if problem := package_problem(release, package_versions(release)):
            raise EngineDead("The engine did not start.", problem)

    def _require_startable(self) -> None:
        """Raise EngineDead for a start that would fail after minutes, or compile unasked."""
        self.require_compilable()
        if problem := self._neuron.device_problem(Host()):
            raise EngineDead("The engine did not start.", problem)
        artifacts = self.artifacts
        if damage := artifacts.damage():
            fix = "Run `neuron-gateway precompile CONFIG`, or copy them again."
            raise EngineDead("The engine did not start.", f"{damage} {fix}")
        if self._neuron.compile == "never" and not artifacts.exists:
            fix = "Run `neuron-gateway precompile CONFIG`, or set device.compile: allowed."
            raise EngineDead("The engine did not start.", f"{artifacts.missing()} {fix}")

    @property
    def environment(self) -> dict[str, str]:
        """The device's variables, and during a start its log pipe and its artifacts' folder."""
        variables = super().environment
        if self._pipe is not None:
            variables["NEURON_GATEWAY_LOG"] = str(self._pipe.path)
            variables["NEURON_COMPILED_ARTIFACTS"] = str(self._artifacts_folder)
        return variables

    def _enter_phase(self, phase: str) -> None:
        if self.phase not in ("ready", "dead"):
            self.phase = cast(Phase, phase)
            _log.info("%s: %s", self.model.id, phase)

    def _cause(self) -> Cause | None:
        return cause_of(self._last_lines if self._pipe is None else self._pipe.lines())

    def _death_reason(self) -> str | None:
        cause = self._cause()
        return None if cause is None else str(cause)

    def _shut_down(self) -> None:
        super()._shut_down()
        self._close_pipe()

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            self._last_lines = pipe.lines()
            pipe.close()
