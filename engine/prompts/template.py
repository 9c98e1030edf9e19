"""`ChatTemplate`: a model's chat template, rendered as transformers does."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

from engine.errors import ModelNotAvailable

Message = Mapping[str, Any]

# A tag of transformers that Jinja does not know; it changes nothing in the text.
_GENERATION: Final = re.compile(r"{%[-+]?\s*(?:end)?generation\s*[-+]?%}")
_TOOL_USE: Final = "tool_use"  # the name of a second template, for requests with tools


class ChatTemplate:
    """A Jinja template, or several by name, and the special tokens that it reads by name."""

    def __init__(
        self, source: str | Mapping[str, str], tokens: Mapping[str, Any] | None = None
    ) -> None:
        self._sources = {"default": source} if isinstance(source, str) else dict(source)
        self._tokens = tokens or {}

    @classmethod
    def load(cls, path: Path) -> "ChatTemplate":
        """Read a model's folder, its tokenizer_config.json, or a file with a template alone.

        Raises ModelNotAvailable where there is no template.
        """
        folder = path if path.is_dir() else path.parent
        config = _read_config(path if path.suffix == ".json" else folder / "tokenizer_config.json")
        file = folder / "chat_template.jinja" if path.is_dir() else path
        if file.suffix == ".jinja" and file.is_file():
            source: Any = file.read_text("utf-8")
        else:
            source = config.get("chat_template")
        if isinstance(source, list):
            source = {each["name"]: each["template"] for each in source}
        if not source:
            raise ModelNotAvailable(f"{path} has no chat template. Give a folder or file with one.")
        return cls(source, {name: _token(value) for name, value in config.items() if _NAME(name)})

    @property
    def text(self) -> str:
        """The source of all its templates."""
        return "\n".join(self._sources.values())

    def variables(self, *, tools: bool) -> frozenset[str]:
        """Return the variables that the template reads and does not set itself."""
        return _variables(self._source(tools=tools))

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = True,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the conversation as text.

        Raises anything: a template is a program that comes with the model.
        """
        given = {**self._tokens, **(arguments or {})}
        template = _compile(self._source(tools=bool(tools)))
        return str(
            template.render(
                messages=list(messages),
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **given,
            )
        )

    def _source(self, *, tools: bool) -> str:
        if tools and _TOOL_USE in self._sources:
            return self._sources[_TOOL_USE]
        return self._sources.get("default") or next(iter(self._sources.values()))


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


_NAME: Final = re.compile(r"(?:bos|eos|unk|pad|sep|cls|mask)_token").fullmatch


def _token(value: Any) -> Any:
    return value.get("content") if isinstance(value, dict) else value


@lru_cache
def _variables(source: str) -> frozenset[str]:
    from jinja2 import TemplateError, meta

    try:
        tree = _environment().parse(_GENERATION.sub("", source))
    except TemplateError:
        return frozenset()  # an error of its rendering too
    return frozenset(meta.find_undeclared_variables(tree))


@lru_cache
def _compile(source: str) -> Any:
    return _environment().from_string(_GENERATION.sub("", source))


@lru_cache
def _environment() -> Any:
    """Return what a template can use, as in transformers."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # noqa: DTZ005
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON without Jinja's escapes for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def plain_template(variables: Sequence[str] = ()) -> ChatTemplate:
    """Return a template of our own: a line for each argument, and one with its role a message."""
    lines = (f"{{% if {n} is defined %}}<{n}={{{{ {n} }}}}>\n{{% endif %}}" for n in variables)
    return ChatTemplate(
        "".join(lines) + "{% for message in messages %}"
        "<{{ message.role }}> {{ message.content }}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
