"""Turn a GGUF file into a plain Hugging Face folder of float32 weights.

`python -m depthkit_worker.models.convert_gguf --gguf FILE --out FOLDER [--expect-sha256 HEX]`
reports in JSON lines (see `child.py`). Reading a GGUF takes half a minute for 135M parameters and
several times the model's memory, so it is done once, in a process of its own.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import child_main, run_child
from depthkit_worker.models.file_kinds import not_what_it_says
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.gguf_header import gguf_fault, gguf_licence
from depthkit_worker.models.manifest import Manifest, read_manifest, write_manifest
from depthkit_worker.models.partial_folders import partial_folder, sweep
from depthkit_worker.session.job import Job

PHASE = "converting GGUF"
STEPS = 4


@dataclass(frozen=True)
class Conversion:
    gguf: Path
    out: Path
    expect_sha256: str | None = None


def convert_in_child(conversion: Conversion, job: Job) -> None:
    """Convert unless `conversion.out` is there and whole. Obeys a cancel within 50 ms."""
    manifest = read_manifest(conversion.out)
    if manifest is not None and manifest.sha256 == conversion.expect_sha256:
        return
    arguments = ["--gguf", str(conversion.gguf), "--out", str(conversion.out), "--stop-with-parent"]
    if conversion.expect_sha256 is not None:
        arguments += ["--expect-sha256", conversion.expect_sha256]
    run_child(
        "depthkit_worker.models.convert_gguf", arguments, job, lambda _process: sweep(conversion.out.parent)
    )


def convert(conversion: Conversion, job: Job) -> dict[str, str]:
    """Convert in this process."""
    gguf, out = conversion.gguf, conversion.out
    if not gguf.is_file():
        raise DepthkitError("FILE_NOT_FOUND", f"There is no GGUF file {gguf}.", path=str(gguf))
    fault = not_what_it_says(gguf) or gguf_fault(gguf)
    if fault is not None:
        raise DepthkitError(
            "MODEL_INVALID", f"{gguf} cannot be read: {fault}. Fetch the file again.", path=str(gguf)
        )
    job.report(PHASE, 0, STEPS, "steps")
    digest = sha256_of_files([gguf], job.check)
    if conversion.expect_sha256 not in (None, digest):
        raise DepthkitError(
            "MODEL_INVALID",
            f"{gguf} has the sha256 {digest}, and {conversion.expect_sha256} was expected: the file is "
            "damaged or another version. Fetch it again.",
            path=str(gguf),
            sha256=digest,
            expected=conversion.expect_sha256,
        )
    with partial_folder(out) as prepared:
        _write_plain(gguf, prepared.new, job)
        write_manifest(prepared.new, Manifest(gguf.name, digest), job.check)
        prepared.put_in_place(job)
    job.report(PHASE, STEPS, STEPS, "steps")
    return {"folder": str(out), "sha256": digest}


def _write_plain(gguf: Path, folder: Path, job: Job) -> None:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from depthkit_worker.memory.out_of_memory import is_out_of_memory
    from depthkit_worker.models.compatibility import add_legacy_keys
    from depthkit_worker.models.first_line import first_line
    from depthkit_worker.models.quiet import quiet_transformers
    from depthkit_worker.models.tokenizer_probes import tokenizer_difference

    quiet_transformers()
    job.report(PHASE, 1, STEPS, "steps")
    location, name = str(gguf.parent), gguf.name
    try:
        model = AutoModelForCausalLM.from_pretrained(location, gguf_file=name, dtype=torch.float32)
        job.report(PHASE, 2, STEPS, "steps")
        tokenizer = AutoTokenizer.from_pretrained(location, gguf_file=name)
    except Exception as error:  # Readers of damaged files raise whatever they were at.
        if is_out_of_memory(error):
            raise
        raise DepthkitError(
            "MODEL_INVALID",
            f"transformers cannot read the GGUF file {gguf} of {gguf.stat().st_size:,} bytes: "
            f"{first_line(error)}. It is damaged, cut or of an architecture that transformers does not read: "
            "fetch it again, or use the model's own checkpoint.",
            path=str(gguf),
        ) from error
    job.report(PHASE, 3, STEPS, "steps")
    # The weights are plain float32 by now, but the model remembers the quantiser and refuses to be saved.
    model.__dict__.update(hf_quantizer=None, is_quantized=False)
    del model.config.quantization_config
    model.config._name_or_path = ""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    add_legacy_keys(folder)
    difference = tokenizer_difference(tokenizer, AutoTokenizer.from_pretrained(folder))
    if difference is not None:
        raise DepthkitError(
            "MODEL_INVALID",
            f"transformers {transformers.__version__} reads the tokenizer of {gguf}, saved as its own files, "
            f"in another way than from the file: {difference}. Use the model's own checkpoint.",
            path=str(gguf),
        )
    _write_card(gguf, folder)


def _write_card(gguf: Path, folder: Path) -> None:
    """The licence where an export looks for it: in the front matter of a card."""
    from huggingface_hub import ModelCardData

    licence: dict[str, Any] = {**gguf_licence(gguf)}
    if licence:
        front = ModelCardData(**licence).to_yaml()
        (folder / "README.md").write_text(
            f"---\n{front}\n---\nConverted from `{gguf.name}`.\n", encoding="utf-8"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m depthkit_worker.models.convert_gguf")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--expect-sha256")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    conversion = Conversion(given.gguf.absolute(), given.out.absolute(), given.expect_sha256)
    return child_main(lambda job: convert(conversion, job), given.stop_with_parent)


if __name__ == "__main__":
    sys.exit(main())
