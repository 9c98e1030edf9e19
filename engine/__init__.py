"""Tokens in, deltas out. Everything public is here; importing it needs neither vLLM nor torch."""

from importlib import import_module
from typing import cast

from engine.config import (
    DEFAULT_MODEL,
    Device,
    EngineConfig,
    kv_bytes_per_token,
    model_limit,
    model_type,
)
from engine.cpu import Cpu
from engine.device import Launch
from engine.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineDead,
    EngineError,
    EngineLoading,
    EngineOverloaded,
    GenerationFailed,
    InvalidRequest,
    QuotaExceeded,
    UnsupportedParameter,
    UnsupportedValue,
)
from engine.models.store import ModelNotAvailable, resolve_model
from engine.neuron.device import Neuron
from engine.simulated.device import Faults, Script, Simulated
from engine.types import (
    Chat,
    Engine,
    EngineBackend,
    GenerateRequest,
    Load,
    ModelInfo,
    Phase,
    Prompt,
    SamplingParams,
    Structured,
    TokenDelta,
    TokenLogprob,
    Tokens,
    Usage,
)

__all__ = [
    "DEFAULT_MODEL",
    "Chat",
    "ContextLengthExceeded",
    "Cpu",
    "DeadlineExceeded",
    "Device",
    "Engine",
    "EngineBackend",
    "EngineConfig",
    "EngineDead",
    "EngineError",
    "EngineLoading",
    "EngineOverloaded",
    "Faults",
    "GenerateRequest",
    "GenerationFailed",
    "InvalidRequest",
    "Launch",
    "Load",
    "ModelInfo",
    "ModelNotAvailable",
    "Neuron",
    "Phase",
    "Prompt",
    "QuotaExceeded",
    "SamplingParams",
    "Script",
    "Simulated",
    "Structured",
    "TokenDelta",
    "TokenLogprob",
    "Tokens",
    "UnsupportedParameter",
    "UnsupportedValue",
    "Usage",
    "create_engine",
    "kv_bytes_per_token",
    "model_limit",
    "model_type",
    "resolve_model",
]


def create_engine(model_id: str, config: EngineConfig) -> EngineBackend:
    """Make the engine that the device's driver names; it is not started yet.

    Raises ImportError where the extra that the driver needs is not installed.
    """
    module, _, name = config.device.driver.partition(":")
    return cast(EngineBackend, getattr(import_module(module), name)(model_id, config))
