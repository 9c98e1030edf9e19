"""The hook reads the plugin's code before it patches it."""

from typing import Any

import pytest

from engine.neuron.plugin.sampling_rows import PluginMismatch, patch_sampling_rows


class Data:
    request_ids = ("b", "a")


class Fitting:
    """A runner like the plugin's: rows follow the order in which requests were first seen."""

    def __init__(self) -> None:
        self.requests = {"a": 1, "b": 2}
        self.input_ids = None

    def get_nxd_sampling_params(self, input_ids: Any) -> list[Any]:
        return [request for _, request in enumerate(self.requests.values())]

    def _finalize_continuous_batching_inputs(self, data: Any, is_prefill: bool) -> Any:
        rows = self.get_nxd_sampling_params(self.input_ids)
        return {"rows": rows} | dict(request_ids=data.request_ids)  # noqa: C408 - as the plugin has it


def runner(**changed: Any) -> type:
    return type("Runner", (Fitting,), changed)


def test_rows_follow_the_batch_and_nothing_else_changes() -> None:
    kind = runner()
    patch_sampling_rows(kind)
    one = kind()
    assert one._finalize_continuous_batching_inputs(Data, False)["rows"] == [2, 1]
    assert one.requests == {"a": 1, "b": 2}


def test_it_is_patched_once() -> None:
    kind = runner()
    patch_sampling_rows(kind)
    first = kind._finalize_continuous_batching_inputs
    patch_sampling_rows(kind)
    assert kind._finalize_continuous_batching_inputs is first


def other_rows(self: Any, input_ids: Any) -> list[Any]:
    return sorted(self.requests)


def other_signature(self: Any, data: Any) -> Any:
    return self.get_nxd_sampling_params(data)


def reads_requests(self: Any, data: Any, is_prefill: bool) -> Any:
    self.get_nxd_sampling_params(len(self.requests))
    return dict(request_ids=data.request_ids)  # noqa: C408


UNFIT = {
    "rows that are made otherwise": {"get_nxd_sampling_params": other_rows},
    "other parameters": {"_finalize_continuous_batching_inputs": other_signature},
    "more use of the requests": {"_finalize_continuous_batching_inputs": reads_requests},
    "a method that is gone": {"get_nxd_sampling_params": None},
}


@pytest.mark.parametrize("changed", UNFIT.values(), ids=UNFIT)
def test_another_plugin_is_refused_by_the_name_of_what_changed(changed: dict[str, Any]) -> None:
    kind = runner(**changed)
    with pytest.raises(PluginMismatch, match=f"does not fit this plugin: {next(iter(changed))}"):
        patch_sampling_rows(kind)
