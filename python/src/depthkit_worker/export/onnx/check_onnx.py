"""An ONNX export in onnxruntime, in the environment of the extra `onnx`, held to what it should answer.

`python -m depthkit_worker.export.onnx.check_onnx --folder FOLDER --dtypes fp32 int8` reports in JSON lines
(see `child.py`). The folder has the answers of the model in memory beside its graphs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from depthkit_worker.contract.wire import ExportCheckParams, ExportCheckResult, ExportReference, OnnxDtype
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.onnx.environment import onnx_python
from depthkit_worker.export.onnx.files import BITS, GRAPHS, SUFFIXES, graph_name
from depthkit_worker.export.reference_file import read_reference
from depthkit_worker.models.child import ChildJob, child_main, run_child
from depthkit_worker.models.first_line import first_line
from depthkit_worker.session.job import Job

if TYPE_CHECKING:
    from depthkit_worker.export.answers import Answers

MODULE = "depthkit_worker.export.onnx.check_onnx"


def is_onnx(folder: Path) -> bool:
    """Whether an export to ONNX lies in `folder`."""
    return (folder / GRAPHS).is_dir()


def check_onnx(params: ExportCheckParams, job: Job) -> ExportCheckResult:
    folder = Path(params.folder)
    doing = f"Checking {folder}"
    if params.trust_remote_code:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{doing}: trustRemoteCode does nothing for an ONNX export, which holds no code. Leave it out.",
        )
    if params.runtime not in (None, "onnxruntime"):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{doing}: {params.runtime} loads checkpoints, and this is an ONNX export, for onnxruntime and "
            "transformers.js. Leave runtime out, or name one of these.",
        )
    there = [dtype for dtype in SUFFIXES if (folder / GRAPHS / graph_name(dtype)).is_file()]
    if not there:
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"{doing}: its folder {GRAPHS} has no graph by the names that transformers.js knows.",
            path=str(folder),
        )
    dtype = there[0] if params.dtype is None else params.dtype
    if dtype not in there:
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"{doing}: it has no graph {graph_name(dtype)}; its dtypes are {', '.join(there)}.",
            path=str(folder),
        )
    [found] = measured(folder, [dtype], onnx_python(doing), job)
    del found["meanDifference"], found["roundingDifference"]  # Of an export's own result.
    return msgspec.convert(found, ExportCheckResult)


def measured(
    folder: Path, dtypes: Sequence[str], python: Path, job: Job, rounding: bool = False
) -> list[dict[str, Any]]:
    """What each graph answers, by the names of the contract. With `rounding` those of few bits are also held
    to the one of 32-bit numbers, which is there."""
    arguments = ["--folder", str(folder), "--dtypes", *dtypes, "--stop-with-parent"]
    if rounding:
        arguments.append("--rounding")
    found: list[dict[str, Any]] = run_child(MODULE, arguments, job, python=python)
    return found


def _check(folder: Path, dtypes: Sequence[OnnxDtype], rounding: bool, job: ChildJob) -> list[dict[str, Any]]:
    reference = read_reference(folder)
    same = _same_tokens(folder, reference)
    total = len(dtypes) * len(reference.prompts)
    done = 0

    def on_prompt() -> None:
        nonlocal done
        done += 1
        job.report("checking", done, total, "prompts")

    job.report("checking", 0, total, "prompts")
    results = []
    for dtype in dtypes:
        started = time.monotonic()
        runtime, found = _measure(folder, dtype, reference, on_prompt)
        rounded = _rounding(folder, dtype, reference) if rounding else None
        results.append(
            {
                "runtime": runtime,
                "largestDifference": found.largest_difference,
                "meanDifference": found.mean_difference,
                "roundingDifference": rounded,
                "agreement": found.agreement,
                "written": found.written,
                "cached": found.cached,
                "leftPadded": found.left_padded,
                "kvBytesPerToken": found.kv_bytes_per_token,
                "sameTokens": same,
                "seconds": time.monotonic() - started,
            }
        )
    return results


def _measure(
    folder: Path, dtype: str, reference: ExportReference, on_prompt: Callable[[], None]
) -> tuple[str, Answers]:
    import onnxruntime

    from depthkit_worker.export.answers import answers_of
    from depthkit_worker.export.onnx.runtime import ROUNDS, Graph

    path = folder / GRAPHS / graph_name(dtype)
    try:
        found = answers_of(Graph(path), reference, ROUNDS[dtype], on_prompt)
        return f"onnxruntime {onnxruntime.__version__}", found
    except DepthkitError as error:
        raise DepthkitError(error.code, f"Checking {path}: {error.message}.", path=str(path)) from error
    except Exception as error:  # Whatever onnxruntime raises at what it does not run.
        raise DepthkitError(
            "MODEL_INVALID",
            f"onnxruntime {onnxruntime.__version__} does not run {path}: {first_line(error)}.",
            path=str(path),
        ) from error


def _rounding(folder: Path, dtype: OnnxDtype, reference: ExportReference) -> float | None:
    if dtype not in BITS:
        return None
    from depthkit_worker.export.onnx.rounding import rounding_difference

    wide, narrow = (folder / GRAPHS / graph_name(one) for one in ("fp32", dtype))
    return rounding_difference(wide, narrow, reference)


def _same_tokens(folder: Path, reference: ExportReference) -> bool | None:
    """Whether tokenizer.json, which transformers.js reads, splits texts as the model's own tokenizer does."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    known = [(text.text, text.ids) for text in reference.texts]
    known += [(prompt.text, prompt.ids) for prompt in reference.prompts if prompt.text is not None]
    if not path.is_file() or not known:
        return None
    tokenizer = Tokenizer.from_file(str(path))
    return all(tuple(tokenizer.encode(text).ids) == tuple(ids) for text, ids in known)


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--dtypes", nargs="+", required=True)
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    parser.add_argument("--rounding", action="store_true", help="hold graphs of few bits to the widest")
    given = parser.parse_args()
    return child_main(
        lambda job: _check(given.folder, given.dtypes, given.rounding, job), given.stop_with_parent
    )


if __name__ == "__main__":
    sys.exit(main())
