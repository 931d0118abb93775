"""One long text through a tokeniser, in a process of its own: a single call of its Rust may take minutes, and
nothing stops it.

`python -m depthkit_worker.data.tokenise_child FOLDER split|keep` reads `tokenizer.json` and `text` in FOLDER
and writes `ids`, int32; `split`: special tokens in the text are text. Of the large libraries it imports
tokenizers alone, which is there at once.
"""

from __future__ import annotations

import sys
from array import array
from pathlib import Path
from typing import Any

from depthkit_worker.models.child import child_main
from depthkit_worker.session.job import Job

TOKENIZER, TEXT, IDS = "tokenizer.json", "text", "ids"


def tokenise(folder: Path, split_special_tokens: bool, job: Job) -> int:
    """Gives the number of tokens."""
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.encode_special_tokens = split_special_tokens
    text = (folder / TEXT).read_bytes().decode()
    ids = array("i", tokenizer.encode(text, add_special_tokens=False).ids)
    with (folder / IDS).open("wb") as file:
        ids.tofile(file)
    return len(ids)


def main() -> int:
    folder, split = sys.argv[1:]
    return child_main(lambda job: tokenise(Path(folder), split == "split", job), stop_with_parent=True)


if __name__ == "__main__":
    sys.exit(main())
