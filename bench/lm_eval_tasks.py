"""Per-item log-likelihoods of arc_easy, piqa, boolq and mmlu by lm-eval itself, from local files.

    PYTHONPATH=python/src python bench/lm_eval_tasks.py MODEL_FOLDER SHARED_FOLDER \
        [--tasks arc_easy piqa boolq mmlu] [--limit 50] [--subjects anatomy ...] [--remove block.3 attention.5]

Needs the extra (`depthkit setup --with lm-eval`) and no network: the stock tasks' templates are written out
here over the shared files, whose items come in the stock order. Prints one JSON document: for every item its
file, line, log-likelihoods by choice and the harness's own verdicts; for every task the harness's scores.
`mmlu` is its subjects, 5-shot from the dev file; `--limit` counts items of each subject. What another scorer
gives for the same items must agree to 1e-4 in fp32.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from depthkit_worker.evaluation.harness import HarnessOptions, run_harness
from depthkit_worker.job import Unattended
from depthkit_worker.models.load import LoadOptions, load_model
from depthkit_worker.models.units import Unit

METRICS = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
# As in lm-eval 0.4.13: tasks/arc, tasks/piqa, tasks/super_glue/boolq, tasks/mmlu/default. The fields are the
# shared files' names.
PLAIN: dict[str, dict[str, Any]] = {
    "arc_easy": {
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}",
        "metric_list": METRICS,
        "metadata": {"version": 1.0},
    },
    "piqa": {
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}",
        "metric_list": METRICS,
        "metadata": {"version": 1.0},
    },
    "boolq": {
        # The stock template adds the question mark, which the shared file's questions have already.
        "doc_to_text": "{{context}}\nQuestion: {{question}}\nAnswer:",
        "doc_to_choice": ["no", "yes"],
        "metric_list": METRICS[:1],
        "metadata": {"version": 2.0},
    },
}
MMLU = {
    "fewshot_split": "dev",
    "fewshot_config": {"sampler": "first_n"},
    "num_fewshot": 5,
    "doc_to_text": (
        "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
    ),
    "doc_to_choice": ["A", "B", "C", "D"],
    "metric_list": METRICS[:1],
    "metadata": {"version": 1.0},
}


def records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield {**json.loads(line), "place": f"{path.name}:{number}"}


def write_task(folder: Path, name: str, splits: dict[str, list[dict[str, Any]]], settings: dict[str, Any]) -> str:
    """The task's files: its items, and its settings (JSON is YAML)."""
    files = {}
    for split, items in splits.items():
        path = folder / f"{name}.{split}.jsonl"
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
        files[split] = str(path)
    task = f"local_{name}"
    config = {
        "task": task,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files},
        "output_type": "multiple_choice",
        "test_split": "test",
        "doc_to_target": "answer",
        **settings,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(config))
    return task


def write_mmlu(folder: Path, data: Path, subjects: list[str] | None) -> list[str]:
    test, dev = (list(records(data / f"mmlu_{split}.jsonl")) for split in ("test", "dev"))
    names = subjects or list(dict.fromkeys(item["subject"] for item in test))
    tasks = []
    for subject in names:
        splits = {
            "test": [item for item in test if item["subject"] == subject],
            "dev": [item for item in dev if item["subject"] == subject],
        }
        about = subject.replace("_", " ")
        description = f"The following are multiple choice questions (with answers) about {about}.\n\n"
        tasks.append(write_task(folder, f"mmlu_{subject}", splits, {"description": description, **MMLU}))
    return tasks


def item_of(sample: dict[str, Any]) -> dict[str, Any]:
    return {
        "place": sample["doc"]["place"],
        "logLikelihoods": [response[0][0] for response in sample["resps"]],
        "target": sample["target"],
        **{name: sample[name] for name in ("acc", "acc_norm") if name in sample},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--tasks", nargs="+", default=[*PLAIN, "mmlu"], choices=[*PLAIN, "mmlu"])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--subjects", nargs="+")
    parser.add_argument("--remove", nargs="+", default=[])
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    data: Path = given.shared / "data"
    decoder = load_model(LoadOptions(str(given.model), given.model.parent, device=given.device), Unattended())
    units = [Unit.parse(name) for name in given.remove]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
        tasks = []
        for task in given.tasks:
            if task == "mmlu":
                tasks += write_mmlu(folder, data, given.subjects)
            else:
                splits = {"test": list(records(data / f"{task}.jsonl"))}
                tasks.append(write_task(folder, task, splits, PLAIN[task]))
        options = HarnessOptions(
            tuple(tasks), limit=given.limit, batch_size=given.batch_size, include_path=str(folder), samples=True
        )
        outcome = run_harness(decoder, units, options, Unattended())
    assert outcome.samples is not None
    document = {
        "lmEval": outcome.version,
        "model": str(decoder.source.name),
        "removed": [str(unit) for unit in units],
        "tasks": [
            {
                "task": task.task.removeprefix("local_"),
                "shots": task.shots,
                "metrics": {metric.name: metric.value for metric in task.metrics},
                "items": [item_of(sample) for sample in outcome.samples[task.task]],
            }
            for task in outcome.tasks
        ],
    }
    json.dump(document, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
