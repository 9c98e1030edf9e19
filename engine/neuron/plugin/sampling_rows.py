"""The plugin's sampling rows, put right: row i belongs to the request whose tokens are row i.

Plugins 0.4.1 and 0.5.0 fill the rows in the order in which requests were first seen, while the
batch of a step follows the scheduler, so that concurrent requests get each other's temperature,
top_k and top_p.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

_FINALIZE: Final = "_finalize_continuous_batching_inputs"
_ROWS: Final = "get_nxd_sampling_params"


class PluginMismatch(RuntimeError):
    """The plugin's code is not the one that the hook was made for."""


def patch_sampling_rows(runner: type) -> None:
    """Let a runner fill its rows in the order of the batch; raises PluginMismatch.

    While the inputs of one step are made, the runner sees the requests of that step alone, in
    the order of their tokens. Nothing else of it is touched.
    """
    original = getattr(runner, _FINALIZE, None)
    if getattr(original, "puts_rows_right", False):
        return
    _check(runner)
    setattr(runner, _FINALIZE, _in_batch_order(original))


def _in_batch_order(finalize: Any) -> Callable[..., Any]:
    @wraps(finalize)
    def finalize_in_batch_order(self: Any, data: Any, is_prefill: bool) -> Any:
        everything = self.requests
        self.requests = {id_: everything[id_] for id_ in data.request_ids}
        try:
            return finalize(self, data, is_prefill)
        finally:
            self.requests = everything

    finalize_in_batch_order.puts_rows_right = True  # type: ignore[attr-defined]
    return finalize_in_batch_order


def _check(runner: type) -> None:
    """Read both methods: the one has to call the other, which has to number the requests."""
    finalize, rows = (_method(runner, name) for name in (_FINALIZE, _ROWS))
    wanted = (
        (list(inspect.signature(finalize).parameters) == ["self", "data", "is_prefill"], _FINALIZE),
        (list(inspect.signature(rows).parameters) == ["self", "input_ids"], _ROWS),
        (f"self.{_ROWS}(" in inspect.getsource(finalize), _FINALIZE),
        ("self.requests" not in inspect.getsource(finalize), _FINALIZE),
        ("request_ids=data.request_ids" in inspect.getsource(finalize), _FINALIZE),
        ("enumerate(self.requests.values())" in inspect.getsource(rows), _ROWS),
    )
    for holds, name in wanted:
        if not holds:
            raise PluginMismatch(f"The sampling hook does not fit this plugin: {name} has changed.")


def _method(runner: type, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(runner, name, None)
    if found is None:
        raise PluginMismatch(f"The sampling hook does not fit this plugin: {name} is not there.")
    return found
