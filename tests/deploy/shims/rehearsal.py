"""A copy of deploy/terraform in which the scripts run, with stand-ins for all tools."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from tests.deploy.shims.answers import TOOLS, Answer

DEPLOY = Path(__file__).parents[3] / "deploy"
TOOL_NAMES = ("aws", "git", "helm", "kubectl", "terraform")
# The programs of the system that the scripts and the shims may use.
SYSTEM = (
    "awk", "basename", "bash", "cat", "cp", "dirname", "grep", "mktemp", "rm", "sed", "sleep",
    "tee", "tr",
)  # fmt: skip
VARIABLES = 'public_access_cidrs = ["198.18.0.7/32"]\n'
# Calls that create or change something in AWS or in the cluster.
CHANGES = (
    "terraform apply", "terraform import", "terraform state rm", "kubectl create", "kubectl apply",
    "kubectl delete", "kubectl patch", "kubectl scale", "helm uninstall", "helm rollback",
    "aws ec2 delete", "aws ec2 terminate", "aws elb delete", "aws elbv2 delete", "aws s3 rm",
    "aws s3 rb", "aws ecr delete", "aws iam remove", "aws iam delete", "aws logs delete",
)  # fmt: skip


@dataclass
class Done:
    """How a script ended."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The error messages."""
        return [line for line in self.err.splitlines() if line.startswith("Error:")]


@dataclass
class Rehearsal:
    """A folder with the scripts and stand-ins for their tools."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    usual: list[Answer] = field(default_factory=lambda: list(TOOLS))

    @property
    def terraform(self) -> Path:
        """The folder of the scripts."""
        return self.folder / "deploy" / "terraform"

    @property
    def shims(self) -> Path:
        """The folder in which calls are recorded."""
        return self.folder / "shims"

    def answers(self, *groups: Iterable[Answer]) -> None:
        """Set the usual answers of the tools; earlier groups have precedence."""
        self.usual = [answer for group in groups for answer in group]
        self.but()

    def but(self, *answers: Answer) -> None:
        """Set answers with precedence over the usual ones."""
        lines = [answer.line() for answer in [*answers, *self.usual]]
        (self.shims / "answers").write_text("".join(lines))
        for used in self.shims.glob("used.*"):
            used.unlink()

    def without(self, tool: str) -> None:
        """Uninstall a tool."""
        (self.folder / "bin" / tool).unlink()

    def command(self, script: str, *arguments: str) -> dict[str, Any]:
        """Return the arguments of subprocess that start a script."""
        return {
            "args": ["bash", f"./{script}", *arguments],
            "cwd": self.terraform,
            "env": self.environment,
            "text": True,
        }

    def run(self, script: str, *arguments: str, **environment: str) -> Done:
        """Run a script without a terminal; every call must have had an answer."""
        started = self.command(script, *arguments)
        started["env"] = self.environment | environment
        done = subprocess.run(**started, stdin=DEVNULL, capture_output=True)
        unanswered = self.shims / "unanswered"
        assert not unanswered.exists(), unanswered.read_text()
        return Done(done.returncode, done.stdout, done.stderr)

    def calls(self, *beginnings: str) -> list[str]:
        """Return the recorded calls, those with one of the beginnings if there are any."""
        log = self.shims / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if not beginnings or line.startswith(beginnings)]

    def changes(self) -> list[str]:
        """Return the calls that changed something, without client-side dry runs."""
        return [call for call in self.calls(*CHANGES) if "--dry-run=client" not in call]

    def forget(self) -> None:
        """Forget the calls so far."""
        (self.shims / "calls").unlink(missing_ok=True)


def prepare(folder: Path, providers: dict[str, str] | None = None) -> Rehearsal:
    """Copy deploy/terraform and its neighbours, and put the stand-ins on PATH."""
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
    shutil.copytree(DEPLOY / "terraform", folder / "deploy" / "terraform", ignore=ignored)
    shutil.copy(DEPLOY / "versions.env", folder / "deploy")
    pools = folder / "deploy" / "karpenter"
    pools.mkdir()
    (pools / "cluster.env").write_text("CLUSTER=a-placeholder\n")
    (folder / "deploy" / "terraform" / "blueprint.tfvars").write_text(VARIABLES)
    (folder / "shims").mkdir()
    os.mkfifo(folder / "shims" / "never-written")
    (folder / "scratch").mkdir()
    rehearsal = Rehearsal(folder, _environment(folder, providers or {}))
    rehearsal.but()
    return rehearsal


def _environment(folder: Path, providers: dict[str, str]) -> dict[str, str]:
    tools = folder / "bin"
    tools.mkdir()
    for name in SYSTEM:
        found = shutil.which(name)
        assert found, f"{name} is not installed"
        (tools / name).symlink_to(found)
    for name in TOOL_NAMES:
        (tools / name).symlink_to(Path(__file__).parent / "shim")
    return {
        "PATH": str(tools),
        "HOME": str(folder),
        "TMPDIR": str(folder / "scratch"),
        "AWS_REGION": "us-west-2",
        "CLEANUP_PAUSE": "0",
        "SHIM_FOLDER": str(folder / "shims"),
        "REAL_TERRAFORM": shutil.which("terraform") or "",
    } | providers


def real_environment(providers: dict[str, str]) -> dict[str, str]:
    """Return an environment for the real terraform."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | providers
