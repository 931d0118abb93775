"""An exported folder in stock transformers or mlx-lm, in a process of its own, held to what it should answer.

`python -m depthkit_worker.export.check_checkpoint --folder FOLDER --runtime NAME [--trust-remote-code]`
reports in JSON lines (see `child.py`). The model is the library's, and the modelling file's that a folder in
depthkit's own layout carries for it: nothing of it is depthkit's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from depthkit_worker.contract.wire import (
    ExportCheckParams,
    ExportCheckResult,
    ExportReference,
    WorkerRuntime,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.onnx.files import GRAPHS
from depthkit_worker.export.reference_file import read_reference
from depthkit_worker.models.adapter_files import BESIDE
from depthkit_worker.models.child import ChildJob, child_main, run_child
from depthkit_worker.models.extras import install_command, is_installed
from depthkit_worker.models.first_line import first_line
from depthkit_worker.session.job import Job

if TYPE_CHECKING:
    from depthkit_worker.export.answers import Runtime

MODULE = "depthkit_worker.export.check_checkpoint"
_CODE_FIELDS = {"transformers": "auto_map", "mlx-lm": "model_file"}
"""Of config.json: by which a library runs a Python file of the folder."""


def check_checkpoint(params: ExportCheckParams, job: Job) -> ExportCheckResult:
    if params.dtype is not None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {params.folder}: dtype {params.dtype} names a graph of an ONNX export, and this is "
            "none. Leave it out.",
        )
    if params.runtime == "onnxruntime":
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {params.folder}: onnxruntime runs ONNX exports, and this is none: it has no folder "
            f"{GRAPHS}. Leave runtime out.",
            folder=params.folder,
            runtime=params.runtime,
        )
    runtime = params.runtime or "transformers"
    if runtime == "mlx-lm" and not is_installed("mlx_lm"):
        command = install_command("mlx")
        raise DepthkitError(
            "MODULE_MISSING",
            f"Checking {params.folder} needs the Python module mlx_lm, which {sys.executable} does not have. "
            f"Run: {command}",
            module="mlx_lm",
            command=command,
        )
    arguments = ["--folder", params.folder, "--runtime", runtime, "--stop-with-parent"]
    if params.trust_remote_code:
        arguments.append("--trust-remote-code")
    return msgspec.convert(run_child(MODULE, arguments, job), ExportCheckResult)


def check_here(folder: Path, runtime: WorkerRuntime, trust_remote_code: bool, job: Job) -> ExportCheckResult:
    """The same in this process, which then holds the library and the model."""
    started = time.monotonic()
    if not (folder / "config.json").is_file():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Checking {folder}: it is no folder with a config.json. Name an exported folder or a GGUF file.",
            path=str(folder),
        )
    reference = read_reference(folder)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if _CODE_FIELDS[runtime] in content and not trust_remote_code:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {folder}: its model is built by a Python file that lies in it, which would be run. "
            "Where you made the export yourself, or have read the file, set trustRemoteCode "
            "(--trust-remote-code).",
            folder=str(folder),
        )
    if runtime == "mlx-lm" and (folder / BESIDE).is_dir():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Checking {folder}: a LoRA adapter belongs to it, in the folder {BESIDE}, and mlx-lm does not "
            "load peft's. Leave runtime out: transformers and peft load both.",
            folder=str(folder),
            runtime=runtime,
        )
    job.report("loading", 0, len(reference.prompts), "prompts")
    load = _in_mlx if runtime == "mlx-lm" else _in_transformers
    name, model, tokenizer, rounds = load(folder, content, trust_remote_code)
    return _measure(folder, name, model, tokenizer, rounds, reference, started, job)


Loaded = tuple[str, "Runtime[Any]", Any, float]
"""The software and its version, the model and the tokenizer in it, and by how much its kernels for one token
and for many may differ."""


def _in_transformers(folder: Path, content: dict[str, Any], trust_remote_code: bool) -> Loaded:
    import transformers

    from depthkit_worker.export.in_transformers import InTransformers
    from depthkit_worker.models.packed import without_repacking
    from depthkit_worker.models.quiet import quiet_transformers

    quiet_transformers()
    name = f"transformers {transformers.__version__}"
    sees = "vision_config" in content
    auto = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
    try:
        model = auto.from_pretrained(folder, dtype="auto", trust_remote_code=trust_remote_code)
        # Not said at all, the library would ask on standard input, which is the worker's.
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # Whatever the library raises at what it does not read.
        raise _not_loaded(name, folder, error) from error
    # Of weights that bitsandbytes packed, some processors have a lossy form: what was written is checked.
    without_repacking(model)
    if (folder / BESIDE).is_dir():
        name = f"{name} and {_with_adapter(model, folder, name)}"
    return name, InTransformers(model), tokenizer, _rounds(model.dtype.itemsize)


def _with_adapter(model: Any, folder: Path, name: str) -> str:
    """Put the adapter in `folder` beside the model's modules: both are checked. The software's name."""
    import peft

    from depthkit_worker.export.adapter_beside import load_beside

    try:
        load_beside(model, folder)
    except Exception as error:  # As above.
        raise _not_loaded(f"{name} with peft {peft.__version__}", folder / BESIDE, error) from error
    return f"peft {peft.__version__}"


def _in_mlx(folder: Path, content: dict[str, Any], trust_remote_code: bool) -> Loaded:
    import mlx_lm
    from mlx.utils import tree_flatten
    from mlx_lm.utils import load_model, load_tokenizer

    from depthkit_worker.export.in_mlx import InMlx

    name = f"mlx-lm {mlx_lm.__version__}"
    try:
        model, _ = load_model(folder, trust_remote_code=trust_remote_code)
        tokenizer = load_tokenizer(folder, {"trust_remote_code": trust_remote_code})
    except Exception as error:  # As above.
        raise _not_loaded(name, folder, error) from error
    parameters: Any = tree_flatten(model.parameters())
    return name, InMlx(model), tokenizer, _rounds(parameters[0][1].itemsize)


def _rounds(itemsize: int) -> float:
    """Log-probabilities of one token and of many at once may be this far apart."""
    return 2e-3 if itemsize >= 4 else 5e-2


def _not_loaded(name: str, folder: Path, error: Exception) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID", f"{name} does not load {folder}: {first_line(error)}.", folder=str(folder)
    )


def _measure(
    folder: Path,
    name: str,
    model: Runtime[Any],
    tokenizer: Any,
    rounds: float,
    reference: ExportReference,
    started: float,
    job: Job,
) -> ExportCheckResult:
    from depthkit_worker.export.answers import answers_of

    done = 0

    def on_prompt() -> None:
        nonlocal done
        done += 1
        job.report("checking", done, len(reference.prompts), "prompts")

    known = [(text.text, text.ids) for text in reference.texts]
    known += [(prompt.text, prompt.ids) for prompt in reference.prompts if prompt.text is not None]
    try:
        found = answers_of(model, reference, rounds, on_prompt)
    except DepthkitError as error:
        raise DepthkitError(error.code, f"Checking {folder}: {error.message}.", folder=str(folder)) from error
    return ExportCheckResult(
        runtime=name,
        largest_difference=found.largest_difference,
        agreement=found.agreement,
        written=found.written,
        cached=found.cached,
        left_padded=found.left_padded,
        same_tokens=all(tokenizer.encode(text) == list(ids) for text, ids in known) if known else None,
        kv_bytes_per_token=found.kv_bytes_per_token,
        seconds=time.monotonic() - started,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runtime", choices=tuple(_CODE_FIELDS), required=True)
    parser.add_argument("--trust-remote-code", action="store_true")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args()

    def check(job: ChildJob) -> Any:
        return msgspec.to_builtins(check_here(given.folder, given.runtime, given.trust_remote_code, job))

    return child_main(check, given.stop_with_parent)


if __name__ == "__main__":
    sys.exit(main())
