"""Models on disk: their folder (`store`), the facts of their config.json (`folder`, `shape`).

`engine` exports what others use. Only `smollm2`, the conversion of the default model, imports torch
and transformers.
"""
