"""The objective against plain formulas in fp64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from depthkit_worker.models.next_token_loss import IGNORED, cross_entropy
from depthkit_worker.repair.training.objective import (
    kl_divergence,
    relative_error,
    restored,
    top_of,
)

VOCABULARY = 40


def logits(seed: int, scale: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(5, 7, VOCABULARY, generator=generator) * scale


def exact_in_fp16(x: Tensor) -> Tensor:
    return (x * 32).round() / 32


def divergence(student: Tensor, teacher: Tensor, top: int) -> Tensor:
    return kl_divergence(student, student.logsumexp(-1), restored(*top_of(teacher, top)))


@pytest.mark.parametrize("top", [VOCABULARY, VOCABULARY + 100])
def test_with_the_whole_vocabulary_it_is_the_kl_of_pytorch(top: int) -> None:
    teacher, student = exact_in_fp16(logits(0)), logits(1)
    p, q = (x.double().log_softmax(-1) for x in (teacher, student))
    expected = functional.kl_div(q, p, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(divergence(student, teacher, top).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("top", [1, 3, 39])
def test_of_the_top_it_is_the_kl_with_one_bucket_for_the_rest(top: int) -> None:
    teacher, student = exact_in_fp16(logits(0)), logits(1)
    p, q = (x.double().softmax(-1) for x in (teacher, student))
    ids = p.topk(top).indices

    def bucketed(x: Tensor) -> Tensor:
        kept = x.gather(-1, ids)
        return torch.cat([kept, 1 - kept.sum(-1, keepdim=True)], dim=-1)

    a, b = bucketed(p), bucketed(q)
    expected = (a * (a.log() - b.log())).sum(-1)
    torch.testing.assert_close(divergence(student, teacher, top).double(), expected, rtol=1e-4, atol=1e-5)


def test_its_gradient_is_q_minus_p_on_the_top() -> None:
    teacher, student = exact_in_fp16(logits(0)), logits(1).requires_grad_()
    divergence(student, teacher, 4).sum().backward()  # type: ignore[no-untyped-call]
    p, q = teacher.softmax(-1), student.detach().softmax(-1)
    ids = p.topk(4).indices
    rest = 1 - p.gather(-1, ids).sum(-1, keepdim=True)
    others = q.scatter(-1, ids, 0.0)
    target = (others / others.sum(-1, keepdim=True) * rest).scatter(-1, ids, p.gather(-1, ids))
    assert student.grad is not None
    torch.testing.assert_close(student.grad, q - target, rtol=1e-4, atol=1e-5)


def test_the_teacher_itself_has_no_divergence_whatever_rounding_did() -> None:
    teacher = logits(0, scale=8.0)
    for top in (1, 5, VOCABULARY):
        assert divergence(teacher, teacher, top).abs().max() < 1e-4


def test_logits_far_apart_stay_numbers() -> None:
    teacher = torch.full((1, 1, VOCABULARY), -1e30)
    teacher[..., 3] = 0.0
    student = logits(1)[:1, :1].requires_grad_()
    value = divergence(student, teacher, 10).sum()
    value.backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert torch.isfinite(value) and torch.isfinite(student.grad).all()
    torch.testing.assert_close(value, -student.log_softmax(-1)[0, 0, 3])


def test_cross_entropy_is_pytorchs() -> None:
    student = logits(1)
    targets = torch.randint(0, VOCABULARY, (5, 7), generator=torch.Generator().manual_seed(2))
    targets[0, 3:] = IGNORED
    expected = functional.cross_entropy(
        student.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
    )
    torch.testing.assert_close(cross_entropy(student, student.logsumexp(-1), targets), expected)


def test_relative_error_is_by_the_dense_streams_square() -> None:
    x, dense = logits(3), logits(4)
    expected = torch.linalg.vector_norm(x - dense, dim=-1) ** 2 / torch.linalg.vector_norm(dense, dim=-1) ** 2
    torch.testing.assert_close(relative_error(x, dense), expected)
    assert relative_error(x, x).abs().max() == 0
    assert relative_error(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0
