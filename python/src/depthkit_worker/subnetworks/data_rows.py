"""What may be scored, as rows for the engine."""

from __future__ import annotations

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tasks import Task
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.corpus_rows import CorpusRows
from depthkit_worker.subnetworks.scorable import Scorable
from depthkit_worker.subnetworks.task_rows import TaskRows

Data = Corpus | Task


def rows_of(data: Data | Scorable, decoder: Decoder) -> Scorable:
    if isinstance(data, Corpus):
        return CorpusRows(data)
    return TaskRows(data, decoder) if isinstance(data, Task) else data
