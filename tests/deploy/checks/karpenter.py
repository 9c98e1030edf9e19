"""NodePools and EC2NodeClasses: instances, disks, the node's image, and how nodes come and go."""

from collections.abc import Iterator, Sequence
from email import message_from_string
from typing import Final

import yaml

from engine.neuron import INSTANCES
from tests.deploy.checks.manifests import NEURON, Document, amount, name_of, of_kind, pins

# Of AL2023. Under another name there would be a second disk beside a first one of 20 GiB.
_ROOT_DEVICE: Final = "/dev/xvda"
_GiB: Final = 2**30
# The image of 10 GB and its layers, 16 GB of weights and as much of artifacts, and room to grow.
_MOST_DISK: Final = {
    "neuron": 1000 * _GiB,
    "cpu": 200 * _GiB,
}  # 1 TiB that nobody fills: $80 a month
_LEAST_DISK: Final = {"neuron": 300 * _GiB, "cpu": 80 * _GiB}
_INSTANCE: Final = "karpenter.k8s.aws/instance-"
_POOLS: Final = {  # with the values that each may offer
    "cpu": {"category": {"c", "m", "r"}, "cpu": {"4", "8", "16", "32"}},
    "compile": {"category": {"c", "m", "r"}, "cpu": {"16", "32", "64", "96"}},
    "inf2": {"family": {"inf2"}},
    "trn1": {"family": {"trn1", "trn1n"}},
}
_TAINTS: Final = {"inf2": NEURON, "trn1": NEURON, "compile": "neuron-gateway/compile"}
_OFFERS: Final = {
    "kubernetes.io/arch": {"amd64"},
    "karpenter.sh/capacity-type": {"reserved", "on-demand", "spot"},
}
_LONGEST_EMPTY: Final = 900  # seconds that an empty node is paid for
_FIELDS: Final = {"cluster", "containerd", "featureGates", "instance", "kubelet"}
# MiB/s that nodeadm's documentation asks for with FastImagePull, and what gp3 gives for each IOPS.
_PULL: Final = 600
_PER_IOPS: Final = 0.25
_GATES: Final = {"FastImagePull", "InstanceIdNodeName"}


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what makes nodes that do not come or join, fill up, or lend their role to pods."""
    classes = {each["metadata"]["name"] for each in of_kind(documents, "EC2NodeClass")}
    for each in of_kind(documents, "NodePool"):
        found = (*_moved(each["spec"]), *_offered(each), *_class_of(each["spec"], classes))
        yield from (f"{name_of(each)}: {text}" for text in found)
    for each in of_kind(documents, "EC2NodeClass"):
        spec = each["spec"]
        found = (*_disk(each["metadata"]["name"], spec), *_metadata(spec), *_user_data(spec))
        found += (*_cluster(spec), *_image(spec))
        yield from (f"{name_of(each)}: {text}" for text in found)


def _moved(spec: Document) -> Iterator[str]:
    """Yield what takes a node away from its pods unasked, or never lets one go."""
    template, disruption = spec["template"]["spec"], spec["disruption"]
    if template.get("expireAfter") != "Never":
        yield "nodes that expire end streams"
    if template.get("terminationGracePeriod") not in ("1h", "2h"):
        yield "a terminationGracePeriod of an hour or two ends a drain that pods hold up"
    budgets = disruption.get("budgets", [])
    if disruption["consolidationPolicy"] != "WhenEmpty" or {"nodes": "1"} not in budgets:
        yield "only empty nodes are to go, and one at a time"
    if {"nodes": "0", "reasons": ["Drifted"]} not in budgets:
        yield "a new AMI moves pods: a budget of 0 for Drifted is missing"
    if not 0 < amount(str(disruption["consolidateAfter"]).removesuffix("s")) <= _LONGEST_EMPTY:
        yield f"an empty node stays longer than {_LONGEST_EMPTY} s"


def _offered(pool: Document) -> Iterator[str]:
    name, template = pool["metadata"]["name"], pool["spec"]["template"]["spec"]
    if name not in _POOLS:
        yield f"no pod selects it; the pools are {', '.join(_POOLS)}"
        return
    wanted = {_INSTANCE + key: values for key, values in _POOLS[name].items()} | _OFFERS
    found = {each["key"]: set(each["values"]) for each in template["requirements"]}
    yield from (f"it does not limit {key}" for key in sorted(wanted.keys() - found.keys()))
    for key in wanted.keys() & found.keys():
        yield from (f"{key} {value} is none" for value in sorted(found[key] - wanted[key]))
    sizes = {
        each.partition(".")[2]
        for each in INSTANCES
        if each.split(".")[0] in _POOLS[name].get("family", ())
    }
    yield from (f"no size {size}" for size in sorted(found.get(f"{_INSTANCE}size", set()) - sizes))
    taints = (
        [{"key": _TAINTS[name], "value": "true", "effect": "NoSchedule"}] if name in _TAINTS else []
    )
    if template.get("taints", []) != taints:
        yield f"its taints are not {taints}"


def _class_of(spec: Document, classes: set[str]) -> Iterator[str]:
    found = dict(spec["template"]["spec"]["nodeClassRef"])
    if found.pop("name", None) not in classes:
        yield "there is no EC2NodeClass of the name in nodeClassRef"
    if found != {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass"}:
        yield "nodeClassRef is of another group or kind"


def _cluster(spec: Document) -> Iterator[str]:
    """Yield what is of another cluster than the node's own tag."""
    name = spec["tags"].get("neuron-gateway/cluster")
    selected = [
        term["tags"].get("karpenter.sh/discovery")
        for key in ("subnetSelectorTerms", "securityGroupSelectorTerms")
        for term in spec[key]
    ]
    if {*selected, spec["role"].removeprefix("karpenterNode-")} != {name}:
        yield f"its role, subnets or security groups are not those of the cluster {name}"


def _image(spec: Document) -> Iterator[str]:
    if spec["amiSelectorTerms"] != [{"alias": pins()["AMI_ALIAS"]}]:
        yield f"its AMI is not {pins()['AMI_ALIAS']}"


def _disk(name: str, spec: Document) -> Iterator[str]:
    disks = {each["deviceName"]: each["ebs"] for each in spec.get("blockDeviceMappings", [])}
    if set(disks) != {_ROOT_DEVICE}:
        yield f"its disks are {', '.join(disks) or 'by default'}, and the root is {_ROOT_DEVICE}"
        return
    disk = disks[_ROOT_DEVICE]
    pool = "cpu" if name == "cpu" else "neuron"
    if amount(disk.get("volumeSize", 0)) < _LEAST_DISK[pool]:
        yield f"its disk of {disk.get('volumeSize')} is too small for the image and the weights"
    if amount(disk.get("volumeSize", 0)) > _MOST_DISK[pool]:
        yield f"its disk of {disk.get('volumeSize')} is far larger than any model"
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
    message = message_from_string(text)
    if (message.epilogue or "").strip():
        yield "its user data goes on after the last part"
    parts = message.get_payload()
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
