"""Each deliberate mistake of `mistakes` is found by a check."""

import re

import pytest

from tests.deploy.checks import findings
from tests.deploy.checks.manifests import NEURON, overlay
from tests.deploy.mistakes import MISTAKES, Manifests, Mistake
from tests.deploy.mistakes import of_the_service as service

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.mark.parametrize("mutate", MISTAKES, ids=lambda mutate: mutate.__name__)
def test_a_mistake_is_found(mutate: Mistake) -> None:
    manifests = Manifests(overlay("inf2-8xlarge"))
    mutate(manifests)
    assert findings(manifests.documents)


# Mistakes that depend on the size of an overlay's nodes, or on its pool.
OF_SIZE: list[Mistake] = [
    service.renamed_resource, service.limits_alone, service.fewer_cores_declared,
    service.no_toleration, service.a_size_the_pool_lacks, service.a_sidecar,
    service.a_group_that_cannot_grow,
]  # fmt: skip


@pytest.mark.parametrize("mutate", OF_SIZE, ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("name", ["inf2-48xlarge-70b", "trn1-32xlarge"])
def test_a_mistake_is_found_in_other_overlays(name: str, mutate: Mistake) -> None:
    manifests = Manifests(overlay(name))
    mutate(manifests)
    assert findings(manifests.documents)


@pytest.mark.parametrize(
    ("name", "resource", "amount", "found"),
    [
        ("inf2-48xlarge-70b", "memory", "720Gi", "GiB of"),
        ("inf2-48xlarge-70b", NEURON, "6", "6 of a node's 12 devices"),
        ("trn1-32xlarge", "cpu", "127", "127 CPUs"),
        ("trn1-32xlarge", "memory", "480Gi", "GiB of"),
        ("trn1-32xlarge", NEURON, "12", "12 of a node's 16 devices"),
    ],
)
def test_what_a_node_lacks_is_found(name: str, resource: str, amount: str, found: str) -> None:
    manifests = Manifests(overlay(name))
    manifests.give(resource, amount)
    assert any(found in finding for finding in findings(manifests.documents))


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("inf2-48xlarge-70b", "tensor_parallel_size: 24", "tensor_parallel_size: 8",
         "141.1 GB of weights, and 8 NeuronCores have"),
        ("inf2-48xlarge-70b", "max: 2", "max: 3", "up to 3 replicas, and nodes for 2"),
        ("trn1-32xlarge", "instance: trn1.32xlarge", "instance: inf2.48xlarge",
         "24 NeuronCores, the pod gets 32"),
        ("trn1-32xlarge", "tensor_parallel_size: 8", "tensor_parallel_size: 4", "is no degree"),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_its_nodes_is_found(
    name: str, old: str, new: str, found: str
) -> None:
    manifests = Manifests(overlay(name))
    manifests.serve(old, new)
    assert re.search(found, "\n".join(findings(manifests.documents)))


def test_there_are_mistakes_enough() -> None:
    assert len(MISTAKES) >= 40
