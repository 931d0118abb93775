"""How far torch's fp32 log-softmax is off, and why: a model's logits on real text, against fp64.

    PYTHONPATH=python/src python bench/lm-eval/log_softmax.py MODEL SHARED [--positions 384]

The kernel for CPU keeps one running fp32 sum of exponentials per vector lane: 8 with AVX2, 16 with AVX-512.
Written out, such sums are off by what the kernel is off, position by position. Takes seconds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

LANES = (8, 16)
VOCABULARIES = (1024, 4096, 16384)


def off(logits: Tensor) -> Tensor:
    """fp32 log-softmax less fp64's, of the likeliest token of each row."""
    likeliest = logits.argmax(-1, keepdim=True)
    return (logits.log_softmax(-1).double() - logits.double().log_softmax(-1)).gather(1, likeliest)[:, 0]


def off_by_sums(logits: Tensor, sums: Tensor) -> Tensor:
    """What a log-softmax is off by whose exponentials, relative to the highest logit, sum to `sums`."""
    highest = logits.amax(1, keepdim=True).double()
    return (logits.double() - highest).exp().sum(1).log() - sums.double().log()


def running_sums(terms: Tensor, lanes: int) -> Tensor:
    """One fp32 sum a lane, from the first word to the last; the lanes together in fp64."""
    steps = terms.view(len(terms), -1, lanes)
    total = torch.zeros_like(steps[:, 0])
    for step in steps.unbind(1):
        total += step
    return total.double().sum(1)


def show(what: str, error: Tensor) -> None:
    least, most = error.aminmax()
    print(f"{what}: mean {error.mean():+.1e}, from {least:+.1e} to {most:+.1e}")


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--positions", type=int, default=384)
    given = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32).eval()
    with (given.shared / "data" / "piqa.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(100), strict=False)]
    text = "\n\n".join(
        f"Question: {row['question']}\nAnswer: {row['choices'][row['answer']]}" for row in rows
    )
    ids = AutoTokenizer.from_pretrained(given.model)(text, return_tensors="pt")["input_ids"][
        :, : given.positions
    ]
    logits = model(input_ids=ids, use_cache=False).logits[0].contiguous()
    kernel, terms = off(logits), (logits - logits.amax(1, keepdim=True)).exp()
    print(
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; nats, {len(logits)} positions"
    )
    show(f"fp32 log_softmax over {logits.shape[1]}", kernel)
    for words in VOCABULARIES:
        show(f"fp32 log_softmax over the first {words}", off(logits[:, :words].contiguous()))
    for lanes in LANES:
        written_out = off_by_sums(logits, running_sums(terms, lanes))
        show(f"{lanes} running fp32 sums", written_out)
        print(f"  away from the kernel's by at most {(written_out - kernel).abs().max():.1e}")
    show("fp32 exponentials, torch.sum", off_by_sums(logits, terms.sum(1)))
    show("fp32 exponentials, summed in fp64", off_by_sums(logits, terms.double().sum(1)))


if __name__ == "__main__":
    main()
