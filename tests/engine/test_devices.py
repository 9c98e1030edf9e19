"""What every device answers, and what each kind answers in its own way."""

import pytest
from pydantic import ValidationError

from engine import Cpu, EngineConfig, Neuron, Simulated
from engine.device import BaseDevice
from engine.neuron.cores import CoresUnusable

NEURON = Neuron(kind="neuron", instance="inf2.24xlarge", tensor_parallel_size=2)
DEVICES = {
    device.kind: device
    for device in (Cpu(), NEURON, Simulated(kind="simulated", profile="inf2-tp8"))
}


def config(device: BaseDevice, length: int | None = 1024) -> EngineConfig:
    return EngineConfig.model_validate(
        {"model": "someone/model", "max_num_seqs": 4, "max_model_len": length, "device": device}
    )


@pytest.mark.parametrize("kind", DEVICES)
def test_every_device_describes_a_model_that_is_not_on_this_machine(kind: str) -> None:
    device = DEVICES[kind]
    info = device.describe("m", config(device))
    assert (info.id, info.max_model_len) == ("m", 1024)
    assert device.describe("m", config(device, length=None)).max_model_len > 0
    assert device.summary().startswith(kind)


@pytest.mark.parametrize("kind", DEVICES)
def test_a_node_offers_what_a_replica_needs(kind: str) -> None:
    device = DEVICES[kind]
    offered = device.node_resources([])
    assert all(offered[name] >= amount for name, amount in device.resources().items())


@pytest.mark.parametrize("kind", ["cpu", "simulated"])
def test_a_device_without_accelerators_ignores_those_that_ray_gives(kind: str) -> None:
    assert DEVICES[kind].with_accelerators({"GPU": ["0"]}) is DEVICES[kind]
    assert list(DEVICES[kind].plan("m", config(DEVICES[kind]), [])) == []


def test_neuron_cores_are_those_that_ray_or_the_environment_gives() -> None:
    assert NEURON.with_accelerators({"neuron_cores": ["5", "4"]}).visible_cores == (4, 5)
    assert NEURON.node_resources(["0", "1"]) == {"neuron_cores": 2}
    with pytest.raises(CoresUnusable, match="no neuron_cores"):
        NEURON.with_accelerators({})


def test_neuron_describes_what_it_cuts_and_refuses_before_it_has_started() -> None:
    info = NEURON.describe("m", config(NEURON))
    assert info.at_most == {"top_k": 255}
    assert "seed" in info.unsupported
    assert (info.max_prompt_len, info.buckets) == (1024, (256, 512, 1024))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="'cpu', 'neuron', 'simulated'"):
        EngineConfig.model_validate({"device": {"kind": "gpu"}})
