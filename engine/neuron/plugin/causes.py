"""Why an engine died: messages of the runtime and the compiler, each with a fix."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Action = Literal["retry", "replace_node", "reduce", "rebuild", "reconfigure"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in the engine's log, its meaning as a sentence, and what to do."""

    name: str
    pattern: str
    sentence: str
    action: Action

    def __str__(self) -> str:
        return f"{self.sentence} [{self.name}: {self.action}]"


# The most specific first: a memory failure is often followed by more general messages.
CAUSES: Final = (
    Cause("device_memory",
        r"Failed to alloc DEVICE memory|mc_alloc: device mempool|nrt_tensor_allocate status=4",
        "The device's memory is full at load. Lower max_num_seqs, max_model_len or the buckets.",
        "reduce"),
    Cause("compiler_memory",
        r"neuronx-cc (?:failed|terminated abnormally) with -9",
        "The host's memory is full in the compiler. Compile on an instance with more memory.",
        "reduce"),
    Cause("cores_busy",
        r"NeuronCore\(s\) not available|NRT_LOAD_NOT_ENOUGH_NC|NRT_EXEC_NC_BUSY|is held by process",
        "The NeuronCores are held by another process, perhaps one that is ending.", "retry"),
    Cause("cores_gap",
        r"are not contiguous",
        "The NeuronCores are not contiguous. Use one replica size per node.", "reconfigure"),
    Cause("hardware",
        r"NRT_HW_ERROR|NRT_EXEC_HW_ERR|EXEC_UNIT_UNRECOVERABLE|status[=_ ](?:6|101|12\d\d)\b",
        "The device reports a hardware error. Replace the node.", "replace_node"),
    Cause("hang",
        r"Timestamp program stop timeout|NRT_TIMEOUT",
        "The device hung. If it happens again, replace the node.", "retry"),
    Cause("driver",
        r"not compatible with the installed aws-neuron-dkms|Unable to determine Neuron Driver",
        "The node's driver does not fit the runtime of the image. Change the node's image.",
        "replace_node"),
    Cause("no_device",
        r"No Neuron devices found|No neuron device available|Could not open the nd\d",
        "There is no /dev/neuron*. Give the pod the device, or run on an inf2 node.",
        "reconfigure"),
    Cause("other_compiler",
        r"NEFF version mismatch|NRT_UNSUPPORTED_NEFF_VERSION",
        "The artifacts are of another compiler. Run `neuron-gateway precompile` again.",
        "rebuild"),
    Cause("would_compile",
        r"would have to compile",
        "There are no artifacts that can be loaded. Run `neuron-gateway precompile` again.",
        "rebuild"),
    Cause("compiler_defect",
        r"NCC_[A-Z]+\d+|F134 Hwm\.cpp",
        "The compiler failed on this model. Use another model, other buckets or another SDK.",
        "reconfigure"),
    Cause("fork",
        r"Invalid thread pool!",
        "The runtime was forked. VLLM_WORKER_MULTIPROC_METHOD must be spawn.", "reconfigure"),
    Cause("lengths",
        r"exceeds (?:the largest|the last|largest) .*bucket|longer than max_context_length"
        r"|exceeds the maximum prompt length",
        "A sequence was longer than what was compiled. Report this: the gateway should refuse it.",
        "reconfigure"),
    Cause("model",
        r"is not supported on Neuron for now",
        "This architecture is not known to the Neuron library. Use another model.", "reconfigure"),
    Cause("hook",
        r"sampling hook does not fit",
        "The sampling hook does not fit this plugin. Install plugin 0.4.1 or 0.5.0, or set "
        "device.sampling_class.", "reconfigure"),
)  # fmt: skip


def cause_of(lines: Iterable[str]) -> Cause | None:
    """Return the first cause of the table whose pattern is in these lines of the engine's log."""
    text = "\n".join(lines)
    return next((cause for cause in CAUSES if re.search(cause.pattern, text)), None)
