"""EleutherAI's lm-evaluation-harness on the model in memory: an optional extra."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessorList, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import HarnessMetric, HarnessOptions, HarnessRunResult, HarnessTask
from depthkit_worker.data.chat import render_chat, require_template
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.harness_tokens import RequestTokens
from depthkit_worker.evaluation.logits import FiniteLogits
from depthkit_worker.models.cancellable import cancellable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.extras import install_command, is_installed
from depthkit_worker.models.kv_cache import cache_keyword, empty_cache, kv_bytes_per_token
from depthkit_worker.models.logits import Reader
from depthkit_worker.session.job import Job, attended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PHASE = "lm-eval"
WHAT = "Evaluating with lm-eval"
BOOTSTRAP = 1000
"""Resamples for the standard errors of metrics that have no formula for one."""


OnSamples = Callable[[Mapping[str, Any]], object]
"""Gets every item of every task, as the harness logs it."""


def run_harness(
    subnetwork: Subnetwork, options: HarnessOptions, job: Job, on_samples: OnSamples | None = None
) -> HarnessRunResult:
    """Evaluate `subnetwork` on the harness's tasks, by its own rules."""
    started = time.monotonic()
    decoder = subnetwork.decoder
    require_harness()
    _check(options)
    if options.chat_template:
        require_template(decoder.require_tokenizer(), "chatTemplate")
    job.report(PHASE, 0, None, "batches")
    evaluate: Any = _import("lm_eval", job).simple_evaluate
    huggingface: Any = _import("lm_eval.models.huggingface", job)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager, tasks = _find_tasks(options, job)
    with removed(subnetwork), cancellable(decoder, job), _own_randomness(decoder), _right_cache(decoder):
        # A copy: the harness gives its tokenizer a pad token and another side to pad on.
        model = huggingface.HFLM(
            pretrained=decoder.model,
            tokenizer=deepcopy(decoder.require_tokenizer()),
            batch_size=options.batch_size,
        )
        model.apply_chat_template = functools.partial(_render, model.tokenizer)
        tokens = RequestTokens(model, Tokeniser(model.tokenizer, decoder.limits))
        _watch(model, tokens, Reader(WHAT, decoder.dtype, "request"), job)
        try:
            results = evaluate(
                model=model,
                tasks=tasks,
                task_manager=manager,
                num_fewshot=options.shots,
                limit=options.limit,
                apply_chat_template=options.chat_template,
                fewshot_as_multiturn=options.chat_template,
                bootstrap_iters=BOOTSTRAP,
                log_samples=on_samples is not None,
            )
        except (FileNotFoundError, ConnectionError) as error:
            raise _no_data(options, error) from error
    if on_samples is not None:
        on_samples(results["samples"])
    return HarnessRunResult(
        tasks=tuple(_tasks(results)),
        bos_in_text=tokens.bos_in_text,
        first_tokens=tokens.first,
        lm_eval_version=importlib.metadata.version("lm-eval"),
        limit=options.limit,
        chat_template=options.chat_template,
        batch_size=options.batch_size,
        seconds=time.monotonic() - started,
    )


def require_harness() -> None:
    if is_installed("lm_eval"):
        return
    command = install_command("lm-eval")
    raise DepthkitError(
        "MODULE_MISSING",
        f"Evaluating with lm-eval needs the Python module lm_eval, which {sys.executable} does not have. "
        f"Run: {command}",
        module="lm_eval",
        command=command,
    )


def _import(name: str, job: Job) -> Any:
    """A module that takes seconds to import."""
    return attended(job, functools.partial(importlib.import_module, name))


def _find_tasks(options: HarnessOptions, job: Job) -> tuple[Any, list[str]]:
    """The harness's index of tasks, and the names asked for. Its own 14,000 task files take seconds to
    index; they are left out where the user's folder has every task."""
    manager_class: Any = _import("lm_eval.tasks", job).TaskManager
    stocks = (False, True) if options.include_path is not None else (True,)
    unknown: list[str] = []
    manager: Any = None
    for stock in stocks:
        manager = attended(
            job, functools.partial(manager_class, include_path=options.include_path, include_defaults=stock)
        )
        found = {name: manager.match_tasks([name]) for name in options.tasks}
        unknown = [name for name, matches in found.items() if not matches]
        if not unknown:
            return manager, list(dict.fromkeys(name for matches in found.values() for name in matches))
    raise DepthkitError(
        "INVALID_ARGUMENT",
        f"lm-eval {importlib.metadata.version('lm-eval')} knows no task, group or tag {', '.join(unknown)}"
        + ("." if options.include_path is None else f", nor does {options.include_path}.")
        + " Check the name, or give the folder of your own task files as includePath.",
        unknown=unknown,
        tasks=len(manager.all_tasks),
    )


def _render(
    tokenizer: PreTrainedTokenizerBase, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
) -> str:
    """In place of the harness's own, which leaves the system's turn out where a template has none, and lets a
    template run for ever."""
    return render_chat(tokenizer, chat_history, "chatTemplate", unfinished=not add_generation_prompt)


def _watch(model: Any, tokens: RequestTokens, reader: Reader, job: Job) -> None:
    """Count the harness's batches, and look at what they give. Requests are counted through, in the order the
    harness asks them."""
    done = requests = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*positional: Any, **keywords: Any) -> Any:
            nonlocal done, requests
            tokens.saw(
                keywords["context"] if "context" in keywords else positional[0],
                keywords.get("attention_mask"),
            )
            result = call(*positional, **keywords)
            if isinstance(result, Tensor) and result.is_floating_point():
                reader.check(result, range(requests, requests + len(result)))
                requests += len(result)
            done += 1
            job.report(PHASE, done, None, "batches")
            return result

        return run

    model._model_call, model._model_generate = counted(model._model_call), counted(model._model_generate)


@contextmanager
def _right_cache(decoder: Decoder) -> Iterator[None]:
    """Inside, the model's `generate` has a cache that is right with units removed. One that the library makes
    from the configuration knows the layers by their old numbers; with no attention left, none would have a
    length to count positions by."""
    model: Any = decoder.model
    generate, cached = model.generate, kv_bytes_per_token(decoder) > 0

    def with_cache(*positional: Any, **keywords: Any) -> Any:
        settings: dict[str, Any] = {cache_keyword(model): empty_cache()} if cached else {"use_cache": False}
        processors = [
            *(keywords.get("logits_processor") or ()),
            FiniteLogits(Reader(WHAT, decoder.dtype, "request")),
        ]
        settings["logits_processor"] = LogitsProcessorList(processors)
        return generate(*positional, **{**keywords, **settings})

    model.generate = with_cache
    try:
        yield
    finally:
        del model.generate


def _tasks(results: Mapping[str, Any]) -> Iterator[HarnessTask]:
    for name, figures in results["results"].items():
        shots, items = results["n-shot"].get(name), results["n-samples"].get(name)
        version = results["versions"].get(name)
        settings = results["configs"].get(name)
        better = results["higher_is_better"].get(name, {})
        yield HarnessTask(
            task=name,
            version=None if version is None else str(version),
            shots=shots if isinstance(shots, int) else None,
            items=None if items is None else int(items["effective"]),
            config_digest=None if settings is None else _digest(settings),
            metrics=tuple(_metrics(figures, better)),
        )


def _metrics(figures: Mapping[str, Any], better: Mapping[str, bool | None]) -> Iterator[HarnessMetric]:
    for key, figure in figures.items():
        name, comma, filtered = key.partition(",")
        value = _number(figure)
        if comma and value is not None and not name.endswith("_stderr"):
            error = _number(figures.get(f"{name}_stderr,{filtered}"))
            yield HarnessMetric(
                name=name,
                filter=filtered,
                value=value,
                standard_error=error,
                higher_is_better=better.get(name),
            )


def _number(value: object) -> float | None:
    """The harness writes "N/A" where there is no figure."""
    if isinstance(value, int | float | np.number) and math.isfinite(float(value)):
        return float(value)
    return None


def _digest(settings: Mapping[str, Any]) -> str:
    own = {**settings, "metadata": {**(settings.get("metadata") or {}), "config_source": None}}
    # Functions of a task's own are named; where they lie in memory is no part of the task.
    text = json.dumps(
        own, sort_keys=True, default=lambda value: getattr(value, "__qualname__", type(value).__name__)
    )
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _own_randomness(decoder: Decoder) -> Iterator[None]:
    """The harness seeds every generator there is; others get theirs back."""
    plain, array = random.getstate(), np.random.get_state()
    cuda = [device for device in decoder.devices if device.type == "cuda"]
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(array)


def _no_data(options: HarnessOptions, error: BaseException) -> DepthkitError:
    offline = any(os.environ.get(name) for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"))
    return DepthkitError(
        "NETWORK" if isinstance(error, ConnectionError) else "FILE_NOT_FOUND",
        f"lm-eval found no data for {', '.join(options.tasks)}: {error}. Stock tasks read theirs from the "
        "Hugging Face hub"
        + (" (which HF_HUB_OFFLINE or HF_DATASETS_OFFLINE forbids)" if offline else "")
        + "; a task of "
        "your own can read local files (dataset_path: json, data_files).",
        tasks=list(options.tasks),
    )


def _check(options: HarnessOptions) -> None:
    if options.include_path is not None and not Path(options.include_path).is_dir():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"includePath {options.include_path} is no folder. Give the folder that holds your task files "
            f"(.yaml).",
            path=options.include_path,
        )
