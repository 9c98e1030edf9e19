"""`patch_sampling_rows`: the plugin's sampling rows in the order of the batch.

Plugins 0.4.1 and 0.5.0 fill the rows in the order in which requests were first seen, while the
batch of a step follows the scheduler, so that concurrent requests get each other's temperature,
top_k and top_p. Row i has to belong to the request whose tokens are row i.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

_FINALIZE: Final = "_finalize_continuous_batching_inputs"
_ROWS: Final = "get_nxd_sampling_params"


class PluginMismatch(RuntimeError):
    """The plugin's code is not the code that the hook was made for."""


def patch_sampling_rows(runner: type) -> None:
    """Make a runner class fill its rows in the batch's order; raise PluginMismatch.

    While the inputs of one step are made, the runner sees only the requests of that step, in the
    order of their tokens. Nothing else of it changes. A second call does nothing.
    """
    original = getattr(runner, _FINALIZE, None)
    if getattr(original, "patched", False):
        return
    _require_known_code(runner)
    setattr(runner, _FINALIZE, _in_batch_order(original))


def _in_batch_order(finalize: Any) -> Callable[..., Any]:
    @wraps(finalize)
    def finalize_in_batch_order(self: Any, data: Any, is_prefill: bool) -> Any:
        all_requests = self.requests
        self.requests = {id_: all_requests[id_] for id_ in data.request_ids}
        try:
            return finalize(self, data, is_prefill)
        finally:
            self.requests = all_requests

    finalize_in_batch_order.patched = True  # type: ignore[attr-defined]
    return finalize_in_batch_order


def _require_known_code(runner: type) -> None:
    """Read both methods: the one has to call the other, which has to number the requests."""
    finalize, rows = (_method(runner, name) for name in (_FINALIZE, _ROWS))
    conditions = (
        (list(inspect.signature(finalize).parameters) == ["self", "data", "is_prefill"], _FINALIZE),
        (list(inspect.signature(rows).parameters) == ["self", "input_ids"], _ROWS),
        (f"self.{_ROWS}(" in inspect.getsource(finalize), _FINALIZE),
        ("self.requests" not in inspect.getsource(finalize), _FINALIZE),
        ("request_ids=data.request_ids" in inspect.getsource(finalize), _FINALIZE),
        ("enumerate(self.requests.values())" in inspect.getsource(rows), _ROWS),
    )
    for holds, name in conditions:
        if not holds:
            raise PluginMismatch(f"The sampling hook does not fit this plugin: {name} has changed.")


def _method(runner: type, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(runner, name, None)
    if found is None:
        raise PluginMismatch(f"The sampling hook does not fit this plugin: {name} does not exist.")
    return found
