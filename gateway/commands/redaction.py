"""`redact`: texts that leave this machine without its paths, names, addresses and secrets."""

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# API keys of the gateway, of OpenAI, of the Hugging Face hub and of AWS.
_SECRET: Final = re.compile(r"\b(?:ngw-|sk-|hf_|AKIA|ASIA)[\w-]{12,}")
# A name that EC2 gives to a machine, or an address of a private network.
_ADDRESS: Final = re.compile(
    r"\bip-\d+-\d+-\d+-\d+[\w.-]*|\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b"
)
# Two segments at least. The system's own folders and the paths of the API tell nothing of a user.
_PATH: Final = re.compile(
    r"(?<![\w.$)<>/])(?:~|/(?!(?:dev|proc|sys|opt/aws|v1)/|/127\.0\.0\.1|/localhost)[^\s\"\\/]+)"
    r"/[^\s\"\\,;:)\]]+"
)


def redact(text: str, names: Mapping[str, str]) -> str:
    """Return a text in which each of `names` is replaced, and then whatever else may tell a user.

    Those are the home folder, the host's name, other paths, private addresses and secrets.
    """
    known = {str(Path.home()): "~", socket.gethostname(): "<host>", **names}
    longest_first = sorted(filter(None, known), key=len, reverse=True)
    for name in longest_first:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", known[name], text)
    for pattern, to in ((_SECRET, "<secret>"), (_ADDRESS, "<address>"), (_PATH, "<path>")):
        text = pattern.sub(to, text)
    return text
