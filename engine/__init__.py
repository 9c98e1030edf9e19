"""Engines: token ids or a conversation in, deltas out; on a CPU, on NeuronCores, or simulated.

Other packages import from here, and facts from `engine.neuron`, `engine.simulated`, `engine.models`
and `engine.tool_formats`. Nothing else below is public. `Engine` is the interface; its docstring
has the laws. Importing this needs neither vLLM nor torch nor transformers: an engine imports what
it needs when it is created or started.
"""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from engine.config import EngineConfig
from engine.cpu import Cpu
from engine.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineDead,
    EngineError,
    EngineLoading,
    EngineOverloaded,
    GenerationFailed,
    InvalidRequest,
    ModelNotAvailable,
    QuotaExceeded,
    UnsupportedParameter,
    UnsupportedValue,
    without_message,
)
from engine.host import Host
from engine.models.folder import model_context_length, model_type
from engine.models.store import resolve_model
from engine.neuron.device import Neuron
from engine.options import DEFAULT_MODEL, ConfigModel, EngineOptions, Seconds
from engine.prompts.renderer import TemplateSummary, summarize_template
from engine.report import Finding, Table
from engine.simulated.device import Simulated
from engine.types import (
    HINTS,
    Chat,
    Engine,
    EngineBackend,
    GenerateRequest,
    Load,
    ModelInfo,
    Phase,
    Prompt,
    PromptReport,
    SamplingParams,
    Structured,
    TokenDelta,
    TokenLogprob,
    Tokens,
    Usage,
)
from engine.vllm.patches import RAY_STAT_LOGGER

__all__ = [
    "DEFAULT_MODEL", "HINTS", "RAY_STAT_LOGGER", "Chat", "ConfigModel", "ContextLengthExceeded",
    "Cpu", "DeadlineExceeded", "Engine", "EngineBackend", "EngineConfig", "EngineDead",
    "EngineError", "EngineLoading", "EngineOptions", "EngineOverloaded", "Finding",
    "GenerateRequest", "GenerationFailed", "Host", "InvalidRequest", "Load", "ModelInfo",
    "ModelNotAvailable", "Neuron", "Phase", "Prompt", "PromptReport", "QuotaExceeded",
    "SamplingParams", "Seconds", "Simulated", "Structured", "Table", "TemplateSummary",
    "TokenDelta", "TokenLogprob", "Tokens", "UnsupportedParameter", "UnsupportedValue", "Usage",
    "create_engine", "model_context_length", "model_type", "precompile", "resolve_model",
    "summarize_template", "without_message",
]  # fmt: skip


def create_engine(model_id: str, config: EngineConfig) -> EngineBackend:
    """Return the engine that the device's driver names, not started yet.

    Raises ImportError where the extra that the driver needs is not installed.
    """
    make = resolve_name(config.device.driver)
    return cast(EngineBackend, make(model_id, config, config.device))


async def precompile(
    model_id: str, config: EngineConfig, report: Callable[[str], None], *, offline: bool = False
) -> Path:
    """Return the folder of what an engine loads, compiled where it does not exist yet.

    The device must have a `compiler`, which works without the device itself if `offline`. `report`
    gets each phase. Raises EngineDead where the compile fails.
    """
    assert config.device.compiler is not None
    compile_ = resolve_name(config.device.compiler)
    return cast(Path, await compile_(model_id, config, config.device, report, offline=offline))
