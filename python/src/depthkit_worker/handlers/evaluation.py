from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    Agreement,
    ChoiceItems,
    ChoicesResult,
    EvaluationChoicesParams,
    EvaluationLastWordParams,
    EvaluationPerplexityParams,
    GroupScore,
    LastWordItems,
    LastWordResult,
    PerplexityResult,
    Rate,
    TensorRef,
)
from depthkit_worker.data.stream import TextStream, make_stream
from depthkit_worker.data.tasks import Task
from depthkit_worker.data.text import Texts
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.evaluation import choices as choice_results
from depthkit_worker.evaluation.perplexity import PerplexityOptions
from depthkit_worker.evaluation.perplexity import perplexity as measure_perplexity
from depthkit_worker.evaluation.task_scores import Scores, task_scores
from depthkit_worker.handlers.items import finished_items
from depthkit_worker.handlers.sources import check_tokenizer, data_info, read_texts, subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def perplexity(session: Session, params: EvaluationPerplexityParams, call: Call) -> PerplexityResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    texts = read_texts(params.data, call)
    stream = _stream(session, subnetwork.decoder.require_tokenizer(), texts, params, call)
    options = PerplexityOptions(
        chunk=params.chunk,
        stride=params.stride,
        max_chunks=params.max_chunks,
        bos=params.bos,
        batch_size=params.batch_size,
    )
    finished = finished_items(params.known, call)
    result = measure_perplexity(subnetwork, stream, options, call, finished=finished)
    return PerplexityResult(
        perplexity=result.perplexity,
        loss=result.loss,
        mean_of_sequences=result.mean_of_sequences,
        word_perplexity=result.word_perplexity,
        bits_per_byte=result.bits_per_byte,
        data=data_info(texts),
        rows=params.rows,
        separator=params.separator,
        chunk=result.windows.chunk,
        stride=result.windows.stride,
        chunks=result.chunks,
        bos=result.bos,
        bos_added=result.bos_added,
        tokens_total=result.tokens_total,
        tokens_scored=result.tokens_scored,
        tokens_dropped=result.tokens_dropped,
        batch_size=result.batch_size,
        seconds=time.monotonic() - started,
    )


def _stream(
    session: Session,
    tokenizer: PreTrainedTokenizerBase,
    texts: Texts,
    params: EvaluationPerplexityParams,
    call: Call,
) -> TextStream:
    key = (texts.digest, tokenizer_digest(tokenizer), params.rows, params.separator)

    def make() -> TextStream:
        return make_stream(tokenizer, texts, call, rows=params.rows, separator=params.separator)

    return session.stream.get(key, [params.model], make)


def choices(session: Session, params: EvaluationChoicesParams, call: Call) -> ChoicesResult:
    started = time.monotonic()
    subnetwork, task = subnetwork_of(session, params), _task(session, params, "choices")
    dense = None
    if params.compare_to_dense:
        dense = choice_results.choice_result(task.items, _dense(session, params, task, call).log_likelihoods)
    scores = _scores(subnetwork, task, params, call)
    result = choice_results.choice_result(task.items, scores.log_likelihoods)
    return ChoicesResult(
        acc=_rate(result.acc),
        acc_norm_chars=_rate(result.acc_norm_chars),
        acc_norm_bytes=_rate(result.acc_norm_bytes),
        groups=[
            GroupScore(
                name=group.name,
                items=group.items,
                acc=group.acc,
                acc_norm_chars=group.acc_norm_chars,
                acc_norm_bytes=group.acc_norm_bytes,
            )
            for group in result.groups
        ],
        choice_loss=result.choice_loss,
        probability_mass=result.probability_mass,
        ties=result.ties,
        items=len(task.items),
        task_digest=task.digest,
        comparison=None if dense is None else _agreement(choice_results.agreement(task.items, result, dense)),
        per_item=_choice_items(task, scores, result.chosen, call) if params.items else None,
        batch_size=scores.batch_size,
        notes=list(scores.notes),
        seconds=time.monotonic() - started,
    )


def last_word(session: Session, params: EvaluationLastWordParams, call: Call) -> LastWordResult:
    started = time.monotonic()
    subnetwork, task = subnetwork_of(session, params), _task(session, params, "last-word")
    scores = _scores(subnetwork, task, params, call)
    result = choice_results.last_word_result(task, scores)
    items = None
    if params.items:
        items = LastWordItems(
            log_likelihoods=call.attach(np.concatenate(scores.log_likelihoods)),
            right=call.attach(np.concatenate(scores.greedy).astype(np.uint8)),
        )
    return LastWordResult(
        acc=result.acc,
        standard_error=result.standard_error,
        perplexity=result.perplexity,
        loss=result.loss,
        tokens=result.tokens,
        items=len(task.items),
        task_digest=task.digest,
        per_item=items,
        batch_size=scores.batch_size,
        notes=list(scores.notes),
        seconds=time.monotonic() - started,
    )


def _task(session: Session, params: EvaluationChoicesParams | EvaluationLastWordParams, kind: str) -> Task:
    task = session.tasks.get(params.task)
    choice_results.require_kind(task, kind)
    check_tokenizer(task, session.models.get(params.model))
    return task


def _scores(
    subnetwork: Subnetwork, task: Task, params: EvaluationChoicesParams | EvaluationLastWordParams, call: Call
) -> Scores:
    finished = finished_items(params.known, call)
    return task_scores(subnetwork, task, call, batch_size=params.batch_size, finished=finished)


def _dense(session: Session, params: EvaluationChoicesParams, task: Task, call: Call) -> Scores:
    key = (params.model, params.task)

    def make() -> Scores:
        whole = Subnetwork.dense(session.models.get(params.model))
        return task_scores(whole, task, call, batch_size=params.batch_size, phase="dense choices")

    return session.dense_scores.get(key, key, make)


def _rate(rate: choice_results.Rate) -> Rate:
    return Rate(micro=rate.micro, macro=rate.macro, standard_error=rate.standard_error)


def _agreement(found: choice_results.Agreement) -> Agreement:
    return Agreement(
        dense_acc=found.dense_acc,
        agreement=found.agreement,
        both_right=found.both_right,
        only_dense_right=found.only_dense_right,
        only_subnetwork_right=found.only_subnetwork_right,
        both_wrong=found.both_wrong,
    )


def _choice_items(task: Task, scores: Scores, chosen: Sequence[int], call: Call) -> ChoiceItems:
    def attach(numbers: Sequence[int] | NDArray[np.int64]) -> TensorRef:
        return call.attach(np.asarray(numbers, dtype=np.uint32))

    return ChoiceItems(
        log_likelihoods=call.attach(np.concatenate(scores.log_likelihoods)),
        ends=attach(np.cumsum([len(item.tails) for item in task.items])),
        chosen=attach(chosen),
        answers=attach([item.answer for item in task.items]),
    )
