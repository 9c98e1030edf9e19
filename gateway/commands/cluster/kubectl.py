"""What `kubectl` reads, with its own credentials and a time limit; what it says when it cannot."""

import json
import subprocess
from typing import Any, Final

Object = dict[str, Any]
SECONDS: Final = 20  # for each request
_TOOLS: Final = "https://kubernetes.io/docs/tasks/tools/"
_NO_CONTEXT: Final = ("localhost:8080", "current-context", "context was not found", 'context "')
_LOGGED_OUT: Final = ("Unauthorized", "must be logged in", "getting credentials")


class Unreadable(Exception):
    """Why there is no answer: what was seen, and the fix."""

    def __init__(self, seen: str, fix: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.fix = fix


class Absent(Unreadable):
    """The cluster has no such object, or no such kind."""


def read(*arguments: str, seconds: float = SECONDS) -> Object:
    """Return what kubectl prints as JSON. Raises Unreadable, and Absent for what is not there."""
    text = run(*arguments, "--output=json", seconds=seconds)
    try:
        found: Object = json.loads(text)
    except ValueError:
        raise Unreadable("kubectl printed no JSON", f"Install a newer one: {_TOOLS}") from None
    return found


def run(*arguments: str, seconds: float = SECONDS) -> str:
    """Return what kubectl prints. Raises Unreadable, and Absent for what is not there."""
    command = ["kubectl", *arguments, f"--request-timeout={seconds:g}s"]
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * seconds
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("kubectl did not end in time", _reach("its login, and VPN")) from None
    except OSError as error:
        raise Unreadable(f"kubectl: {error.strerror}", f"Install it: {_TOOLS}") from None
    if done.returncode != 0:
        raise _unreadable(done.stderr, arguments)
    return done.stdout


def _unreadable(errors: str, arguments: tuple[str, ...]) -> Unreadable:
    """Return what kubectl's last line on standard error means."""
    line = next((one for one in reversed(errors.splitlines()) if one.strip()), "no message")
    if "(NotFound)" in line or "doesn't have a resource type" in line:
        return Absent("absent", "")
    if "(Forbidden)" in line:
        kind = arguments[1]
        return Unreadable(
            f"you may not read {kind}",
            f"Ask for `get` and `list` on it, and see: kubectl auth can-i list {kind} -A",
        )
    if any(part in line for part in _NO_CONTEXT):
        return Unreadable(
            "kubectl has no current context",
            "aws eks update-kubeconfig --name CLUSTER, or kubectl config use-context NAME",
        )
    if any(part in line for part in _LOGGED_OUT):
        return Unreadable(line, "Log in, for example with aws sso login; then: kubectl get ns")
    return Unreadable(line, _reach("VPN, and your address in public_access_cidrs"))


def _reach(what: str) -> str:
    return f"`kubectl version` must succeed. Check {what}."
