"""The simulated tokenizer: a token is one of its words, up to four ASCII characters, or any one.

A token of English text is about four characters long, so counts are about those of a real model.
It can be inverted, so that `/detokenize` and prompts as ids mean something.
"""

import re
from collections.abc import Sequence
from typing import Final

# Neurons, rivers and some characters of more than one byte.
WORDS: Final = (
    "the", "river", "carries", "light", "over", "stones", "and", "every", "token", "finds",
    "its", "way", "through", "a", "quiet", "valley", "café", "naïve", "Grüße", "日本",
    "signals", "cross", "small", "bridges", "while", "morning", "rises", "🌊", "slowly", "again",
    "counting", "leaves",
)  # fmt: skip
VOCABULARY: Final = (*WORDS, *(f" {word}" for word in WORDS))
_IDS: Final = {word: index for index, word in enumerate(VOCABULARY)}
_WORD: Final = "|".join(sorted(WORDS, key=len, reverse=True))
_TOKEN: Final = re.compile(
    rf" ?(?:{_WORD})(?!\w)| ?[!-~]{{1,3}}|[\x00- ]{{1,4}}|[\x00-\x7f]|.", re.DOTALL
)

# Ids: the words, then single characters by code point, then 2 to 4 of ASCII, 7 bits each after a 1.
CHARACTERS: Final = len(VOCABULARY)
ASCII: Final = 2**21
END: Final = ASCII + 2**29
LONGEST_TOKEN: Final = max(map(len, VOCABULARY))


def encode(text: str) -> list[str]:
    """Return the tokens of a text."""
    return _TOKEN.findall(text)


def token_id(token: str) -> int:
    """Return a token's id, 0 to END - 1."""
    if token in _IDS:
        return _IDS[token]
    if len(token) < 2:
        return CHARACTERS + ord(token or "\0")
    packed = 1
    for char in token:
        packed = packed << 7 | ord(char)
    return ASCII + packed


def decode(id_: int) -> str | None:
    """Return the token with this id, None where there is none."""
    if id_ < CHARACTERS:
        return VOCABULARY[id_]
    if id_ < ASCII:
        point = id_ - CHARACTERS
        alone = point > 0x10FFFF or 0xD800 <= point <= 0xDFFF  # half of a surrogate pair is no text
        return None if alone else chr(point)
    packed = id_ - ASCII
    length, left = divmod(packed.bit_length() - 1, 7)
    if left or not 2 <= length <= 4:
        return None
    return "".join(chr(packed >> 7 * index & 0x7F) for index in reversed(range(length)))


class SimulatedTokenizer:
    """The tokenizer as prompts are encoded with it; it has no special tokens."""

    vocabulary = END
    longest_token = LONGEST_TOKEN

    def encode(self, text: str, *, special: bool = False) -> list[int]:  # noqa: ARG002
        """Return a text's tokens; raise UnicodeEncodeError for half of a surrogate pair."""
        text.encode()
        return [token_id(token) for token in encode(text)]

    def encode_parts(self, parts: Sequence[str]) -> list[int]:
        """Return the tokens of a text in parts."""
        return self.encode("".join(parts))
