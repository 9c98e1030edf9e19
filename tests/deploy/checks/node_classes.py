"""EC2NodeClasses: the disk, the image of the node, and what its kubelet is told."""

from collections.abc import Iterator, Sequence
from email import message_from_string
from typing import Final

import yaml

from tests.deploy.checks.manifests import Document, amount, name_of, of_kind

# Of AL2023. Under another name there would be a second disk beside a first one of 20 GiB.
_ROOT_DEVICE: Final = "/dev/xvda"
_GiB: Final = 2**30
# The image of 10 GB and its layers, 16 GB of weights and as much of artifacts, and room to grow.
_LEAST_DISK: Final = {"neuron": 300 * _GiB, "cpu": 80 * _GiB}
_FIELDS: Final = {"cluster", "containerd", "featureGates", "instance", "kubelet"}
# MiB/s that nodeadm's documentation asks for with FastImagePull, and what gp3 gives for each IOPS.
_PULL: Final = 600
_PER_IOPS: Final = 0.25
_GATES: Final = {"FastImagePull", "InstanceIdNodeName"}


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what makes nodes that do not join, fill up, or lend their role to pods."""
    for each in of_kind(documents, "EC2NodeClass"):
        spec = each["spec"]
        found = (*_disk(each["metadata"]["name"], spec), *_metadata(spec), *_user_data(spec))
        yield from (f"{name_of(each)}: {text}" for text in found)


def _disk(name: str, spec: Document) -> Iterator[str]:
    disks = {each["deviceName"]: each["ebs"] for each in spec.get("blockDeviceMappings", [])}
    if set(disks) != {_ROOT_DEVICE}:
        yield f"its disks are {', '.join(disks) or 'by default'}, and the root is {_ROOT_DEVICE}"
        return
    disk = disks[_ROOT_DEVICE]
    if amount(disk.get("volumeSize", 0)) < _LEAST_DISK["cpu" if name == "cpu" else "neuron"]:
        yield f"its disk of {disk.get('volumeSize')} is too small for the image and the weights"
    if not disk.get("encrypted") or not disk.get("deleteOnTermination"):
        yield "its disk is not encrypted, or stays when the node goes"
    throughput = disk.get("throughput", 125)
    if "FastImagePull" in spec.get("userData", "") and throughput < _PULL:
        yield f"its disk of {throughput} MiB/s slows the parallel pull of images"
    if throughput > disk.get("iops", 3000) * _PER_IOPS:
        yield f"AWS refuses {throughput} MiB/s with {disk.get('iops', 3000)} IOPS"


def _metadata(spec: Document) -> Iterator[str]:
    options = spec.get("metadataOptions", {})
    if options.get("httpTokens") != "required" or options.get("httpPutResponseHopLimit") != 1:
        yield "a pod can take the node's role from the metadata service"


def _user_data(spec: Document) -> Iterator[str]:
    """Yield what nodeadm would refuse, so that the node does not join, or ignore."""
    text = spec.get("userData")
    if text is None:
        return
    parts = message_from_string(text).get_payload()
    configs = (
        [] if isinstance(parts, str) else [yaml.safe_load(str(p.get_payload())) for p in parts]
    )
    for config in configs:
        if (config.get("apiVersion"), config.get("kind")) != (
            "node.eks.aws/v1alpha1",
            "NodeConfig",
        ):
            yield "its user data has a part that is no NodeConfig of node.eks.aws/v1alpha1"
            continue
        if unknown := config.get("spec", {}).keys() - _FIELDS:
            yield f"NodeConfig has no field {', '.join(sorted(unknown))}"
        if wrong := config.get("spec", {}).get("featureGates", {}).keys() - _GATES:
            yield f"NodeConfig has no feature gate {', '.join(sorted(wrong))}"
    if not configs:
        yield "its user data has no parts"
