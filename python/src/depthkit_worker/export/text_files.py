"""The small files beside an exported model's weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.generation_config import FILE, PassedOn
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.json_files import read_json_object
from depthkit_worker.models.tokenizer_probes import overruled_note, tokenizer_difference

TEMPLATES = "additional_chat_templates"
"""The folder of chat templates beside the default one, a file each."""

# What tokenizers of the known families are made of. Copied byte for byte: other runtimes read files
# that the library, saving the tokenizer anew, would leave out.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


def write_tokenizer(decoder: Decoder, folder: Path) -> None:
    """The source's tokenizer and chat template."""
    if decoder.source.folder is None:
        if decoder.tokenizer is not None:
            decoder.tokenizer.save_pretrained(folder)
        return
    for name in TOKENIZER_FILES:
        if (decoder.source.folder / name).is_file():
            shutil.copyfile(decoder.source.folder / name, folder / name)
    if (decoder.source.folder / TEMPLATES).is_dir():
        shutil.copytree(decoder.source.folder / TEMPLATES, folder / TEMPLATES)


def settle_tokenizer(decoder: Decoder, folder: Path, config: PreTrainedConfig) -> tuple[str, ...]:
    """See to it that the library reads the tokenizer in `folder`, whose configuration is finished and reads
    as `config`, as the one in memory; what to know of it."""
    tokenizer = decoder.tokenizer
    if tokenizer is None:
        return ()
    model_type = config.model_type
    same_type = model_type == _tokenizer_type(decoder)
    # Probes cannot show every difference: under another type it is never left as it was copied.
    if not same_type:
        _write_as_loaded(tokenizer, folder)
    loaded, fault = _read_back(tokenizer, folder, config)
    if fault is not None and same_type:
        _write_as_loaded(tokenizer, folder)
        loaded, fault = _read_back(tokenizer, folder, config)
    if loaded is None or fault is not None:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"transformers would not read the exported tokenizer as the model's own: {fault}. It is a "
            f"{type(tokenizer).__name__}, and the checkpoint's model type is {model_type}, by which "
            "the library chooses a class for it. Nothing was written. Put a tokenizer.json that the library "
            "reads under this type beside the source's weights, load the model again and export it.",
            tokenizer=type(tokenizer).__name__,
            modelType=model_type,
        )
    note = overruled_note(folder, loaded)
    return () if note is None else (note,)


def _read_back(
    tokenizer: PreTrainedTokenizerBase, folder: Path, config: PreTrainedConfig
) -> tuple[PreTrainedTokenizerBase | None, str | None]:
    """The tokenizer as a user loads it, and what it does otherwise than `tokenizer`. Code beside it is run
    only where the source's was, with the user's leave."""
    own_code = not type(tokenizer).__module__.startswith("transformers.")
    # Depthkit's own layout has a configuration of its own, which not every release reads without its code.
    given = {"config": config} if config.model_type.startswith("depthkit_") else {}
    try:
        loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=own_code, **given)
    except Exception as error:  # Whatever the library raises at files that it cannot make one of.
        return None, f"it is not read at all ({first_line(error)})"
    assert isinstance(loaded, PreTrainedTokenizerBase)
    return loaded, tokenizer_difference(tokenizer, loaded)


def _tokenizer_type(decoder: Decoder) -> str:
    """The `model_type` by which the library chose the class of the source's tokenizer. A language model that
    was loaded out of a larger checkpoint has another one itself."""
    folder = decoder.source.folder
    if folder is None:
        return str(decoder.config.model_type)
    return str(read_json_object(folder / "config.json")["model_type"])


def _write_as_loaded(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """The tokenizer as it is in memory; a fast one under a class name that stands for what tokenizer.json
    says.

    The library chooses a tokenizer's class by the model's type too, and overrules the files for some. A
    checkpoint with a type of its own would get another class, which may split text in another way.
    """
    tokenizer.save_pretrained(folder)
    if not tokenizer.is_fast:
        return
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_generation_settings(settings: PassedOn, folder: Path) -> None:
    if settings.content is not None:
        text = json.dumps(settings.content, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
