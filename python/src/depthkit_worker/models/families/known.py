"""Finding the family of a configuration: by exact name, never by resemblance."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import PreTrainedConfig

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import classic, mixture, parallel, post_norm, pre_norm
from depthkit_worker.models.families.family import Family

FAMILIES: dict[str, Family] = {
    family.model_type: family
    for group in (pre_norm, mixture, post_norm, parallel, classic)
    for family in group.FAMILIES
}


_LINEAR = "most of its attentions are linear and keep a state of their own in place of keys and values"
# Each is wired in a way that nothing here describes: better refused by name than nearly right.
_REFUSED: Mapping[str, str] = {
    "gemma3n": "its last blocks read keys and values of earlier ones, and its stream is several",
    "gemma4": "its last blocks read keys and values of earlier ones, so that none of those can go alone",
    "gpt_neo": "its windows follow a pattern by the block's number that no shorter model can have",
    "lfm2": "some of its blocks have a short convolution in attention's place, with a cache of its own",
    "llama4": "which of its blocks see chunks, positions and experts depends on their numbers in three lists",
    "minimax": "it adds updates to the normed stream, and most of its attentions keep a state of their own",
    "qwen3_5": _LINEAR,
    "qwen3_next": _LINEAR,
}
"""Asked for often and not described, by `model_type`, "_text" left out: why."""


def unknown(what: str, model_type: object) -> DepthkitError:
    """The refusal of an architecture without a family. `what`: what has it, as a sentence begins."""
    known = sorted(FAMILIES)
    reason = _REFUSED.get(str(model_type).removesuffix("_text"))
    why = "which depthkit does not know" if reason is None else f"which depthkit cannot take apart: {reason}"
    return DepthkitError(
        "MODEL_UNSUPPORTED",
        f"{what} the architecture {model_type!r}, {why}. It knows {', '.join(known)}.",
        modelType=model_type,
        known=known,
    )


def family_of(config: PreTrainedConfig) -> Family:
    """The family that describes models of `config`."""
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise unknown("The model has", config.model_type)
    reason = family.unsupported(config)
    if reason is not None:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"This {config.model_type} model cannot be taken apart: {reason}.",
            modelType=config.model_type,
        )
    return family
