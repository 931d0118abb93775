from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.wire import (
    ChoicesList,
    Empty,
    NamedFormat,
    RowsFormat,
    TaskInfo,
    TaskLoadParams,
    TaskUnloadParams,
    TemplateFormat,
)
from depthkit_worker.data.tasks import Task, TaskOptions, load_task
from depthkit_worker.data.templates import FormatName, Template
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def load(session: Session, params: TaskLoadParams, call: Call) -> TaskInfo:
    decoder = session.models.get(params.model)
    options = TaskOptions(
        format=_format(params.format),
        shots=params.shots,
        shots_file=None if params.shots_file is None else Path(params.shots_file),
        limit=params.limit,
        bos=params.bos,
    )
    task = load_task(decoder.require_tokenizer(), decoder.context_length, Path(params.path), options, call)
    return _info(session.tasks.add(task), task)


def unload(session: Session, params: TaskUnloadParams, call: Call) -> Empty:
    session.close_task(params.task)
    return Empty()


def _format(source: RowsFormat | NamedFormat | TemplateFormat) -> FormatName | Template | None:
    if isinstance(source, RowsFormat):
        return None
    if isinstance(source, NamedFormat):
        return source.name
    choices = source.choices
    return Template(
        prompt=source.prompt,
        choices=tuple(choices.texts) if isinstance(choices, ChoicesList) else choices.name,
        answer=source.answer,
        group=source.group,
        description=source.description,
        delimiter=source.delimiter,
        separator=source.separator,
    )


def _info(handle: str, task: Task) -> TaskInfo:
    items = task.items
    return TaskInfo(
        task=handle,
        kind=task.kind,
        format=task.format,
        digest=task.digest,
        files=list(task.files),
        file_digests=list(task.file_digests),
        items=len(items),
        rows=task.rows,
        groups=list(task.groups),
        shots=task.options.shots,
        limit=task.options.limit,
        bos=task.options.bos,
        bos_added=task.bos_added,
        tokens=task.tokens,
        longest=max(item.longest for item in items),
        single_token=sum(item.single_token for item in items),
        items_with_shots_dropped=sum(item.shots_dropped > 0 for item in items),
        shots_dropped=sum(item.shots_dropped for item in items),
        items_cut=sum(item.tokens_cut > 0 for item in items),
        tokens_cut=sum(item.tokens_cut for item in items),
    )
