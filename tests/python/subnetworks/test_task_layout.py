"""Where prompts and choices lie: what is shared is there once, and nothing sees what is not its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import LongTensor, Tensor

from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Branching, Decoder, Replay
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from depthkit_worker.subnetworks.task_layout import (
    MOST_TOKENS,
    branching,
    lay_out,
    lay_out_apart,
    sharing_a_row,
)
from depthkit_worker.subnetworks.task_rows import TaskRows
from task_items import by_forward, random_task
from tiny import tiny_model


def spelled(task: Task, numbers: tuple[int, ...], apart: bool = False) -> None:
    """Every choice's path spells what is read for it, at its own positions, seeing that and no more."""
    items = [task.items[number] for number in numbers]
    layout = lay_out_apart(items[0]) if apart else lay_out(items)
    width = layout.width + 2
    mask = branching(layout.rows, width)
    for item, homes in zip(items, layout.homes, strict=True):
        for choice, home in enumerate(homes):
            row, read = layout.rows[home.row], item.sequence(choice)[:-1]
            places = row.places(home.path)
            assert row.ids[places].tolist() == read.tolist()
            assert mask.position_ids[home.row][places].tolist() == list(range(len(read)))
            for count, place in enumerate(places, start=1):
                assert np.flatnonzero(mask.sees[home.row, place].numpy()).tolist() == places[:count].tolist()


def test_items_behind_the_same_examples_lie_in_one_row() -> None:
    task = random_task(8, shots=100)
    assert sorted(sharing_a_row(task.items, [True] * 8)) == [(0, 2, 4, 6), (1, 3, 5, 7)]
    for numbers in ((0, 2, 4, 6), (1, 3, 5, 7), (2, 6), (5,)):
        spelled(task, numbers)
    layout = lay_out([task.items[number] for number in (0, 2, 4, 6)])
    own = [lay_out([task.items[number]]).width - 100 for number in (0, 2, 4, 6)]
    assert len(layout.rows) == 1 and layout.width == 100 + sum(own)


def test_an_item_that_cannot_branch_has_a_row_for_each_thing_read() -> None:
    task = random_task(4)
    for number in range(4):
        spelled(task, (number,), apart=True)
    assert [len(lay_out_apart(item).rows) for item in task.items[:2]] == [1, 3], "two choices are read alike"


def test_choices_that_begin_differently_share_nothing() -> None:
    item = random_task(3).items[2]
    bare = replace(item, trunk=item.trunk[:0], tails=tuple(item.sequence(choice) for choice in range(4)))
    task = replace(random_task(1), items=(bare,))
    spelled(task, (0,))
    spelled(task, (0,), apart=True)


def test_little_in_common_or_a_model_that_cannot_branch_keeps_items_apart() -> None:
    alone = [(number,) for number in range(8)]
    task = random_task(8, shots=100)
    assert sorted(sharing_a_row(task.items, [False] * 8)) == alone
    assert sorted(sharing_a_row(random_task(8).items, [True] * 8)) == alone
    assert sorted(sharing_a_row(task.items, [number != 0 for number in range(8)])) == [
        (0,),
        (1, 3, 5, 7),
        (2, 4, 6),
    ]


@pytest.mark.parametrize(("front", "own", "together"), [(100, 20, 10), (100, 90, 2), (3000, 200, 5)])
def test_rows_do_not_grow_beyond_what_pays(front: int, own: int, together: int) -> None:
    examples = np.arange(front, dtype=np.int32)
    items = [_item(np.concatenate([examples, np.full(own, number, dtype=np.int32)])) for number in range(20)]
    found = sharing_a_row(items, [True] * 20)
    assert max(map(len, found)) == together and sum(map(len, found)) == 20
    assert max(lay_out([items[number] for number in sharers]).width for sharers in found) <= MOST_TOKENS


def test_a_half_of_a_batch_lays_out_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")
    task, begin, widths = random_task(8, shots=100), Decoder.begin, []

    def short_of_memory(
        self: Decoder,
        input_ids: LongTensor,
        branching: Branching | None = None,
        counted: Tensor | None = None,
    ) -> Replay:
        if input_ids.numel() > 160:
            raise MemoryError("no more")
        widths.append(input_ids.shape[1])
        return begin(self, input_ids, branching, counted)

    monkeypatch.setattr(Decoder, "begin", short_of_memory)
    found = task_scores(Subnetwork.dense(Decoder(model)), task, Unattended(), batch_size=2)
    assert found.notes[0] == "out of memory with 8 sequences per batch; went on with 4" and len(widths) > 2
    for item, scores in zip(task.items, found.log_likelihoods, strict=True):
        np.testing.assert_allclose(scores, [of for of, _ in by_forward(model, item)], rtol=0, atol=1e-5)


def test_a_batch_counts_items_that_share_a_row_as_one() -> None:
    rows = TaskRows(random_task(9, shots=200), Decoder(tiny_model("llama")))
    assert rows.shares(1, lambda _: 1) == [(0, 5), (5, 9)] and rows.shares(2, lambda _: 1) == [(0, 9)]
    assert rows.shares(None, lambda _: 1) == [(0, 5), (5, 9)]
    assert sorted(rows.order) == list(range(9))


def _item(trunk: np.ndarray) -> Item:
    return replace(random_task(1).items[0], trunk=trunk)
