"""`Workload` and `Trace`: when requests arrive, and the lengths of prompts and completions."""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SEED: Final = 7  # the same requests for every fleet
COLUMNS: Final = ("seconds", "prompt_tokens", "output_tokens")


class WorkloadError(ValueError):
    """A workload that cannot be read; the message names the field and the fix."""


class Request(NamedTuple):
    """One request: its arrival in seconds from the beginning, and its lengths in tokens."""

    at: float
    prompt: int
    output: int


class Lengths(BaseModel):
    """Normally distributed numbers of tokens, by mean and standard deviation; at least 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(ge=1)
    sd: float = Field(default=0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _number_as_mean(cls, given: Any) -> Any:
        return {"mean": given} if isinstance(given, int | float) else given

    def draw(self, chance: Random) -> int:
        """Return a random length in tokens."""
        return max(1, round(chance.gauss(self.mean, self.sd))) if self.sd else round(self.mean)

    @property
    def most(self) -> int:
        """The longest length: three deviations above the mean, by definition."""
        return round(self.mean + 3 * self.sd)


class Workload(BaseModel):
    """Requests at random times, a Poisson process, with random lengths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_second: float = Field(gt=0)
    prompt_tokens: Lengths
    output_tokens: Lengths

    @property
    def longest(self) -> int:
        """The tokens of the longest request, prompt and completion together."""
        return self.prompt_tokens.most + self.output_tokens.most

    def requests(self, count: int, factor: float = 1.0) -> Iterator[Request]:
        """Yield `count` requests, at `factor` times the rate."""
        chance = Random(SEED)  # noqa: S311 - no secret
        rate, at = self.requests_per_second * factor, 0.0
        for _ in range(count):
            at += chance.expovariate(rate)
            yield Request(at, self.prompt_tokens.draw(chance), self.output_tokens.draw(chance))


class Trace:
    """Recorded requests; after the last one they are repeated."""

    def __init__(self, recorded: list[Request]) -> None:
        self._recorded = sorted(recorded)
        self._seconds = max(self._recorded[-1].at - self._recorded[0].at, 1e-3)
        # After the last there is a gap as long as the mean of the others.
        self._period = self._seconds * (1 + 1 / len(recorded))

    @property
    def requests_per_second(self) -> float:
        """Recorded requests per second."""
        return len(self._recorded) / self._period

    @property
    def longest(self) -> int:
        """The tokens of the longest request, prompt and completion together."""
        return max(request.prompt + request.output for request in self._recorded)

    @property
    def prompt_tokens(self) -> Lengths:
        """The mean of their lengths."""
        return Lengths(mean=sum(r.prompt for r in self._recorded) / len(self._recorded))

    @property
    def output_tokens(self) -> Lengths:
        """The mean of their lengths."""
        return Lengths(mean=sum(r.output for r in self._recorded) / len(self._recorded))

    def requests(self, count: int, factor: float = 1.0) -> Iterator[Request]:
        """Yield `count` requests, at `factor` times the recorded rate."""
        start = self._recorded[0].at
        for number in range(count):
            repetition, index = divmod(number, len(self._recorded))
            one = self._recorded[index]
            at = (one.at - start + repetition * self._period) / factor
            yield Request(at, one.prompt, one.output)


Load = Workload | Trace


def read_workload(file: Path) -> Load:
    """Return the workload of a YAML file, or the trace of a CSV file; raise WorkloadError."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise WorkloadError(f"{file}: cannot be read ({why}). Give a readable file.") from None
    return _trace(text, file) if file.suffix == ".csv" else _workload(text, file)


def _workload(text: str, file: Path) -> Workload:
    try:
        return Workload.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise WorkloadError(f"{file}: {key}: {first['msg']}.") from None
    except yaml.YAMLError:
        raise WorkloadError(f"{file}: is not valid YAML. Correct its syntax.") from None


def _trace(text: str, file: Path) -> Trace:
    rows = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise WorkloadError(
            f"{file}: has no column {missing[0]}. Its first line must be {','.join(COLUMNS)}."
        )
    found = []
    for number, row in enumerate(rows, 2):
        try:
            one = Request(float(row["seconds"]), int(row["prompt_tokens"]),
                          int(row["output_tokens"]))  # fmt: skip
        except (TypeError, ValueError):
            raise WorkloadError(f"{file}: line {number} is not three numbers.") from None
        if one.prompt < 1 or one.output < 1 or not 0 <= one.at < float("inf"):
            raise WorkloadError(f"{file}: line {number}: lengths must be 1 or more, times 0.")
        found.append(one)
    if not found:
        raise WorkloadError(f"{file}: has no requests. Write one in each line.")
    return Trace(found)
