"""An exported folder in stock transformers, in a process of its own, held to what it should answer.

`python -m depthkit_worker.export.check_huggingface --folder FOLDER [--trust-remote-code]` reports in JSON
lines (see `child.py`). The model is the library's alone: nothing of it is depthkit's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from depthkit_worker.contract.wire import ExportCheckParams, ExportCheckResult, ExportReference
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.reference_file import read_reference
from depthkit_worker.models.child import ChildJob, child_main, run_child
from depthkit_worker.models.first_line import first_line
from depthkit_worker.session.job import Job

MODULE = "depthkit_worker.export.check_huggingface"


def check_huggingface(params: ExportCheckParams, job: Job) -> ExportCheckResult:
    if params.dtype is not None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {params.folder}: dtype {params.dtype} names a graph of an ONNX export, and this is "
            "none. Leave it out.",
        )
    arguments = ["--folder", params.folder, "--stop-with-parent"]
    if params.trust_remote_code:
        arguments.append("--trust-remote-code")
    return msgspec.convert(run_child(MODULE, arguments, job), ExportCheckResult)


def _check(folder: Path, trust_remote_code: bool, job: ChildJob) -> Any:
    started = time.monotonic()
    if not (folder / "config.json").is_file():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Checking {folder}: it is no folder with a config.json. Name an exported folder or a GGUF file.",
            path=str(folder),
        )
    reference = read_reference(folder)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "auto_map" in content and not trust_remote_code:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {folder}: its model is built by a Python file that lies in it, which would be run. "
            "Where you made the export yourself, or have read the file, set trustRemoteCode "
            "(--trust-remote-code).",
            folder=str(folder),
        )
    result = _measure(folder, trust_remote_code, "vision_config" in content, reference, job)
    return msgspec.to_builtins(msgspec.structs.replace(result, seconds=time.monotonic() - started))


def _measure(
    folder: Path, trust_remote_code: bool, reads_images: bool, reference: ExportReference, job: ChildJob
) -> ExportCheckResult:
    import torch
    import transformers

    from depthkit_worker.models.quiet import quiet_transformers

    quiet_transformers()
    job.report("loading", 0, len(reference.prompts), "prompts")
    try:
        auto = transformers.AutoModelForImageTextToText if reads_images else transformers.AutoModelForCausalLM
        model = auto.from_pretrained(folder, dtype="auto", trust_remote_code=trust_remote_code)
        # Not said at all, the library would ask on standard input, which is the worker's.
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # Whatever the library raises at what it does not read.
        raise DepthkitError(
            "MODEL_INVALID",
            f"transformers {transformers.__version__} does not load {folder}: {first_line(error)}.",
            folder=str(folder),
        ) from error
    model.eval()
    largest, agreed, places, same, cached, total, kv_bytes = 0.0, 0, 0, 0, 0, 0, 0
    tokens = [tokenizer.encode(text.text) == list(text.ids) for text in reference.texts]
    for number, prompt in enumerate(reference.prompts):
        ids, likeliest = torch.tensor([prompt.ids]), torch.tensor(prompt.likeliest)
        with torch.no_grad():
            scores = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)
            found = scores.gather(-1, likeliest[:, None])[:, 0]
            if not bool(found.isfinite().all()):
                raise DepthkitError("NOT_MEASURABLE", f"Checking {folder}: it answers with no numbers.")
            largest = max(largest, float((found - torch.tensor(prompt.log_probabilities)).abs().max()))
            agreed += int((scores.argmax(-1) == likeliest).sum())
            with_cache, cache = _cached(model, ids, len(prompt.written))
            without = _uncached(model, ids, len(prompt.written))
        places += len(likeliest)
        total += len(without)
        same += _in_common(with_cache, prompt.written)
        cached += _in_common(with_cache, without)
        kept = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        kv_bytes = kept // cache.get_seq_length()
        if prompt.text is not None:
            tokens.append(tokenizer.encode(prompt.text) == list(prompt.ids))
        job.report("checking", number + 1, len(reference.prompts), "prompts")
    return ExportCheckResult(
        runtime=f"transformers {transformers.__version__}",
        largest_difference=largest,
        agreement=agreed / places,
        written=same / total,
        cached=cached / total,
        same_tokens=all(tokens) if tokens else None,
        kv_bytes_per_token=kv_bytes,
        seconds=0.0,
    )


def _cached(model: Any, ids: Any, count: int) -> tuple[list[int], Any]:
    """Greedy tokens, each from the cache of those before, and the cache."""
    output = model(input_ids=ids, use_cache=True)
    written = [int(output.logits[0, -1].argmax())]
    cache = output.past_key_values
    while len(written) < count:
        last = ids.new_tensor([[written[-1]]])
        output = model(input_ids=last, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        written.append(int(output.logits[0, -1].argmax()))
    return written, cache


def _uncached(model: Any, ids: Any, count: int) -> list[int]:
    written: list[int] = []
    while len(written) < count:
        whole = ids.new_tensor([[*ids[0].tolist(), *written]])
        written.append(int(model(input_ids=whole, use_cache=False).logits[0, -1].argmax()))
    return written


def _in_common(one: list[int], other: Any) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=True)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), len(one))


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--trust-remote-code", action="store_true")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    return child_main(lambda job: _check(given.folder, given.trust_remote_code, job), given.stop_with_parent)


if __name__ == "__main__":
    sys.exit(main())
