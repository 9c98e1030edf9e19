"""Messages that are made to fit small templates, each with one peculiarity."""

from pathlib import Path
from typing import Any

import pytest

from engine import (
    Chat,
    ContextLengthExceeded,
    EngineConfig,
    GenerateRequest,
    InvalidRequest,
    PromptReport,
    SamplingParams,
    Simulated,
    create_engine,
)

TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
END = "{% if add_generation_prompt %}[assistant]{% endif %}"
ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + TURNS + END
)
TEXT_ARGUMENTS = (
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}"
    "[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}"
    "{{ c.function.name + '(' + c.function.arguments + ')' }}{% endfor %}{% endfor %}" + END
)
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather of a city."}}
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Rain?"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "weather", "arguments": {"city": "Zürich"}},
        }
    ],
}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "11 °C"}
ANSWER = {"role": "assistant", "content": "No."}


class Prompts:
    """Prompts of the simulated engine with a template, as text."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "chat_template.jinja"

    async def __call__(
        self, template: str, *messages: dict[str, Any], length: int = 4096, **kwargs: Any
    ) -> str:
        text, _ = await self.of(template, Chat(messages=messages, **kwargs), length)
        return text

    async def of(
        self, template: str, chat: Chat, length: int = 4096, **kwargs: Any
    ) -> tuple[str, PromptReport]:
        self._file.write_text(template, "utf-8")
        device = Simulated(kind="simulated", time_scale=0, template=str(self._file))
        engine = create_engine("sim", EngineConfig(max_model_len=length, device=device))
        await engine.start()
        sampling = SamplingParams(max_tokens=kwargs.pop("max_tokens", 1))
        asked = GenerateRequest(
            request_id="1", prompt=chat, sampling=sampling, report_prompt=True, **kwargs
        )
        try:
            deltas = [delta async for delta in engine.generate(asked)]
            assert all(delta.report is None for delta in deltas[1:])
            report = deltas[0].report
            assert report is not None
            return await engine.detokenize(report.token_ids), report
        finally:
            await engine.close()


@pytest.fixture
def prompt(tmp_path: Path) -> Prompts:
    return Prompts(tmp_path)


async def test_a_template_that_reads_tools_writes_them(prompt: Prompts) -> None:
    text = await prompt(TEXT_ARGUMENTS, SYSTEM, USER, CALLED, RESULT, tools=(TOOL,))
    assert text.startswith('{"type": "function", "function": {"name": "weather"')
    assert '[assistant]weather({"city": "Zürich"})[tool]11 °C[assistant]' in text


async def test_tools_are_the_gateways_text_where_the_template_has_none(prompt: Prompts) -> None:
    text = await prompt(TURNS + END, SYSTEM, USER, CALLED, RESULT, tools=(TOOL,))
    assert text.startswith("[system]Be brief.\n\n# Tools")
    assert "Weather of a city." in text
    assert '[assistant]<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}' in text
    assert "[user]<tool_response>\n11 °C\n</tool_response>[assistant]" in text


async def test_tools_are_written_in_the_models_own_format(prompt: Prompts) -> None:
    text = await prompt(TURNS, USER, CALLED, RESULT, tools=(TOOL,), tool_format="llama3_json")
    assert '[assistant]{"name": "weather", "parameters": {"city": "Zürich"}}[user]' in text
    assert "The function weather returned:\n11 °C" in text


@pytest.mark.parametrize(("by", "ours"), [("template", False), ("gateway", True)])
async def test_who_writes_the_tools_can_be_forced(prompt: Prompts, by: Any, ours: bool) -> None:
    for template in (TURNS, TEXT_ARGUMENTS):
        text = await prompt(template, USER, tools=(TOOL,), tools_by=by)
        assert ("# Tools" in text) is ours


async def test_tools_that_a_template_refuses_here_are_the_gateways_text(prompt: Prompts) -> None:
    """As Llama 3.2's template, which writes them into the first user's message."""
    only_users = (
        "{% if tools and not messages | selectattr('role', 'equalto', 'user') | list %}"
        "{{ raise_exception('no user') }}{% endif %}" + TEXT_ARGUMENTS
    )
    text = await prompt(only_users, SYSTEM, tools=(TOOL,))
    assert text.startswith("[system]Be brief.\n\n# Tools")
    assert (await prompt(only_users, SYSTEM, USER, tools=(TOOL,))).startswith('{"type"')


async def test_roles_that_must_alternate_are_joined(prompt: Prompts) -> None:
    messages = (SYSTEM, SYSTEM, USER, USER, ANSWER, ANSWER, SYSTEM, USER)
    assert await prompt(ALTERNATING, *messages) == (
        "[user]Be brief.\n\nBe brief.\n\nBe brief.\n\nRain?\n\nRain?[assistant]No.\n\nNo."
        "[user]Rain?[assistant]"
    )
    assert await prompt(ALTERNATING, ANSWER, USER) == "[user][assistant]No.[user]Rain?[assistant]"


async def test_a_later_system_message_stays_where_the_template_reads_it(prompt: Prompts) -> None:
    text = await prompt(TURNS, SYSTEM, SYSTEM, USER, SYSTEM)
    assert text == "[system]Be brief.\n\nBe brief.[user]Rain?[system]Be brief."


async def test_a_template_that_raises_is_replaced_by_a_plain_one(prompt: Prompts) -> None:
    text = await prompt("{{ raise_exception('no') }}", SYSTEM, USER, tools=(TOOL,))
    assert text.startswith("<system> Be brief.")
    assert "Weather of a city." in text
    assert text.endswith("<user> Rain?\n<assistant>")


async def test_messages_that_no_fit_helps_are_the_clients_mistake(prompt: Prompts) -> None:
    judge = "{% if messages[0].content == 'x' %}{{ raise_exception('x') }}{% endif %}" + TURNS
    with pytest.raises(InvalidRequest, match="chat template cannot render"):
        await prompt(judge, {"role": "user", "content": "x"})


async def test_the_last_message_is_continued(prompt: Prompts) -> None:
    begun = {"role": "assistant", "content": "Probably "}
    text = await prompt(TURNS + "[end]" + END, USER, begun, continue_final_message=True)
    assert text == "[user]Rain?[assistant]Probably "
    for messages in ((USER,), (USER, CALLED)):
        with pytest.raises(InvalidRequest) as refused:
            await prompt(TURNS, *messages, continue_final_message=True)
        assert refused.value.param == "continue_final_message"


def turn(number: int, words: int) -> list[dict[str, Any]]:
    question = {"role": "user", "content": f"q{number} " + "river " * words}
    return [question, {"role": "assistant", "content": f"a{number}"}]


async def test_the_oldest_turns_are_dropped_and_named(prompt: Prompts) -> None:
    messages = (SYSTEM, *turn(1, 50), *turn(2, 50), *turn(3, 50), USER)
    chat = Chat(messages=messages)
    text, report = await prompt.of(TURNS, chat, length=150, truncate=True)
    assert report.ignored == ("messages[1]", "messages[2]")
    assert "Be brief." in text
    assert "q1" not in text
    assert "q2" in text
    with pytest.raises(ContextLengthExceeded, match="maximum context length is 100 tokens"):
        await prompt.of(TURNS, chat, length=100)


async def test_a_call_is_dropped_with_its_results(prompt: Prompts) -> None:
    long = RESULT | {"content": "leaves " * 60}
    chat = Chat(messages=(SYSTEM, USER, CALLED, long, CALLED, long, CALLED, RESULT), tools=(TOOL,))
    text, report = await prompt.of(TEXT_ARGUMENTS, chat, length=180, truncate=True)
    assert report.ignored == ("messages[2]", "messages[3]")
    assert "Rain?" in text


async def test_what_cannot_be_shortened_is_refused(prompt: Prompts) -> None:
    chat = Chat(messages=(*turn(1, 5), {"role": "user", "content": "stones " * 200}))
    with pytest.raises(ContextLengthExceeded):
        await prompt.of(TURNS, chat, length=100, truncate=True)


async def test_nothing_is_dropped_from_what_fits(prompt: Prompts) -> None:
    _, report = await prompt.of(TURNS, Chat(messages=(USER, ANSWER, USER)), truncate=True)
    assert report.ignored == ()


async def test_names_of_arguments_reach_the_template(prompt: Prompts) -> None:
    switch = TURNS + "{% if enable_thinking is false %}[quick]{% endif %}"
    text = await prompt(switch, USER, template_arguments={"enable_thinking": False})
    assert text.endswith("[quick]")
