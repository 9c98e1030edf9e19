"""The command: `python -m tests.deploy.schema_server --exec terraform validate`.

Without --exec, it serves until its standard input ends, and prints the environment as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="schema_server", description=__doc__)
    folder = Path(__file__).parents[1] / "schemas"
    parser.add_argument("--schemas", type=Path, default=folder, help="folder of NAME.schema.json")
    parser.add_argument(
        "--exec", nargs=argparse.REMAINDER, metavar="CMD", help="run this, then stop; comes last"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serve the schemas until the command ends, or until standard input is closed."""
    arguments = _arguments(argv)
    try:
        from tests.deploy.schema_server import serving
    except ImportError as error:
        sys.stderr.write(f"schema_server: {error}; pip install grpcio msgpack tf\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="tf-") as scratch:
        folder, schemas = Path(scratch), serving.schemas_in(arguments.schemas)
        with serving.served(schemas, folder) as reattach:
            environment = serving.environment(reattach, folder)
            if arguments.exec:
                return subprocess.run(arguments.exec, env=os.environ | environment).returncode
            sys.stdout.write(json.dumps(environment) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
