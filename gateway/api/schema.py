"""What the endpoints' schemas share: strict models, unsupported fields, the head of an answer."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetPydanticSchema, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema
from typing_extensions import TypedDict

MAX_KEYS: Final = 1024  # of one object


def _note_unknown(value: Any, info: ValidationInfo) -> Any:
    if info.context is not None:
        info.context["unknown"] = True
    return value


class RequestModel(BaseModel):
    """A JSON object from a client; unknown names are taken, see `body.unknown_fields`.

    Of an endpoint's model, `max_values` and `max_bytes` bound the whole body.
    """

    max_values: ClassVar[int] = 50_000
    max_bytes: ClassVar[int] = 4 * 2**20

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        json_schema_extra={
            "maxProperties": MAX_KEYS,
            "additionalProperties": {"description": "Any JSON of at most 50000 values, ignored."},
        },
    )
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_note_unknown)]] = Field(init=False)


def checked(check: Callable[[Any], Any], json_schema: dict[str, Any]) -> GetPydanticSchema:
    """Return a check of a field's value, with how the API reference shows the field."""
    return GetPydanticSchema(
        lambda source, handler: core_schema.no_info_after_validator_function(
            check, handler(source)
        ),
        lambda _schema, _handler: dict(json_schema),
    )


def unsupported(instead: str = "leave it out") -> GetPydanticSchema:
    """Return the check that refuses a field by name, with what to do instead."""

    def check(value: Any) -> Any:
        if value not in (None, False, [], {}):
            raise PydanticCustomError(
                "unsupported_parameter",
                "this gateway does not support it; {instead}",
                {"instead": instead},
            )
        return value

    return checked(check, {"type": "null", "description": f"Not supported: {instead}."})


Unsupported = Annotated[Any, unsupported()]


def only_supported(*supported: str | bool) -> GetPydanticSchema:
    """Return the check that refuses the values that OpenAI knows and this gateway does not."""

    def check(value: Any) -> Any:
        if value not in supported:
            raise PydanticCustomError(
                "unsupported_value",
                "this gateway serves only {supported}",
                {"supported": ", ".join(map(str, supported))},
            )
        return value

    one = len(supported) == 1
    schema = {"const": supported[0]} if one else {"type": "string", "enum": list(supported)}
    return checked(check, schema)


def required_iff(required: bool, value: Any, *, name: str) -> Any:
    """Return the value; refuse one that is missing where required, or there where it is not."""
    if required and value is None:
        raise PydanticCustomError("missing", "is required")
    if value is not None and not required:
        raise PydanticCustomError("misplaced", "belongs to type {name} alone", {"name": name})
    return value


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class StreamOptions(RequestModel):
    """Options that only a stream has; obfuscation is accepted and nothing is added."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None  # vLLM's: every chunk has the usage so far
    include_obfuscation: bool | None = None


class HeadBody(TypedDict):
    """What every chunk and every whole answer of an endpoint with choices begins with."""

    id: str
    object: str
    created: int
    model: str
    service_tier: NotRequired[str]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What every chunk of one answer repeats; `created` is in Unix seconds."""

    id: str
    created: int
    model: str
    service_tier: bool = False

    @classmethod
    def new(cls, prefix: str, model: str, *, service_tier: bool = False) -> "ResponseHead":
        """Build a head with a new id; the tier is named to those who asked for one."""
        return cls(f"{prefix}{uuid.uuid4().hex}", int(time.time()), model, service_tier)

    def fields(self, object_: str) -> HeadBody:
        """Return the fields in OpenAI's order; `default` is the only tier."""
        head: HeadBody = {
            "id": self.id, "object": object_, "created": self.created, "model": self.model
        }  # fmt: skip
        if self.service_tier:
            head["service_tier"] = "default"
        return head
