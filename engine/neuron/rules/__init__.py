"""Rules for a Neuron device: what `check` refuses or warns of.

They look at the config and at the model's config.json alone. Others import from here.
"""

from engine.neuron.rules.config import check_neuron
from engine.neuron.rules.model import architecture_problem, hf_overrides, least_slots
from engine.neuron.rules.risks import padding, risks
from engine.neuron.rules.tuning import fp8_environment

__all__ = [
    "architecture_problem", "check_neuron", "fp8_environment", "hf_overrides", "least_slots",
    "padding", "risks",
]  # fmt: skip
