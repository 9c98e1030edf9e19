"""`ControlTokens`: keeps what a client wrote from becoming a special token.

A tokenizer finds special tokens in a text wherever they come from. So each one that a client wrote
gets a mark inside before the template renders the text, and the text is cut at the marks before it
is tokenized: only what the template itself wrote is still whole.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any, Final

from engine.types import Chat

# Letters and digits pass a template unchanged, also as JSON. No client can guess it.
MARK: Final = f"x{token_hex(12)}x"
# Added tokens that are ordinary text: white space, and the HTML that Gemma reads as one token.
_ORDINARY: Final = re.compile(r"[\s\u2581]+|</?(?:[a-z]+|h[1-6])>|.", re.DOTALL)
_THINKING: Final = re.compile(r"</?think>")
_NOTHING: Final = re.compile(r"(?!)")


class ControlTokens:
    """The tokens of one tokenizer that only its template may write.

    Of an assistant's text only the `special` ones are: templates look into it for the others, such
    as `</think>`.
    """

    def __init__(self, tokens: Iterable[str] = (), special: Iterable[str] = ()) -> None:
        self._tokens = _pattern(tokens)
        self._special = _pattern(special)

    @classmethod
    def of(cls, tokenizer: Any, template: str) -> "ControlTokens":
        """Return those of a tokenizer: the special ones, and others that look like a marker."""
        added = tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special}
        tokens = {
            token.content
            for token in added
            if token.content in special
            or not _ORDINARY.fullmatch(token.content)
            or (token.content.strip("\u2581").strip() and token.content in template)
        }
        return cls(tokens, (token for token in special if not _THINKING.fullmatch(token)))

    def mark(self, chat: Chat) -> Chat:
        """Return the conversation with a mark in each token that the client wrote."""
        if not self._finds((chat.messages, chat.tools, chat.template_arguments)):
            return chat
        return replace(
            chat,
            messages=tuple(map(self._message, chat.messages)),
            tools=self._value(chat.tools, self._tokens),
            template_arguments=self._value(chat.template_arguments, self._tokens),
        )

    def _finds(self, value: Any) -> bool:
        """Return whether a token is in a value of JSON, names too."""
        if isinstance(value, str):
            return self._tokens.search(value) is not None
        if isinstance(value, Mapping):
            return any(map(self._finds, value)) or any(map(self._finds, value.values()))
        return isinstance(value, list | tuple) and any(map(self._finds, value))

    def _message(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if message.get("role") != "assistant":
            return {name: self._value(value, self._tokens) for name, value in message.items()}
        texts = ("content", "reasoning_content")
        return {
            name: self._value(value, self._special if name in texts else self._tokens)
            for name, value in message.items()
        }

    def _value(self, value: Any, pattern: re.Pattern[str]) -> Any:
        """Return a value of JSON with marks in all its texts, names too."""
        if isinstance(value, str):
            return pattern.sub(rf"\g<0>{MARK}", value)
        if isinstance(value, Mapping):
            pairs = value.items()
            return {self._value(key, pattern): self._value(each, pattern) for key, each in pairs}
        if isinstance(value, list | tuple):
            return type(value)(self._value(each, pattern) for each in value)
        return value


def cut(text: str) -> Sequence[str]:
    """Return the parts of a rendered text that are tokenized alone."""
    return text.split(MARK)


def _pattern(tokens: Iterable[str]) -> re.Pattern[str]:
    """Return what finds the first character of each token, also where tokens overlap."""
    trie: dict[str, Any] = {}
    for token in tokens:
        node = trie
        for character in token:
            node = node.setdefault(character, {})
        node[""] = {}
    firsts = [
        f"{re.escape(character)}(?={_alternatives(node)})"
        for character, node in trie.items()
        if character and "" not in node  # a token of one character cannot be cut
    ]
    return re.compile("|".join(firsts)) if firsts else _NOTHING


def _alternatives(trie: Mapping[str, Any]) -> str:
    """Return the expression of a trie, which takes the same time for any number of tokens."""
    if "" in trie:
        return ""  # a token that longer ones begin with is found as well as they are
    parts = [re.escape(character) + _alternatives(node) for character, node in trie.items()]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
