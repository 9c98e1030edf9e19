"""Messages of the runtime and the compiler, each in a log as they write it."""

import re

import pytest

from engine.neuron.plugin.causes import CAUSES, cause_of

SEEN = {
    "device_memory": "TDRV:dmem_alloc_internal Failed to alloc DEVICE memory: 16777216",
    "compiler_memory": "RuntimeError: neuronx-cc failed with -9",
    "cores_busy": "NeuronCore(s) not available - Requested:lnc1-lnc2 Available:0",
    "cores_gap": "Neuron cores are not contiguous",
    "hardware": "nrt_execute status=1202 NRT_EXEC_HW_ERR_NC_UE",
    "hang": "TDRV:exec_consume_tpb_status_notifications Timestamp program stop timeout (1000 ms)",
    "driver": "Neuron Runtime (compatibility id: 7) is not compatible with the installed "
    "aws-neuron-dkms package",
    "no_device": "No Neuron devices found. Skipping Neuron plugin registration.",
    "other_compiler": "NEFF version mismatch supported: 2.0 received: 3.1",
    "would_compile": "The plugin would have to compile, which `compile: never` forbids.",
    "attention_kernel": "[NCC_INLA001] InstRangeSelect is not supported on arch Trn1",
    "cached_failure": "INFO ||NCC_WRAPPER||: Got a cached failed neff at /models/artifacts/"
    "compile-cache/neuronxcc-2.8/MODULE_1+d4/model.neff. Will skip compilation",
    "compiler_defect": "[ERROR] [NCC_ITEN404] internal error",
    "fork": "Check failed: Invalid thread pool!",
    "lengths": "Input len 513 exceeds largest bucket (512) for context_encoding_model",
    "model": "Model mamba is not supported on Neuron for now. Supported models: llama",
    "hook": "The sampling hook does not fit this plugin: get_nxd_sampling_params has changed.",
}


def test_every_cause_has_an_example() -> None:
    assert SEEN.keys() == {cause.name for cause in CAUSES}


@pytest.mark.parametrize("name", SEEN)
def test_it_is_recognised_among_other_lines(name: str) -> None:
    cause = cause_of(["INFO loading", SEEN[name], "Traceback (most recent call last):"])
    assert cause is not None
    assert cause.name == name
    assert re.fullmatch(rf"[A-Z].*\. \[{name}: [a-z_]+\]", str(cause))


def test_an_unknown_death_has_no_cause() -> None:
    assert cause_of(["Traceback (most recent call last):", "ValueError: status=200"]) is None
    assert cause_of([]) is None


def test_full_memory_comes_before_the_failure_that_follows_it() -> None:
    lines = ["Failed to alloc DEVICE memory", "nrt_load failed: NRT_TIMEOUT"]
    assert str(cause_of(lines)).endswith("[device_memory: reduce]")
