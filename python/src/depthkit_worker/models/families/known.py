"""Finding the family of a configuration: by exact name, never by resemblance."""

from __future__ import annotations

from transformers import PreTrainedConfig

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import classic, mixture, parallel, post_norm, pre_norm
from depthkit_worker.models.families.family import Family

FAMILIES: dict[str, Family] = {
    family.model_type: family
    for group in (pre_norm, mixture, post_norm, parallel, classic)
    for family in group.FAMILIES
}


def family_of(config: PreTrainedConfig) -> Family:
    """The family that describes models of `config`."""
    family = FAMILIES.get(config.model_type)
    known = sorted(FAMILIES)
    if family is None:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"depthkit does not know the architecture {config.model_type!r}. It knows {', '.join(known)}.",
            modelType=config.model_type,
            known=known,
        )
    reason = family.unsupported(config)
    if reason is not None:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"This {config.model_type} model cannot be taken apart: {reason}.",
            modelType=config.model_type,
        )
    return family
