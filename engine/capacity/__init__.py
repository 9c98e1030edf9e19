"""The planner: which instances a load needs, by arithmetic and by simulation faster than real time.

`gateway.commands.plan` imports from here. Nothing here runs an engine or knows Ray.
"""

from engine.capacity.fleet import Outcome
from engine.capacity.placement import Placement, placements, trusted
from engine.capacity.search import Choice, PlanError, Slo, cheapest, problems, simulate
from engine.capacity.shape import find_shape, shape_by_hand
from engine.capacity.workload import Lengths, Load, Workload, WorkloadError, read_workload
from engine.models.shape import ModelShape as Shape
from engine.neuron.catalogue import DEGREES, INSTANCES, PRICE_DATE

__all__ = [
    "DEGREES",
    "INSTANCES",
    "PRICE_DATE",
    "Choice",
    "Lengths",
    "Load",
    "Outcome",
    "Placement",
    "PlanError",
    "Shape",
    "Slo",
    "Workload",
    "WorkloadError",
    "cheapest",
    "find_shape",
    "placements",
    "problems",
    "read_workload",
    "shape_by_hand",
    "simulate",
    "trusted",
]
