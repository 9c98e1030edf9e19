"""Published latencies beside those of the lines that are fitted to them."""

from dataclasses import dataclass

from engine.simulated.profiles import PROFILES, Point


@dataclass(frozen=True, slots=True)
class Row:
    """A published figure and the line's, in milliseconds."""

    profile: str
    what: str
    point: Point
    simulated: float

    @property
    def error(self) -> float:
        """The line's deviation, as a share of what was published."""
        return self.simulated / self.point.milliseconds - 1


def table() -> list[Row]:
    """Return every published figure with the line's."""
    return [
        Row(name, what, point, point.prompts * line.at(point.size))
        for name, profile in PROFILES.items()
        if not profile.interpolated
        for what, line, points in (
            ("decode step", profile.decode, profile.decode_points),
            ("prefill", profile.prefill, profile.prefill_points),
        )
        for point in points
    ]
