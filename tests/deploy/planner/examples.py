"""What several tests of the planner use."""

from deploy.planner import Lengths, Placement, Workload, find_shape, placements

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
USUAL = Workload(
    requests_per_second=1, prompt_tokens=Lengths(mean=1500), output_tokens=Lengths(mean=250)
)


def option(instance: str, degree: int, slots: int, length: int = 4096) -> Placement:
    (found,) = placements(
        find_shape(LLAMA), length=length, instances=[instance], degrees=[degree], slots=slots
    )
    return found
