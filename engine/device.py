"""`BaseDevice`: the interface of every device; `VLLMDevice`: that of a device for vLLM."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from engine.host import Host
from engine.models.folder import model_context_length
from engine.options import ConfigModel, EngineOptions
from engine.report import Finding, Table
from engine.types import ModelInfo

UNKNOWN_CONTEXT: Final = 2048  # tokens, while the model's own limit is not known


class BaseDevice(ConfigModel):
    """The hardware of one engine: the keys below `device:` in its config, and what follows.

    Code outside a device's own package never looks at its class or its `kind`: it calls one of
    these methods. Only `host_problem` and `examine` look at the machine; the others depend on their
    arguments and on the device alone. The defaults are those of a device without accelerators and
    without a compiler.

        class Gpu(VLLMDevice):
            kind: Literal["gpu"] = "gpu"

            def summary(self) -> str:
                return "gpu"

            def resources(self) -> dict[str, float]:
                return {"GPU": 1}

            ...  # and the two methods of VLLMDevice

    A subclass has a field `kind` with one literal value, and is a member of `engine.config.Device`.

    - `driver` is the engine's class by dotted name, `package.module:Class`; it is imported to be
      called with the model's id, the `EngineOptions` and this device.
    - `compiler` is, where graphs are compiled ahead of time, a coroutine function by dotted name;
      it is called with the same and `report`, see `engine.precompile`.
    - `reads_model` is whether the engine needs the model's folder on this machine.
    """

    driver: ClassVar[str]
    compiler: ClassVar[str | None] = None
    reads_model: ClassVar[bool] = True

    def validate_engine(self, options: EngineOptions) -> None:
        """Raise ValueError, or PydanticCustomError with the key, for options that cannot work.

        Called when a config is read, on any machine: only the config is looked at, and the
        model's config.json where it is there.
        """

    def context_length(self, options: EngineOptions) -> int:
        """Return the context in tokens: the config's, else the model's own."""
        return options.max_model_len or model_context_length(options.model) or UNKNOWN_CONTEXT

    def describe(self, model_id: str, options: EngineOptions) -> ModelInfo:
        """Return what clients may know of the model, before its engine has started."""
        return ModelInfo(id=model_id, max_model_len=self.context_length(options))

    def host_problem(self, options: EngineOptions, host: Host) -> str | None:
        """Return why an engine cannot start on this machine, None where no reason is known.

        The sentence begins with the key, relative to the engine: `device.kind: ...`. `model` of
        the options is a local folder where the model is there.
        """
        return None

    def device_problem(self, host: Host) -> str | None:
        """Return why this machine lacks the device itself, None where it has it."""
        return None

    def template_path(self, options: EngineOptions) -> Path | None:
        """Return the folder or file of the chat template, None for one of our own."""
        return Path(options.model)

    def examine(self, options: EngineOptions, host: Host) -> Iterator[Finding]:
        """Yield what `doctor` shows of this machine."""
        yield from ()

    @property
    def instance_name(self) -> str | None:
        """The EC2 instance type that the device is of, None where any machine will do."""
        return None

    @abstractmethod
    def summary(self) -> str:
        """Return the device in a few words, for one line of `check`."""

    def plan(
        self, model_id: str, options: EngineOptions, prompt_lengths: Sequence[int]
    ) -> Iterator[str | Table]:
        """Yield what `check` shows of an engine's use of the device, as lines and tables.

        `prompt_lengths` are those of example prompts, in tokens.
        """
        yield from ()

    def resources(self) -> dict[str, float]:
        """Return the Ray resources of one replica, beside CPUs."""
        return {}

    def node_resources(self, visible: Sequence[str]) -> dict[str, float]:
        """Return what a machine of this kind offers to Ray.

        `visible` are the ids of accelerators that the environment leaves to this machine; empty
        means all.
        """
        return {}

    def with_accelerators(self, ids: Mapping[str, Sequence[str]]) -> Self:
        """Return this device on the accelerators that Ray gave to a replica.

        `ids` maps the name of a resource to ids, as Ray's `get_accelerator_ids` does. Raises
        an exception whose message names the fix where they cannot be used together.
        """
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a device needs to know of a start: the model's folder, slots, context in tokens."""

    model: Path
    max_num_seqs: int
    max_model_len: int


class VLLMDevice(BaseDevice):
    """A device that vLLM runs on."""

    @abstractmethod
    def vllm_args(self, launch: Launch) -> dict[str, Any]:
        """Return the fields of vLLM's AsyncEngineArgs that depend on the device."""

    @abstractmethod
    def environment(self, launch: Launch) -> dict[str, str]:
        """Return the variables to set before vLLM is imported.

        `VLLM_WORKER_MULTIPROC_METHOD`, `fork` or `spawn`, must be among them.
        """

    def launch(self, options: EngineOptions) -> Launch:
        """Return the start that these options lead to."""
        return Launch(
            model=Path(options.model),
            max_num_seqs=options.max_num_seqs,
            max_model_len=self.context_length(options),
        )

    def engine_args(self, model_id: str, options: EngineOptions) -> dict[str, Any]:
        """Return all fields of vLLM's AsyncEngineArgs."""
        launch = self.launch(options)
        return {
            "model": options.model,
            "served_model_name": model_id,
            "max_model_len": launch.max_model_len,
            "max_num_seqs": launch.max_num_seqs,
            "disable_log_stats": not options.stat_loggers,  # the gateway counts by itself
            **self.vllm_args(launch),
        }
