"""The planner: which instances a load needs, by arithmetic and by simulation faster than real time.

`command` is `neuron-gateway plan`, which the command line finds by its entry point. Nothing here
runs an engine or knows Ray; of the engine it uses the public packages.
"""

from deploy.planner.fleet import Outcome
from deploy.planner.placement import Placement, placements, trusted
from deploy.planner.search import Choice, PlanError, Slo, cheapest, problems, simulate
from deploy.planner.shape import find_shape, shape_by_hand
from deploy.planner.workload import Lengths, Load, Workload, WorkloadError, read_workload
from engine.models import ModelShape as Shape
from engine.neuron import INSTANCES, PRICE_DATE

__all__ = [
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
