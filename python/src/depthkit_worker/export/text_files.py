"""The small files beside an exported model's weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from depthkit_worker.export.generation_config import FILE, PassedOn
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.json_files import read_json_object

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


def tokenizer_type(decoder: Decoder) -> str:
    """The `model_type` by which the library chose the class of the source's tokenizer. A language model that
    was loaded out of a larger checkpoint has another one itself."""
    folder = decoder.source.folder
    if folder is None:
        return str(decoder.config.model_type)
    return str(read_json_object(folder / "config.json")["model_type"])


def write_tokenizer_as_loaded(decoder: Decoder, folder: Path) -> None:
    """The tokenizer as it is in memory, under a class name that stands for what tokenizer.json says.

    The library chooses a tokenizer's class by the model's type too, and overrules the files for some. A
    checkpoint with a type of its own would get another class, which may split text in another way.
    """
    tokenizer = decoder.tokenizer
    if tokenizer is None or not tokenizer.is_fast:
        return
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_generation_settings(settings: PassedOn, folder: Path) -> None:
    if settings.content is not None:
        text = json.dumps(settings.content, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
