"""`response_format`: its schema, and what it asks of the engine."""

import hashlib
import json
from typing import Annotated, Any, Final, Literal

import jsonschema
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import Structured
from gateway.api.body.bounded import JsonObject, Text, json_values
from gateway.api.schema import RequestModel, required_iff, unsupported

MAX_NODES: Final = 5000  # objects, lists and values; OpenAI takes 5,000 properties in all
MAX_CHECKED: Final = 4096
MAX_CHARACTERS: Final = 120_000  # as OpenAI has it
_checked: Final[set[bytes]] = set()  # the digests of schemas that are valid
# OpenAI has 64 characters without dots; tools of MCP servers have 128, dots
# and slashes (SEP-986).
FunctionName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_./-]+$")]


def _valid_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema; raise PydanticCustomError with the position of what is no JSON schema."""
    try:
        _require_small(schema)
        _check(schema)
    except jsonschema.SchemaError as error:
        where = error.json_path.removeprefix("$").lstrip(".") or "its top"
        raise PydanticCustomError(
            "invalid_schema", "is not a valid JSON schema at {where}", {"where": where[:200]}
        ) from None
    except RecursionError:
        raise PydanticCustomError("invalid_schema", "is nested too deeply") from None
    return schema


def _check(schema: dict[str, Any]) -> None:
    """Check a schema once: an agent sends the same tools with each request."""
    digest = hashlib.sha256(json.dumps(schema).encode()).digest()
    if digest not in _checked:
        jsonschema.Draft202012Validator.check_schema(schema)
        if len(_checked) >= MAX_CHECKED:
            _checked.clear()
        _checked.add(digest)


def _require_small(schema: Any) -> None:
    """Refuse a schema that would take the checker, and then the engine's grammar, too long."""
    characters = 0
    for seen, node in enumerate(json_values(schema), 1):
        if isinstance(node, str):
            characters += len(node)
        elif isinstance(node, dict):
            characters += sum(map(len, node))
        if seen > MAX_NODES or characters > MAX_CHARACTERS:
            raise PydanticCustomError(
                "schema_too_large",
                "has more than {nodes} parts, or {characters} characters in its names and values",
                {"nodes": MAX_NODES, "characters": MAX_CHARACTERS},
            )


JsonSchema = Annotated[JsonObject, AfterValidator(_valid_schema)]
_IN_RESPONSE_FORMAT: Final = "send a JSON schema in response_format"


def _parsed(schema: Any) -> Any:
    """Return a schema; one in a string, as vLLM takes it, is parsed."""
    try:
        return json.loads(schema) if isinstance(schema, str) else schema
    except (ValueError, RecursionError):
        raise PydanticCustomError("invalid_schema", "is not a JSON schema") from None


# A JSON schema as vLLM's own parameters have it.
VllmSchema = Annotated[JsonSchema, BeforeValidator(_parsed)]


class StructuredOutputs(RequestModel):
    """vLLM's name of a `response_format`: JSON alone is served."""

    json_: VllmSchema | None = Field(default=None, alias="json")
    json_object: bool | None = None
    choice: Annotated[Any, unsupported(_IN_RESPONSE_FORMAT)] = None
    grammar: Annotated[Any, unsupported(_IN_RESPONSE_FORMAT)] = None
    regex: Annotated[Any, unsupported(_IN_RESPONSE_FORMAT)] = None
    structural_tag: Annotated[Any, unsupported(_IN_RESPONSE_FORMAT)] = None

    def structured(self) -> Structured | None:
        """Return what the engine has to hold the output to; None where nothing is asked."""
        if self.json_ is None and not self.json_object:
            return None
        return Structured(json_schema=self.json_, param="structured_outputs")


class JsonSchemaFormat(RequestModel):
    """A named JSON schema; the output is held to it whether or not `strict` is said."""

    name: FunctionName
    description: Text | None = None
    schema_: JsonSchema | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(RequestModel):
    """The form of the answer: text, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = Field(default=None, validate_default=True)

    @field_validator("json_schema")
    @classmethod
    def _schema_required(cls, value: Any, info: ValidationInfo) -> Any:
        return required_iff(info.data.get("type") == "json_schema", value, name="json_schema")

    def structured(self) -> Structured | None:
        """Return what the engine has to hold the output to; None for text."""
        if self.type == "text":
            return None
        return Structured(json_schema=self.json_schema.schema_ if self.json_schema else None)
