"""The keys of a config model as a table of a README, from the descriptions of its fields."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined


def markdown(model: type[BaseModel]) -> str:
    """Return a row for each key but `kind`, in the order of the class."""
    fields = model.model_fields
    rows = [
        f"| `{name}` | {_default(field)} | {field.description} |"
        for name, field in fields.items()
        if name != "kind"
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True) if not hasattr(value, "kind") else value.kind
    if value is False:
        return "`false`"
    return f"`{value}`" if value or value == 0 else "none"
