"""Facts of Inferentia2: instance types, and versions that were released together."""

from dataclasses import dataclass
from typing import Final

GIB: Final = 2**30
CORE_GIB: Final = 16  # of device memory per NeuronCore
DEGREES: Final = (1, 2, 4, 8, 24)  # tensor parallel degrees that AWS lists for inf2
PRICE_DATE: Final = "2026-07-20"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance type: memory in GiB, bandwidth in GiB/s, price in USD per hour on demand.

    Sizes are from AWS's product page, prices those of us-east-1 on PRICE_DATE.
    """

    name: str
    cores: int
    vcpus: int
    host_gib: int
    bandwidth: int
    price: float


INSTANCES: Final = {
    instance.name: instance
    for instance in (
        Instance("inf2.xlarge", 2, 4, 16, 820, 0.7582),
        Instance("inf2.8xlarge", 2, 32, 128, 820, 1.96786),
        Instance("inf2.24xlarge", 12, 96, 384, 4920, 6.49063),
        Instance("inf2.48xlarge", 24, 192, 768, 9840, 12.98127),
    )
}


# The decoders of neuronx-distributed-inference 0.8 and 0.9; dense Mistral is not among them.
ARCHITECTURES: Final = frozenset({
    "DbrxForCausalLM", "GptOssForCausalLM", "Llama4ForConditionalGeneration", "LlamaForCausalLM",
    "MixtralForCausalLM", "MllamaForConditionalGeneration", "PixtralForConditionalGeneration",
    "Qwen2ForCausalLM", "Qwen2VLForConditionalGeneration", "Qwen3ForCausalLM",
    "Qwen3MoeForCausalLM", "Qwen3VLForConditionalGeneration",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class PluginRelease:
    """Versions that were released together; `packages` maps a distribution to its version."""

    plugin: str
    vllm: str
    sdk: str
    packages: dict[str, str]
    driver: str  # the lowest version of aws-neuronx-dkms


PLUGIN_RELEASES: Final = {
    release.plugin: release
    for release in (
        PluginRelease(
            "0.4.1", "0.13.0", "2.28.0",
            {
                "neuronx-cc": "2.23.6484.0",
                "torch-neuronx": "2.9.0.2.12.22436",
                "neuronx-distributed": "0.17.26814",
                "neuronx-distributed-inference": "0.8.16251",
            },
            "2.26",
        ),
        PluginRelease(
            "0.5.0", "0.16.0", "2.29.0",
            {
                "neuronx-cc": "2.24.5133.0",
                "torch-neuronx": "2.9.0.2.13.24727",
                "neuronx-distributed": "0.18.27753",
                "neuronx-distributed-inference": "0.9.17334",
            },
            "2.27",
        ),
    )
}  # fmt: skip
