"""`NeuronEngine`: vLLM on NeuronCores, with what has to be seen to before, during and after."""

import logging
import time
from pathlib import Path
from typing import Final, cast

from engine.config import EngineConfig
from engine.errors import EngineDead
from engine.neuron.artifacts import Artifacts
from engine.neuron.device import Neuron
from engine.neuron.node.machine import devices
from engine.neuron.packages import problem
from engine.neuron.plugin.causes import Cause, cause_of
from engine.neuron.plugin.log_pipe import LogPipe
from engine.types import Phase
from engine.vllm.engine import VLLMEngine

RETRIES: Final = 3  # of a start that may succeed later: cores that a dying process still holds
BACKOFF_SECONDS: Final = 10.0
_log: Final = logging.getLogger(__name__)


class NeuronEngine(VLLMEngine):
    """An Engine on inf2; `config.device` is a Neuron."""

    def __init__(self, model_id: str, config: EngineConfig) -> None:
        super().__init__(model_id, config)
        assert isinstance(config.device, Neuron)
        self._device = config.device
        self._artifacts_folder: Path | None = None
        self._pipe: LogPipe | None = None
        self._last_lines: list[str] = []
        self.stall_seconds = config.device.stall_seconds

    @property
    def artifacts(self) -> Artifacts:
        """The compiled artifacts that this engine loads."""
        return self._device.compiled(self.launch)

    def _load(self) -> None:
        self._refuse_early()
        with self.artifacts.building() as self._artifacts_folder:
            self._start_patiently()

    def _start_patiently(self) -> None:
        for _ in range(RETRIES):
            if self._started():
                return
            time.sleep(BACKOFF_SECONDS)
        self._start_once()

    def _started(self) -> bool:
        """Start; false where it failed and may succeed a little later."""
        try:
            self._start_once()
        except Exception:
            cause = self._cause()
            if cause is None or cause.action != "retry":
                raise
            _log.warning("%s Trying again in %.0f s.", cause, BACKOFF_SECONDS)
            return False
        return True

    def _start_once(self) -> None:
        self._close_pipe()
        self._pipe = LogPipe(self._enter)
        super()._load()

    def _refuse_early(self) -> None:
        """Refuse what would fail after minutes, or compile without being asked to."""
        if wrong := problem(self._device.line):
            raise EngineDead("The engine did not start.", wrong)
        if not devices():
            fix = "Give the pod aws.amazon.com/neuron, or run on an inf2 node."
            raise EngineDead("The engine did not start.", f"There is no /dev/neuron*. {fix}")
        artifacts = self.artifacts
        if self._device.compile == "never" and not artifacts.there:
            fix = "Run `neuron-gateway precompile CONFIG`, or set device.compile: allowed."
            raise EngineDead("The engine did not start.", f"{artifacts.missing()} {fix}")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the device; those of a start exist only while it is started."""
        wanted = super().environment
        if self._pipe is not None:
            wanted["NEURON_GATEWAY_LOG"] = str(self._pipe.path)
            wanted["NEURON_COMPILED_ARTIFACTS"] = str(self._artifacts_folder)
        return wanted

    def _enter(self, phase: str) -> None:
        if self._phase not in ("ready", "dead"):
            self._phase = cast(Phase, phase)
            _log.info("%s: %s", self.model.id, phase)

    def _cause(self) -> Cause | None:
        return cause_of(self._last_lines if self._pipe is None else self._pipe.lines())

    def _why(self) -> str | None:
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
