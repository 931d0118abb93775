from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from depthkit_worker.contract.wire import (
    ChoiceItems,
    ChoicesResult,
    EvaluationChoicesParams,
    EvaluationLastWordParams,
    EvaluationPerplexityParams,
    LastWordItems,
    LastWordResult,
    PerplexityItems,
    PerplexityResult,
    TaskKind,
    TensorRef,
)
from depthkit_worker.data.stream import TextStream, make_stream
from depthkit_worker.data.tasks import Task
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import tokeniser_of, tokenizer_digest
from depthkit_worker.evaluation import perplexity as perplexities
from depthkit_worker.evaluation.choices import (
    choice_result,
    chosen_of,
    last_word_result,
    normalised,
    require_kind,
)
from depthkit_worker.evaluation.task_scores import Scores, task_scores
from depthkit_worker.handlers.items import finished_items
from depthkit_worker.handlers.sources import check_readable, hands_of, subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def perplexity(session: Session, params: EvaluationPerplexityParams, call: Call) -> PerplexityResult:
    subnetwork, stream = subnetwork_of(session, params), _stream(session, params, call)

    def each(losses: NDArray[np.float64], tokens: NDArray[np.int64]) -> PerplexityItems:
        return PerplexityItems(losses=call.attach(losses), tokens=call.attach(tokens.astype(np.uint32)))

    return perplexities.perplexity(
        subnetwork,
        stream,
        params,
        call,
        policy=params.policy,
        finished=finished_items(params.known, call),
        each=each if params.items else None,
        hands=hands_of(session, subnetwork),
    )


def _stream(session: Session, params: EvaluationPerplexityParams, call: Call) -> TextStream:
    tokeniser = tokeniser_of(session.models.get(params.model))
    texts = read_texts(params.data, call)
    # Another model with this tokenizer may have fewer rows.
    key = (
        texts.info,
        tokenizer_digest(tokeniser.tokenizer),
        tokeniser.limits.rows,
        params.rows,
        params.separator,
    )
    return session.stream.get(key, [params.model], lambda: make_stream(tokeniser, texts, params, call))


def choices(session: Session, params: EvaluationChoicesParams, call: Call) -> ChoicesResult:
    task = _task(session, params, "choices")
    dense = _dense(session, params, task, call) if params.compare_to_dense else None
    scores = _scores(session, params, task, call)
    result = choice_result(task.items, scores, task_digest=task.info.digest, dense=dense)
    return replace(result, per_item=_choice_items(task, scores, call)) if params.items else result


def last_word(session: Session, params: EvaluationLastWordParams, call: Call) -> LastWordResult:
    task = _task(session, params, "last-word")
    scores = _scores(session, params, task, call)
    result = last_word_result(task, scores)
    return replace(result, per_item=_last_word_items(scores, call)) if params.items else result


def _task(
    session: Session, params: EvaluationChoicesParams | EvaluationLastWordParams, kind: TaskKind
) -> Task:
    task = session.tasks.get(params.task)
    require_kind(task, kind)
    check_readable(task, session.models.get(params.model))
    return task


def _scores(
    session: Session, params: EvaluationChoicesParams | EvaluationLastWordParams, task: Task, call: Call
) -> Scores:
    finished = finished_items(params.known, call)
    subnetwork = subnetwork_of(session, params)
    return task_scores(
        subnetwork,
        task,
        call,
        policy=params.policy,
        batch_size=params.batch_size,
        finished=finished,
        hands=hands_of(session, subnetwork),
    )


def _dense(session: Session, params: EvaluationChoicesParams, task: Task, call: Call) -> Scores:
    key = (params.model, params.task)

    def make() -> Scores:
        whole = Subnetwork.dense(session.models.get(params.model))
        hands = hands_of(session, whole)
        return task_scores(
            whole, task, call, batch_size=params.batch_size, phase="dense choices", hands=hands
        )

    return session.dense_scores.get(key, key, make)


def _choice_items(task: Task, scores: Scores, call: Call) -> ChoiceItems:
    def attach(numbers: Sequence[int] | NDArray[np.int64]) -> TensorRef:
        return call.attach(np.asarray(numbers, dtype=np.uint32))

    return ChoiceItems(
        log_likelihoods=call.attach(np.concatenate(scores.log_likelihoods)),
        ends=attach(np.cumsum([len(item.tails) for item in task.items])),
        chosen=attach(chosen_of(scores)),
        chosen_norm_chars=attach(normalised(scores, [item.characters for item in task.items])),
        chosen_norm_bytes=attach(normalised(scores, [item.bytes for item in task.items])),
        answers=attach([item.answer for item in task.items]),
    )


def _last_word_items(scores: Scores, call: Call) -> LastWordItems:
    return LastWordItems(
        log_likelihoods=call.attach(np.concatenate(scores.log_likelihoods)),
        right=call.attach(np.concatenate(scores.greedy).astype(np.uint8)),
    )
