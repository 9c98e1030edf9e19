"""Models on disk: their folder (`store`), what their config.json says (`folder`, `shape`).

`engine` exports what others use. Only `smollm2`, the conversion of the default model, imports torch
and transformers.
"""
