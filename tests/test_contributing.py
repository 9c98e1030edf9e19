"""The worked examples of CONTRIBUTING.md, run as they are written there."""

import re
import types
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import EngineConfig, EngineOptions, UnsupportedValue, create_engine
from gateway.api.app import create_app
from gateway.config import parse_config
from gateway.parsing.deltas import ContentDelta, ToolCallDelta, join_deltas
from gateway.parsing.tool_calls import FAMILIES, make_parser
from tests.engine.contract import collect, request

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
DEVICE = {"kind": "simulated", "time_scale": 0}


def example(title: str) -> Any:
    """Run the code of one example as a module."""
    section = TEXT.partition(f"### {title}\n")[2].partition("\n### ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    module = types.ModuleType(title)
    exec(compile(code, title, "exec"), module.__dict__)
    return module


async def test_the_endpoint_answers_and_refuses_in_openais_shape() -> None:
    config = parse_config({"models": [{"id": "sim", "engine": {"device": DEVICE}}]}, "test")
    engine = create_engine("sim", config.models[0].engine)
    app = create_app(config, {"sim": engine})
    app.include_router(example("An endpoint").router)
    await engine.start()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as client:
        counted = await client.post("/v1/count", json={"model": "sim", "text": "the river"})
        refused = await client.post("/v1/count", json={"model": "sim", "text": 1})
    await engine.close()
    assert counted.json() == {"count": 2}
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "text")
    assert "/v1/count" in app.openapi()["paths"]


async def test_the_policy_refuses_long_answers_and_passes_others_on() -> None:
    backend = create_engine("sim", EngineConfig.model_validate({"device": DEVICE}))
    await backend.start()
    engine = example("A policy").OutputCap(backend, cap=20)
    assert (await collect(engine.generate(request(max_tokens=20))))[-1].usage
    with pytest.raises(UnsupportedValue):
        engine.generate(request(max_tokens=21))
    await backend.close()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_tool_call_format_finds_the_call_however_the_text_is_cut(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setitem(FAMILIES, "function_tag", example("A tool-call format").function_tag)
    parser = make_parser("function_tag", {"weather": {}}, make_id=lambda: "call_1")
    text = 'It <b>is</b>. <function=weather>{"city": "Oslo"}</function>'
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = [delta for piece in pieces for delta in parser.feed(piece)] + parser.finish()
    call = ToolCallDelta(0, "call_1", "weather", '{"city": "Oslo"}')
    assert join_deltas(found) == [ContentDelta("It <b>is</b>."), call]


def test_the_device_says_what_ray_and_vllm_need() -> None:
    device = example("A device").Gpu(kind="gpu", memory=0.5)
    assert device.resources() == {"GPU": 1}
    arguments = device.engine_args("llama", EngineOptions(model="/models/llama", max_num_seqs=4))
    assert (arguments["max_num_seqs"], arguments["gpu_memory_utilization"]) == (4, 0.5)
    assert device.summary() == "gpu, 50% of its memory"
