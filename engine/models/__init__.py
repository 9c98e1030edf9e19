"""Models on disk: their folder (`store`), the facts of their config.json (`folder`, `shape`).

Others import the shapes from here; `engine` exports the rest of what they use. Only `smollm2`, the
conversion of the default model, imports torch and transformers.
"""

from engine.models.shape import KNOWN, ModelShape, read_shape

__all__ = ["KNOWN", "ModelShape", "read_shape"]
