"""Texts with tool calls of every family, whole ones and broken ones."""

import json

NESTED = r'{"é": "}{ 😀\"\\", "l": [1, {"x": "]"}]}'
CALL = '{"name": "get_weather", "arguments": ' + NESTED + "}"
OTHER = '{"name": "f", "parameters": {}}'
UNKNOWN = '{"name": "rm", "arguments": {"a": "{"}}'
SWAPPED = '{"type": "function", "arguments": {"a": [1, "}"]}, "name": "f"}'
STRING = '{"name": "f", "arguments": ' + json.dumps('{"é": "\\n"}') + "}"
LONE = r'{"name": "f", "arguments": "{\"a\": \"\ud800\"}"}'

XML = "<function=f>\n<parameter=a>\n1 < 2\n</p\n</parameter>\n</function>"
V3 = f"function<｜tool▁sep｜>get_weather\n```json\n{NESTED}\n```"

TEXTS = {
    "llama3_json": [
        f"<|python_tag|>{CALL}; {OTHER}",
        f"\n{OTHER};{SWAPPED} ;{UNKNOWN}",
        f"Hi <|python <|python_tag|>{STRING}\nafter",
        '<|python_tag|>{"name": "f", "parameters": {"a": ',
    ],
    "hermes": [
        f"Hé <tool_c\n<tool_call>\n{CALL}\n</tool_call>\n<tool_call>{OTHER}</tool_call>\nbye",
        f"<tool_call>{SWAPPED}{STRING}</tool_call><tool_call>\n{UNKNOWN}\n</tool_call>",
        f"<tool_call>[{OTHER}, {UNKNOWN}, {OTHER}]</tool_call><tool_call>{{broken</tool_call>",
        f"<tool_call><tool_call>{OTHER[:-1]}\n</tool_call> <tool_ca",
    ],
    "mistral": [
        f"Hé [TOOL [TOOL_CALLS] [{CALL}, {OTHER}]",
        f"[TOOL_CALLS]f[ARGS]{NESTED}[TOOL_CALLS]add-2{{}}",
        f"[TOOL_CALLS]f[CALL_ID]a1B[ARGS]{{}}[TOOL_CALLS]rm{{}}[TOOL_CALLS][{STRING}",
        f"[TOOL_CALLS][{UNKNOWN}, {SWAPPED}] text [TOOL_CALLS",
    ],
    "plain_json": [
        f" {CALL}\nafter",
        f"[{OTHER}, {SWAPPED},\n{STRING}]",
        f"[{UNKNOWN}, {OTHER}, 1]",
        UNKNOWN,
    ],
    "pythonic": [
        r""" [get_weather(é='}{ 😀"\\', l=[1, {'x': "]"},], t=(-1, None)) , f()] after""",
        "<|python_start|>[f(a=True)]<|python_end|> Hi <|python <|python_start|>[f( b = {} ,)]",
        r"""[rm(a='('), f(a='''x'y\n'''), add-2(n=1_000, x=.5, s='\x41\u00e9\d\'')""",
        f"{OTHER}; {UNKNOWN}",
    ],
    "qwen3_coder": [
        f"Hé <tool_c\n<tool_call>\n{XML}\n</tool_call>\n<tool_call>{XML}</tool_call> bye",
        f"<tool_call><function=rm></function></tool_call>{XML}\n</tool_call>{XML}{XML}",
        f"<tool_call>{OTHER}</tool_call><tool_call>\n<tool_call><function=add-2>\n</tool_call>",
        "<function=get_weather><parameter=a><parameter=days>1</parameter></function>",
        "<tool_call>\n<function=f>\n<parameter=a>\nb</para",
    ],
    "deepseek_v3": [
        f"Hé<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{V3}<｜tool▁call▁end｜>\n"
        f"<｜tool▁call▁begin｜>{V3}<｜tool▁call▁end｜><｜tool▁calls▁end｜> bye",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
        f"<｜tool▁call▁begin｜>rm<｜tool▁sep｜>{NESTED}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        f"<｜tool <｜tool▁call▁begin｜>f<｜tool▁sep｜>{NESTED}<｜tool▁call▁begin｜>{V3[:-9]}",
    ],
    "harmony": [
        "<|channel|>analysis<|message|>Hé <|<|end|><|start|>assistant<|channel|>commentary "
        f"to=functions.get_weather <|constrain|>json<|message|>{NESTED}<|call|>",
        " to=functions.f<|channel|>commentary json<|message|><|call|><|start|>assistant<|channel|>"
        "analysis<|message|>a<|end|><|channel|>final<|message|>b <|x|> c<|return|>",
        "<|channel|>commentary<|message|>Plan.<|end|><|start|>assistant to=functions.rm<|channel|>"
        f"commentary<|message|>{NESTED}<|call|><|start|>assistant<|channel|>final<|message|>b",
    ],
}
