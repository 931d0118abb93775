"""Multiple choice beside lm-evaluation-harness: the same rows, the same batch, in the same run.

    OMP_WAIT_POLICY=PASSIVE PYTHONPATH=python/src:LM_EVAL_FOLDER \
        python bench/lm-eval/against_lm_eval.py MODEL SHARED \
        [--tasks arc_easy piqa boolq mmlu] [--items 100] [--batch-sizes 1 8] [--remove block.3] [--json FILE]

ARC easy, PIQA, BoolQ (zero-shot, the first items of each file) and the 100 anchor questions of MMLU (5-shot).
lm-eval must be there (`depthkit setup --with lm-eval`). Compares prompts, log-likelihoods and verdicts item
by item, and the time: lm-eval's backend alone against all of `loadTask` and `choices`.

Where log-likelihoods differ, two more things tell who is off: lm-eval once more with its log-softmax in fp64
(its backend's own option), and, of the `--exact` choices that differ most, the model in fp64 throughout.

Exits with 1 where prompts or verdicts differ, or a log-likelihood does: from lm-eval with fp64 log-softmaxes
by more than `BOUND`, from lm-eval as it is by more than `BOUND` outside of 0 to `BIAS` a token.
`log_softmax.py` is where the bias comes from.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import ChoicesResult, ModelOptions, RowFiles, TaskOptions
from depthkit_worker.data.tasks import Task, load_task
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.evaluation.choices import choice_result
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from fp64 import in_fp64, log_likelihoods
from lm_eval_tasks import STOCK, Clock, LmEvalScores, LocalTask, lm_eval_scores

BOUND = 1e-4
"""Nats of a whole choice: what is left to the order of additions in fp32 forwards."""
BIAS = 4e-5
"""Nats per token, at most, that torch's fp32 log-softmax is off on CPU at 49,152 words: docs/tasks.md."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OwnScores:
    task: Task
    log_likelihoods: tuple[Array, ...]
    result: ChoicesResult
    clock: Clock
    """Of reading, encoding and scoring."""


@dataclass(frozen=True)
class Comparison:
    """One entry per choice, over all items."""

    away: Array
    """lm-eval's log-likelihoods less one's own."""
    tokens: Array
    same_prompts: bool
    """Token by token, choices included."""
    same_verdicts: bool
    """Item by item: what is chosen, and whether it is right, also normalised."""

    @property
    def farthest(self) -> float:
        return float(np.abs(self.away).max())

    @property
    def by_token(self) -> float:
        """The slope of the least-squares line through 0: what a token adds."""
        return float((self.away * self.tokens).sum() / (self.tokens**2).sum())

    @property
    def beyond_bias(self) -> float:
        """How far outside of what the softmax explains, which is 0 to `BIAS` a token: it is off upwards."""
        return float(np.maximum(self.away - BIAS * self.tokens, -self.away).max())


def own_scores(
    decoder: Decoder,
    task: LocalTask,
    *,
    units: tuple[Unit, ...] = (),
    batch_size: int = 1,
    chat_template: bool = False,
) -> OwnScores:
    clock = Clock()
    examples = None if task.examples is None else RowFiles(files=(str(task.examples),))
    options = TaskOptions(shots=task.shots, shots_from=examples, chat_template=chat_template)
    with clock.running():
        data = RowFiles(files=(str(task.rows),))
        loaded = load_task(tokeniser_of(decoder), data, options, Unattended())
        scores = task_scores(Subnetwork(decoder, units), loaded, Unattended(), batch_size=batch_size)
        result = choice_result(loaded.items, scores, task_digest=loaded.info.digest)
    return OwnScores(loaded, scores.log_likelihoods, result, clock)


def compare(decoder: Decoder, own: OwnScores, theirs: LmEvalScores) -> Comparison:
    tokenizer = decoder.require_tokenizer()
    same_prompts = same_verdicts = len(own.task.items) == len(theirs.items)
    for item, scores, of in zip(own.task.items, own.log_likelihoods, theirs.items, strict=True):
        prompts = tokenizer(list(of.prompts))["input_ids"]
        same_prompts &= prompts == [item.sequence(choice).tolist() for choice in range(len(prompts))]
        chosen = int(scores.argmax())
        same_verdicts &= chosen == int(np.argmax(of.log_likelihoods)) and of.right == (chosen == item.answer)
        normalised = int((scores / item.characters).argmax()) == item.answer
        same_verdicts &= of.right_normalised in (None, normalised)
    return Comparison(
        away=np.concatenate([of.log_likelihoods for of in theirs.items])
        - np.concatenate(own.log_likelihoods),
        tokens=np.concatenate([item.scored for item in own.task.items]).astype(np.float64),
        same_prompts=same_prompts,
        same_verdicts=same_verdicts,
    )


def local_task(name: str, shared: Path, items: int, folder: Path) -> LocalTask:
    """The first `items` rows, in a file of their own that both sides read."""
    data = shared / "data"
    with (data / ("mmlu_anchor100.jsonl" if name == "mmlu" else f"{name}.jsonl")).open(
        encoding="utf-8"
    ) as file:
        rows = folder / f"{name}.jsonl"
        rows.write_text("".join(islice(file, items)), encoding="utf-8")
    return LocalTask(name, rows, data / "mmlu_dev.jsonl" if name == "mmlu" else None)


def exact_rows(
    decoder: Decoder, own: OwnScores, sides: dict[str, LmEvalScores], count: int
) -> list[dict[str, Any]]:
    """The `count` choices where lm-eval is farthest away, each beside what fp64 gives."""
    places = [(item, choice) for item, of in enumerate(own.task.items) for choice in range(len(of.tails))]
    plain = next(iter(sides.values()))
    farthest = np.argsort(-np.abs(compare(decoder, own, plain).away))[:count]
    model, found = in_fp64(decoder.model), []
    for number, choice in (places[place] for place in farthest.tolist()):
        item = own.task.items[number]
        exact = log_likelihoods(model, item)[choice]
        # The model's own logits in fp32, only their log-softmax in fp64: what the forward is off by itself.
        forward = log_likelihoods(decoder.model, item)[choice]
        away = {name: of.items[number].log_likelihoods[choice] - exact for name, of in sides.items()}
        found.append(
            {
                "item": number,
                "choice": choice,
                "tokens": item.scored[choice],
                "fp64": exact,
                "away": {
                    "own": own.log_likelihoods[number][choice] - exact,
                    "forward": forward - exact,
                    **away,
                },
            }
        )
    return found


def seconds(own: Clock, theirs: Clock) -> dict[str, Any]:
    return {
        "wall": [theirs.wall, own.wall, theirs.wall / own.wall],
        "processor": [theirs.processor, own.processor, theirs.processor / own.processor],
    }


def one(
    decoder: Decoder, task: LocalTask, units: tuple[Unit, ...], batch_size: int, exact: int
) -> dict[str, Any]:
    theirs = lm_eval_scores(decoder, task, units=units, batch_size=batch_size)
    own = own_scores(decoder, task, units=units, batch_size=batch_size)
    found = compare(decoder, own, theirs)
    acc = [float(np.mean([item.right for item in theirs.items])), own.result.acc.micro]
    row: dict[str, Any] = {
        "task": task.name,
        "items": len(theirs.items),
        "shots": task.shots,
        "batch": batch_size,
        "tokensOfChoices": [int(found.tokens.min()), int(found.tokens.max())],
        "samePrompts": found.same_prompts,
        "sameVerdicts": found.same_verdicts,
        "acc": acc,
        "accNormChars": own.result.acc_norm_chars.micro,
        "farthest": found.farthest,
        "byToken": found.by_token,
        "beyondBias": found.beyond_bias,
        "seconds": seconds(own.clock, theirs.clock),
        "agrees": found.same_prompts
        and found.same_verdicts
        and acc[0] == acc[1]
        and found.beyond_bias <= BOUND,
    }
    if exact:
        precise = lm_eval_scores(decoder, task, units=units, batch_size=batch_size, softmax_dtype="float64")
        row["farthestOfFp64Softmax"] = compare(decoder, own, precise).farthest
        row["agrees"] &= row["farthestOfFp64Softmax"] <= BOUND
        if not units:
            sides = {"lmEval": theirs, "lmEvalFp64Softmax": precise}
            row["exact"] = exact_rows(decoder, own, sides, exact)
    return row


def show(row: dict[str, Any]) -> None:
    wall, processor = row["seconds"]["wall"], row["seconds"]["processor"]
    precise = row.get("farthestOfFp64Softmax")
    print(
        f"{row['task']}: {row['items']} items, {row['shots']} shots, batch {row['batch']}: "
        f"acc lm-eval {row['acc'][0]:.4f}, own {row['acc'][1]:.4f}, prompts "
        f"{'same' if row['samePrompts'] else 'DIFFERENT'}, verdicts "
        f"{'same' if row['sameVerdicts'] else 'DIFFERENT'}\n  log-likelihoods differ by at most "
        f"{row['farthest']:.1e} ({row['byToken']:+.1e} per token)"
        + ("" if precise is None else f", by {precise:.1e} with lm-eval's softmax in fp64")
        + f"\n  seconds, lm-eval and own: {wall[0]:.1f}, {wall[1]:.1f} ({wall[2]:.2f}x); "
        f"processor {processor[0]:.1f}, {processor[1]:.1f} ({processor[2]:.2f}x)",
        flush=True,
    )
    for of in row.get("exact", []):
        away = ", ".join(f"{name} {value:+.1e}" for name, value in of["away"].items())
        print(
            f"  item {of['item']}.{of['choice']}, {of['tokens']} tokens, off fp64's {of['fp64']:.5f}: {away}",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(STOCK), choices=list(STOCK))
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[1, 8])
    parser.add_argument(
        "--exact", type=int, default=3, help="choices per task that fp64 is asked about; 0: none"
    )
    parser.add_argument("--remove", nargs="+", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = ModelOptions(dtype="float32", device=given.device)
    decoder = load_model(str(given.model), given.model.parent, options, Unattended())
    units, rows = tuple(Unit.parse(name) for name in given.remove), []
    with tempfile.TemporaryDirectory() as name:
        # What the first call of each side pays once is nobody's time.
        one(decoder, local_task("boolq", given.shared, 2, Path(name)), units, 1, 0)
        tasks = [local_task(of, given.shared, given.items, Path(name)) for of in given.tasks]
        for batch_size in given.batch_sizes:
            of_batch = []
            for task in tasks:
                # Whole rows of logits in fp64: one at a time is as many as memory should be asked for.
                exact = given.exact if batch_size == 1 else 0
                of_batch.append(one(decoder, task, units, batch_size, exact))
                show(of_batch[-1])
            for kind in ("wall", "processor"):
                theirs, own = (sum(row["seconds"][kind][side] for row in of_batch) for side in (0, 1))
                print(
                    f"batch {batch_size}, all: {kind} {theirs:.1f}, {own:.1f} s ({theirs / own:.2f}x)",
                    flush=True,
                )
            rows += of_batch
    about = {
        "model": given.model.name,
        "removed": [str(unit) for unit in units],
        "device": given.device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processor": [platform.machine(), torch.backends.cpu.get_cpu_capability()],
    }
    print(json.dumps(about))
    if given.json is not None:
        given.json.write_text(json.dumps({**about, "rows": rows}, indent=1))
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
