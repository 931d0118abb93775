"""A model with every sum in fp64: what two ways of computing in fp32 are measured by."""

from __future__ import annotations

import copy
import functools

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from depthkit_worker.data.tasks import Item


def in_fp64(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a Llama in fp64. The library takes its norms in fp32 whatever the dtype: here they are fp64
    too. The angles of its positions stay the fp32 numbers that the model has."""
    if model.config.model_type != "llama":
        raise SystemExit(f"The norms of {model.config.model_type} are not known here; fp64 is for Llamas.")
    exact = copy.deepcopy(model).double()
    for module in exact.modules():
        if isinstance(module, LlamaRMSNorm):
            norm = functools.partial(
                nn.functional.rms_norm,
                normalized_shape=module.weight.shape,
                weight=module.weight,
                eps=module.variance_epsilon,
            )
            module.forward = norm  # type: ignore[method-assign]
    return exact


@torch.inference_mode()
def log_likelihoods(model: PreTrainedModel, item: Item) -> list[float]:
    """Of each choice, one plain forward each; log-softmaxes in fp64 whatever the model's dtype."""
    found = []
    for choice, scored in enumerate(item.scored):
        ids = torch.from_numpy(item.sequence(choice)).long()[None].to(model.device)
        logits = model(input_ids=ids[:, :-1], use_cache=False, logits_to_keep=scored).logits[0]
        chances = logits.double().log_softmax(-1)
        found.append(float(chances.gather(1, ids[0, -scored:, None]).sum()))
    return found
