"""Write constraints.txt from the pins that `uv pip compile` found for each version of Python."""

import re
import sys
from pathlib import Path

HEADER = "# Made by make lock. torch has no hash: its CPU builds differ by Python and platform.\n"
PIN = re.compile(r"^(\S+?)==(\S+)(?: \\\n(?: +--hash=.*\n)+|\n)", re.MULTILINE)


def main(*files: str) -> None:
    """Join the pins; a later file adds the packages that only its version of Python needs."""
    pins: dict[str, str] = {}
    for file in reversed(files):
        pins |= {match[1]: match[0] for match in PIN.finditer(Path(file).read_text("utf-8"))}
    pins["torch"] = pins["torch"].split(" ")[0].rstrip() + "\n"
    text = "".join(pins[name] for name in sorted(pins))
    Path("constraints.txt").write_text(HEADER + text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
