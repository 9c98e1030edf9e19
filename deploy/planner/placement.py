"""`Placement`: one way to use an instance, whether it fits, its speed and its price."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from deploy.planner.fleet import Fleet
from deploy.planner.latency import latencies, published, remarks
from deploy.planner.workload import Load
from engine import Neuron, Simulated
from engine.models import ModelShape
from engine.neuron import (
    ADVISED_FREE,
    INSTANCES,
    LEAST_FREE,
    Instance,
    Memory,
    architecture_problem,
    compile_problem,
    least_slots,
    padding,
)

SLOTS: Final = (1, 2, 4, 8, 16, 24, 32, 48)  # 48 is the most that was published


@dataclass(frozen=True, kw_only=True)
class Placement:
    """As many engines of a tensor parallel degree as an instance has cores for.

    Each has `slots` of `length` tokens. `price` is in USD per hour of the instance.
    """

    shape: ModelShape
    instance: Instance
    degree: int
    slots: int
    length: int
    price: float

    @property
    def replicas(self) -> int:
        """The engines that the instance has cores for."""
        return self.instance.cores // self.degree

    @property
    def memory(self) -> Memory:
        """The memory of one engine on its cores."""
        return Memory.of(self.shape, cores=self.degree, slots=self.slots, length=self.length)

    @property
    def most_slots(self) -> int:
        """The slots that fit with as much memory kept free as AWS advises."""
        return self.memory.most_tokens(ADVISED_FREE) // self.length

    @cached_property
    def device(self) -> Simulated:
        """A simulated device with the latencies of one engine."""
        return latencies(self.shape, self._neuron, slots=self.slots, max_model_len=self.length)

    @property
    def published(self) -> bool:
        """Whether any latencies were published for such a model at this degree, on inf2."""
        return self.instance.family == "inf2" and published(self.shape, self._neuron)

    @property
    def remarks(self) -> list[str]:
        """Sentences on the source of its latencies, on padded heads, and on its host's memory."""
        found = remarks(self.shape, self._neuron, self.slots, self.length)
        more = padding(self.shape, self.degree), compile_problem(self.shape, self.instance)
        return [*found, *filter(None, more)]

    @property
    def compiles(self) -> bool:
        """Whether the instance's host memory suffices to compile the model for it."""
        return compile_problem(self.shape, self.instance) is None

    @property
    def _neuron(self) -> Neuron:
        return Neuron.model_validate(
            {"kind": "neuron", "instance": self.instance.name, "tensor_parallel_size": self.degree}
        )

    def problem(self) -> str | None:
        """Return why this is not possible, None where it is."""
        return self._model_problem() or self._memory_problem() or self._batch_problem()

    def _model_problem(self) -> str | None:
        shape, degree = self.shape, self.degree
        if problem := architecture_problem(shape.architecture):
            return problem
        if degree > self.instance.cores:
            return f"degree {degree} is more than its {self.instance.cores} NeuronCores"
        if degree not in self.instance.degrees:
            return f"{degree} is no degree of {self.instance.family}"
        if self.length > shape.max_position_embeddings:
            return f"the model was made for {shape.max_position_embeddings} tokens"
        return None

    def _memory_problem(self) -> str | None:
        degree, memory = self.degree, self.memory
        if memory.most_tokens(LEAST_FREE) < self.length:
            return (
                f"{memory.weights / 1e9:.1f} GB of weights leave no room for one slot in the "
                f"{memory.device / 1e9:.1f} GB of {degree} NeuronCore{'s' * (degree > 1)}"
            )
        if not memory.fits:
            most = memory.most_tokens(LEAST_FREE) // self.length
            return f"{self.slots} slots do not fit, {most} do"
        return None

    def _batch_problem(self) -> str | None:
        if self.slots >= (least := least_slots(self.shape)):
            return None
        most = self.memory.most_tokens(LEAST_FREE) // self.length
        return f"{self.shape.architecture} needs {least} slots at least, and {most} fit"

    def fleet(self, instances: int) -> Fleet:
        """Return a fleet of these instances."""
        return Fleet(
            device=self.device,
            replicas=instances * self.replicas,
            slots=self.slots,
            max_model_len=self.length,
        )

    def prefill(self, prompt: float) -> float:
        """Return the seconds of a prompt's prefill; its length may be a mean."""
        return self.device.prefill_seconds(round(prompt), self.device.buckets(self.length))

    @property
    def step(self) -> float:
        """The seconds of a decode step."""
        return self.device.decode_seconds(self.slots)

    def capacity(self, load: Load) -> float:
        """Return the requests per second of one instance whose slots are all busy.

        A request takes its own prefill, and its share of the decode steps of all slots.
        """
        steps = (load.output_tokens.mean - 1) * self.step / self.slots
        return self.replicas / (self.prefill(load.prompt_tokens.mean) + steps)


def placements(
    shape: ModelShape,
    *,
    length: int,
    instances: Iterable[str] = INSTANCES,
    degrees: Iterable[int] | None = None,
    slots: int | None = None,
    price: float | None = None,
) -> Iterator[Placement]:
    """Yield every way to use these instances; without `slots`, with the largest usual count."""
    for name in instances:
        instance = INSTANCES[name]
        for degree in degrees or instance.degrees:
            one = Placement(
                shape=shape,
                instance=instance,
                degree=degree,
                slots=slots or 1,
                length=length,
                price=instance.price if price is None else price,
            )
            yield one if slots else with_slots(one, usual_slots(one.most_slots))


def trusted(options: Iterable[Placement]) -> list[Placement]:
    """Return the options that fit; of them those with published latencies, if there are any.

    Of these, those whose instance compiles the model itself, if there are any.
    """
    fitting = [option for option in options if option.problem() is None]
    known = [option for option in fitting if option.published] or fitting
    return [option for option in known if option.compiles] or known


def usual_slots(most: int) -> int:
    """Return the largest usual count of slots up to `most`; 1 where there is none."""
    return max((count for count in SLOTS if count <= most), default=1)


def with_slots(placement: Placement, slots: int) -> Placement:
    """Return the same placement with other slots."""
    return replace(placement, slots=slots)
