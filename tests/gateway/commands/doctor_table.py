"""`doctor`: runs `neuron-gateway doctor --cluster` and reads the table that it shows."""

import re
from typing import NamedTuple

from typer.testing import CliRunner

from gateway.commands.main import app
from tests.gateway.commands.cluster_of_files import ClusterOfFiles


class Row(NamedTuple):
    """A line of the table."""

    state: str
    name: str
    seen: str
    fix: str


class Shown(NamedTuple):
    """What the command showed, and its status."""

    rows: dict[str, Row]
    status: int

    @property
    def wrong(self) -> dict[str, str]:
        """The states of what is not ok, by names."""
        return {row.name: row.state for row in self.rows.values() if row.state != "ok"}


def doctor(cluster: ClusterOfFiles, *arguments: object, **variables: str) -> Shown:
    """Run the command on a wide terminal."""
    environment = {"COLUMNS": "900", **cluster.variables, **variables}
    command = ["doctor", "--cluster", *map(str, arguments)]
    done = CliRunner().invoke(app, command, env=environment)
    assert done.exit_code in (0, 1), done.output
    assert "Traceback" not in done.output
    cells = [re.split(r"\s*│\s*", line)[1:-1] for line in done.stdout.splitlines() if "│" in line]
    return Shown({row[1]: Row(*row) for row in cells}, done.exit_code)
