"""The web chat in a real browser."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.web_chat import visit_all
from gateway.config import parse_config
from gateway.keys.store import new_key
from tests.clients.browser import Chat, chromium, web_chat
from tests.conftest import running, simulated
from tests.serving import free_port, until

pytestmark = [pytest.mark.clients, pytest.mark.timeout(90)]

HTML = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'> and <b>bold</b>"
SCRIPTS = [
    {"when": "HTML", "reply": HTML},
    {"when": "code", "reply": "Look:\n\n```python\nprint('<b>')\n```\n\nand $$a^2$$ done"},
    {"when": "long", "reply": "word " * 200},
    {"when": "short", "reply": "A short answer."},
]
SLOW = {"time_scale": 1, "decode_base_ms": 30, "decode_ms_per_slot": 0, "prefill_base_ms": 20,
        "prefill_ms_per_token": 0}  # fmt: skip
Open = Callable[..., Chat]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(simulated(SLOW | {"scripts": SCRIPTS})) as url:
        yield url


@pytest.fixture(scope="module")
def shared(url: str) -> Iterator[str]:
    """The web chat of the gateway that most tests share."""
    with web_chat(url) as address:
        yield address


@pytest.fixture
def open_chat(browser: Any, url: str, shared: str) -> Iterator[Open]:
    """Open the chat of a gateway in a window of its own."""
    default = url
    with contextlib.ExitStack() as stack:

        def opened(url: str, *, knows_models: bool = True, **window: Any) -> Chat:
            address = shared if url == default else stack.enter_context(web_chat(url))
            context = browser.new_context(**window)
            stack.callback(context.close)
            return Chat(context.new_page(), address, knows_models=knows_models)

        yield opened


def slots_in_use(url: str) -> int:
    (model,) = httpx.get(f"{url}/readyz").json()["models"].values()
    return int(model["running"])


def test_an_answer_is_shown_while_it_streams_and_ends_with_its_speed(
    open_chat: Open, url: str
) -> None:
    chat = open_chat(url)
    chat.send("a long one")
    chat.sees("word word")
    assert chat.everything.count("word") < 200
    chat.shot("growing")
    chat.sees("tokens/s", 20)
    chat.is_free()
    chat.shot("answered")


def test_stop_frees_the_slot_and_keeps_the_partial_answer(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("a long one")
    chat.sees("word word")
    assert slots_in_use(url) == 1
    chat.stop()
    until(lambda: slots_in_use(url) == 0, 2)
    chat.is_free()
    assert "word word" in chat.everything
    chat.send("now some HTML")
    chat.sees("and <\u2060b>bold")


def test_retry_sends_the_question_again(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("a short one")
    chat.sees("tokens/s")
    chat.is_free()
    before = _requests(url)
    chat.page.get_by_label("Retry").last.click()
    until(lambda: _requests(url) > before, 10)
    chat.is_free()
    assert chat.everything.count("A short answer.") == 1


def _requests(url: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("neuron_gateway_requests_total")
    )


def test_an_edited_question_is_sent_again(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("a short one")
    chat.sees("A short answer.")
    chat.is_free()
    chat.page.get_by_label("Edit").first.click()
    chat.page.locator("#chat textarea").fill("a long one")
    chat.page.get_by_label("Submit").last.click()
    chat.sees("word word")
    assert "A short answer." not in chat.everything


def test_the_selected_model_answers(open_chat: Open) -> None:
    def model(name: str, reply: str) -> dict[str, Any]:
        device = {
            "kind": "simulated",
            "time_scale": 0,
            "scripts": [{"when": "who", "reply": reply}],
        }
        return {"id": name, "engine": {"max_num_seqs": 4, "device": device}}

    two = {"models": [model("first", "I am the first."), model("second", "I am the second.")]}
    with running(parse_config(two, "test")) as url:
        chat = open_chat(url)
        chat.send("who?")
        chat.sees("I am the first.")
        chat.is_free()
        chat.page.locator("#model input").click()
        chat.page.get_by_role("option", name="second").click()
        chat.send("who?")
        chat.sees("I am the second.")


def test_a_key_is_asked_for_if_required_and_a_wrong_one_is_reported(
    open_chat: Open, tmp_path: Path
) -> None:
    file = tmp_path / "keys.yaml"
    key = new_key(file, "alice")
    with running(simulated(SLOW | {"scripts": SCRIPTS}, keys_file=str(file))) as url:
        chat = open_chat(url, knows_models=False)
        field = chat.page.locator("#key input")
        field.wait_for()
        field.fill("ngw-wrong")
        field.press("Enter")
        chat.page.get_by_text("requires an API key").first.wait_for()
        chat.shot("wrong-key")
        field.fill(key)
        field.press("Enter")
        until(lambda: chat.page.locator("#model input").input_value() == "sim", 10)
        chat.send("a short one")
        chat.sees("A short answer.")


def test_a_gateway_that_is_down_is_reported_and_retried_until_it_is_back(open_chat: Open) -> None:
    port = free_port()
    config = simulated(SLOW | {"scripts": SCRIPTS})
    with running(config, port) as url:
        chat = open_chat(url)
        chat.send("a short one")
        chat.sees("A short answer.")
        chat.is_free()
    chat.send("a long one")
    chat.sees("cannot be reached")
    chat.shot("gateway-down")
    with running(config, port):
        chat.sees("word word", 20)  # retried without a click


def test_twenty_questions_are_all_kept_and_sent(open_chat: Open) -> None:
    with running(simulated({"scripts": SCRIPTS})) as url:
        chat = open_chat(url)
        for count in range(1, 21):
            chat.send(f"a short one, number {count}")
            until(lambda count=count: chat.everything.count("tokens/s") == count, 10)
            chat.is_free()
        assert chat.everything.count("A short answer.") == 20


def test_a_reload_keeps_the_conversation(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("a short one")
    chat.sees("tokens/s")
    chat.is_free()
    chat.page.wait_for_timeout(500)
    chat.page.reload()
    chat.sees("A short answer.")


def test_a_narrow_dark_screen_fits_the_page(open_chat: Open, url: str) -> None:
    chat = open_chat(
        url, viewport={"width": 375, "height": 667}, color_scheme="dark", is_mobile=True
    )
    chat.send("some code")
    chat.sees("tokens/s")
    wide = chat.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 375
    assert chat.box.is_visible()
    chat.shot("narrow-dark")


def test_html_is_shown_as_text_and_never_run(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("HTML please: <script>window.ran = 1</script>")
    chat.sees("tokens/s")
    assert chat.page.evaluate("window.ran") is None
    assert chat.everything.replace("\u2060", "").count("<script>") == 2
    assert "<b>bold</b>" in chat.everything.replace("\u2060", "")


def test_code_has_a_button_that_copies_it(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("some code")
    chat.sees("tokens/s")
    assert "print('<b>')" in chat.page.locator("#chat pre code").inner_text()
    assert chat.page.locator("#chat pre button, #chat .copy_code_button").count() >= 1
    assert chat.page.locator("#chat .katex").count() >= 1


def test_an_empty_message_is_not_sent(open_chat: Open, url: str) -> None:
    chat, before = open_chat(url), _requests(url)
    chat.send("   ")
    chat.page.get_by_text("The message is empty").first.wait_for()
    assert _requests(url) == before


def test_a_message_that_is_too_long_is_reported_and_kept_in_the_box(
    open_chat: Open, url: str
) -> None:
    chat = open_chat(url)
    chat.send("x" * 200_001)
    chat.page.get_by_text("more than the 200,000 allowed").first.wait_for()
    assert len(chat.box.input_value()) == 200_001


def test_pasted_control_characters_are_sent(open_chat: Open, url: str) -> None:
    chat = open_chat(url)
    chat.send("a short one \x00\x01\ufffd\ud7ff with bytes")
    chat.sees("A short answer.")


def test_an_incomplete_answer_is_reported_and_kept(open_chat: Open) -> None:
    device = SLOW | {"faults": {"fail_at_token": 8}}
    with running(simulated(device)) as url:
        chat = open_chat(url)
        chat.send("Hello")
        chat.sees("The answer is incomplete")
        chat.is_free()
        assert len(chat.answers[0]) > 5


def test_a_busy_gateway_is_asked_again_after_the_time_that_it_returned(open_chat: Open) -> None:
    config = simulated(
        SLOW | {"scripts": SCRIPTS}, engine={"max_num_seqs": 1},
        limits={"engine_queue_depth": 0, "max_queued": 0},
    )  # fmt: skip
    with running(config) as url:
        first, second = open_chat(url), open_chat(url)
        first.send("a long one")
        first.sees("word word")
        second.send("a short one")
        second.sees("Retrying in")
        second.shot("busy")
        first.stop()
        second.sees("A short answer.", 30)


def test_fifty_visitors_are_answered_at_the_same_time() -> None:
    slots = {"max_num_seqs": 50}
    with running(simulated(SLOW, engine=slots)) as url, web_chat(url) as address:
        visitors = threading.Thread(target=lambda: asyncio.run(visit_all(address, "sim", 50)))
        visitors.start()
        until(lambda: slots_in_use(url) == 50, 30)
        visitors.join()
