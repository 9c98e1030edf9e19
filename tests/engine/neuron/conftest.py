"""Engines over the plugin's real code, with the stand-in of `lab/` for the device."""

import contextlib
import importlib.util
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from engine import EngineBackend, EngineConfig, create_engine
from gateway.config import AppConfig, ModelConfig
from tests.conftest import running
from tests.engine.neuron.lab.journal import read_journal
from tests.engine.neuron.lab.model import make_model
from tests.serving import write_config

PLUGIN = os.environ.get("NEURON_LAB_PLUGIN", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if PLUGIN and importlib.util.find_spec("vllm_neuron") is not None:
        return
    skip = pytest.mark.skip(reason="run `make test-neuron-lab PLUGIN=DIR`: there is no plugin")
    for item in items:
        if item.get_closest_marker("neuron_lab"):
            item.add_marker(skip)


@dataclass
class Lab:
    """One engine's files: its model, the journal of what reached its device, its faults."""

    folder: Path
    model: Path

    def config(self, *, slots: int = 4, length: int = 256, **device: Any) -> EngineConfig:
        fixed = {
            "kind": "neuron",
            "instance": "inf2.8xlarge",
            "tensor_parallel_size": 2,
            "plugin": PLUGIN or "0.4.1",
            "artifacts": str(self.folder / "artifacts"),
            "compile": "allowed",
        }
        return EngineConfig(
            model=str(self.model),
            max_model_len=length,
            max_num_seqs=slots,
            device=fixed | device,  # type: ignore[arg-type]
        )

    @contextlib.asynccontextmanager
    async def engine(self, **config: Any) -> AsyncIterator[EngineBackend]:
        backend = create_engine("tiny", self.config(**config))
        await backend.start()
        try:
            yield backend
        finally:
            await backend.close()

    @contextlib.contextmanager
    def gateway(self, **config: Any) -> Iterator[str]:
        """Serve an engine over HTTP; yield the URL."""
        model = ModelConfig(id="tiny", engine=self.config(**config))
        with running(AppConfig(models=(model,))) as url:
            yield url

    def arguments(self, **config: Any) -> dict[str, Any]:
        """Return the arguments of an application that serves an engine."""
        engine = self.config(**config).model_dump(mode="json", exclude_none=True)
        return {"models": [{"id": "tiny", "engine": engine}]}

    def config_file(self, **config: Any) -> Path:
        """Write an engine's config as a user does; return the file."""
        return write_config(self.folder / "gateway.yaml", self.arguments(**config))

    @property
    def events(self) -> list[dict[str, Any]]:
        return read_journal(self.folder / "journal")[0]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return read_journal(self.folder / "journal")[1]

    def forget(self) -> None:
        (self.folder / "journal").write_text("")

    def fault(self, text: str) -> None:
        """Make the next step fail."""
        part = self.folder / "fault.part"
        part.write_text(text)
        part.rename(self.folder / "fault")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


MakeLab = Callable[[Path], Lab]


@contextlib.contextmanager
def lab_in(folder: Path, model: Path, **knobs: str) -> Iterator[Lab]:
    """Yield a lab whose engines start with these variables of the stand-in."""
    lab = Lab(folder, model)
    lab.forget()
    knobs |= {
        "NEURON_LAB_LOG": str(folder / "journal"),
        "NEURON_LAB_FAULT_FILE": str(folder / "fault"),
    }
    # A start sets the runtime's variables in this process: no later test may inherit them.
    with mock.patch.dict(os.environ, knobs):
        yield lab


@pytest.fixture
def lab(tmp_path: Path, tiny: Path) -> Iterator[Lab]:
    with lab_in(tmp_path, tiny) as lab:
        yield lab
