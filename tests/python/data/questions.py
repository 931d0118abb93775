"""A task's file as text, before anything is tokenised."""

from __future__ import annotations

from pathlib import Path

from depthkit_worker.data import tasks
from depthkit_worker.data.tasks import TaskOptions
from depthkit_worker.data.templates import Format, Question
from depthkit_worker.session.job import Unattended


def read_questions(path: Path) -> tuple[Format, list[Question]]:
    """All rows of `path`, by the format that they name."""
    rows, format_ = tasks._read(path, TaskOptions(), Unattended())
    return format_, [format_.read(row) for row in rows]
