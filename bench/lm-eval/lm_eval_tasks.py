"""arc_easy, piqa, boolq and mmlu by lm-eval itself on local files: every item's log-likelihoods, the
harness's own verdicts, and the time.

The stock tasks' templates are written out here over the fields of the shared files, so no network is needed.
Used by `against_lm_eval.py` and by the test that holds the scorers to lm-eval.
"""

from __future__ import annotations

import functools
import importlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthkit_worker.contract.wire import HarnessOptions
from depthkit_worker.evaluation.harness import run_harness
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork

METRICS = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
QUESTION = {
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_choice": "{{choices}}",
    "metric_list": METRICS,
    "metadata": {"version": 1.0},
}
# As in lm-eval 0.4.13: tasks/arc, tasks/piqa, tasks/super_glue/boolq, tasks/mmlu/default. The fields are the
# shared files' names.
STOCK: Mapping[str, Mapping[str, Any]] = {
    "arc_easy": QUESTION,
    "piqa": QUESTION,
    "boolq": {
        # The stock template adds the question mark, which the shared file's questions have already.
        "doc_to_text": "{{context}}\nQuestion: {{question}}\nAnswer:",
        "doc_to_choice": ["no", "yes"],
        "metric_list": METRICS[:1],
        "metadata": {"version": 2.0},
    },
    "mmlu": {
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": (
            "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. "
            "{{choices[3]}}\nAnswer:"
        ),
        "doc_to_choice": ["A", "B", "C", "D"],
        "metric_list": METRICS[:1],
        "metadata": {"version": 1.0},
    },
}
FIELDS = ("subject", "context", "question", "choices", "answer")
"""Those the templates read. The files have others, which differ between questions and examples, and a data
set's splits must have the same."""


@dataclass(frozen=True)
class LocalTask:
    name: str
    """In `STOCK`, and the format of the rows."""
    rows: Path
    examples: Path | None = None
    """Rows with five examples of each subject, in front of its questions."""

    @property
    def shots(self) -> int:
        return 0 if self.examples is None else 5


@dataclass(frozen=True)
class LmEvalItem:
    prompts: tuple[str, ...]
    """Of each choice, all that the model reads and the choice itself."""
    log_likelihoods: tuple[float, ...]
    right: bool
    right_normalised: bool | None
    """By characters; None where the task has no such metric."""


@dataclass
class Clock:
    wall: float = 0.0
    processor: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor


@dataclass(frozen=True)
class LmEvalScores:
    items: tuple[LmEvalItem, ...]
    """In the rows' order."""
    version: str
    clock: Clock
    """Of the harness's backend alone: encoding the prompts, forwards, log-likelihoods. Its own reading of
    tasks and files is left out."""


def lm_eval_scores(
    decoder: Decoder,
    task: LocalTask,
    *,
    units: tuple[Unit, ...] = (),
    batch_size: int = 1,
    softmax_dtype: str | None = None,
    chat_template: bool = False,
) -> LmEvalScores:
    """`softmax_dtype` is the Hugging Face backend's own option; None is its default, the logits' dtype."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as name, _backend(clock, softmax_dtype):
        tasks = _write(Path(name), task)
        options = HarnessOptions(
            tasks=tuple(tasks), batch_size=batch_size, include_path=name, chat_template=chat_template
        )
        logged: dict[str, Any] = {}
        outcome = run_harness(Subnetwork(decoder, units), options, Unattended(), logged.update)
    samples = [sample for of_task in tasks for sample in logged[of_task]]
    samples.sort(key=lambda sample: sample["doc"]["place"])
    return LmEvalScores(tuple(map(_item, samples)), outcome.lm_eval_version, clock)


@contextmanager
def _backend(clock: Clock, softmax_dtype: str | None) -> Iterator[None]:
    """Inside, `run_harness` gets a backend that is timed and takes its softmax in `softmax_dtype`."""
    module: Any = importlib.import_module("lm_eval.models.huggingface")
    plain = module.HFLM

    def make(**settings: Any) -> Any:
        model = plain(softmax_dtype=softmax_dtype, **settings)
        score = model.loglikelihood

        @functools.wraps(score)
        def timed(*positional: Any, **keywords: Any) -> Any:
            with clock.running():
                return score(*positional, **keywords)

        model.loglikelihood = timed
        return model

    module.HFLM = make
    try:
        yield
    finally:
        module.HFLM = plain


def _write(folder: Path, task: LocalTask) -> list[str]:
    """The harness's files: as stock MMLU has them, a task for each subject."""
    rows = _rows(task.rows)
    if task.examples is None:
        return [_write_one(folder, task.name, {"test": rows}, STOCK[task.name])]
    examples, names = _rows(task.examples), []
    for subject in dict.fromkeys(row["subject"] for row in rows):
        splits = {
            split: [row for row in of if row["subject"] == subject]
            for split, of in (("test", rows), ("dev", examples))
        }
        about = subject.replace("_", " ")
        settings = {
            "description": f"The following are multiple choice questions (with answers) about {about}.\n\n",
            "fewshot_split": "dev",
            "num_fewshot": task.shots,
            **STOCK[task.name],
        }
        names.append(_write_one(folder, f"{task.name}_{subject}", splits, settings))
    return names


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [
        {"place": place, **{name: row[name] for name in FIELDS if name in row}}
        for place, row in enumerate(rows)
    ]


def _write_one(
    folder: Path, name: str, splits: Mapping[str, list[dict[str, Any]]], settings: Mapping[str, Any]
) -> str:
    """A task's rows and its settings (JSON is YAML)."""
    files = {}
    for split, rows in splits.items():
        path = folder / f"{name}.{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files[split] = str(path)
    task = f"local_{name}"
    config = {
        "task": task,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        "output_type": "multiple_choice",
        "test_split": "test",
        "doc_to_target": "answer",
        **settings,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(config))
    return task


def _item(sample: Mapping[str, Any]) -> LmEvalItem:
    return LmEvalItem(
        prompts=tuple(context + continuation for context, continuation in sample["arguments"]),
        log_likelihoods=tuple(response[0][0] for response in sample["resps"]),
        right=bool(sample["acc"]),
        right_normalised=bool(sample["acc_norm"]) if "acc_norm" in sample else None,
    )
