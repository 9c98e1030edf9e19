"""What reached the stand-in for the device, and what was expected."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = list[float]


def read_journal(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a journal's events and calls."""
    records = [json.loads(line) for line in path.read_text().splitlines() if line]
    return [r for r in records if "event" in r], [r for r in records if "call" in r]


def rows_by_prompt(calls: Sequence[dict[str, Any]]) -> dict[int, list[Row]]:
    """Return each request's rows, prefill first, by the length of its prompt.

    A request is a prefill and the decode steps of its slot up to that slot's next prefill.
    """
    rows: dict[int, list[Row]] = {}
    owner: dict[int, list[Row]] = {}
    for call in calls:
        for index, slot in enumerate(call["seq_ids"]):
            if call["kind"] == "prefill":
                owner[slot] = rows.setdefault(call["positions"][index] + 1, [])
            owner.get(slot, []).append(call["rows"][index])
    return rows


def wanted_row(temperature: float, top_k: int = 0, top_p: float = 1.0) -> Row:
    """Return the row that a request must get: [top_k, top_p, temperature]."""
    if temperature == 0:
        return [1.0, 1.0, 1.0]
    return [float(top_k if 0 < top_k < 256 else 256), top_p, temperature]


def same(row: Row, wanted: Row) -> bool:
    """Return whether rows are equal as float32, the device's type."""
    return all(abs(a - b) < 1e-4 for a, b in zip(row, wanted, strict=True))


def answer(prompt: Sequence[int], count: int, *, greedy: bool) -> str:
    """Return the stand-in's text: letters in order, capitals where the row was greedy."""
    first = ord("A" if greedy else "a")
    return "".join(chr(first + (sum(prompt) + index) % 26) for index in range(count))
