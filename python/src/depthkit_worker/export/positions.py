"""What software that takes a block's kind from its number makes of a plain checkpoint, and the configuration
fields that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from depthkit_worker.export.plain_config import Fields
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.pattern import still_misled

LISTED = 8
"""Blocks that a note names."""
NEAREST = 3
"""Removals that a note proposes."""

# From llama.cpp's source: at these depths attention is scaled by hidden size over heads, at all others by the
# size of a head.
_SCALED_BY_DEPTH: Mapping[str, int] = {"gemma2": 46, "gemma3_text": 62}


def position_fields(decoder: Decoder, kept: Sequence[int]) -> Fields:
    """Fields that count blocks from the first, for the model that has only the blocks `kept`; None where none
    of their values is right, so that they must go."""
    content = decoder.config.to_dict()
    fields: dict[str, int | None] = {}
    pattern, periodic = decoder.pattern, decoder.family.periodic
    if pattern is not None and periodic is not None:
        period = pattern.period_of(kept)
        if period != pattern.period or periodic.period_key in content:
            fields[periodic.period_key] = period
        # The library's own copy of the field, which it fills in when it loads.
        fields[f"_{periodic.period_key}"] = None
    if isinstance(start := content.get("max_window_layers"), int):
        fields["max_window_layers"] = _window_start(content.get("layer_types"), start, kept)
    return fields


def _window_start(types: Sequence[str] | None, start: int, kept: Sequence[int]) -> int | None:
    """Qwen's first block with a window, by new numbers; None where windows do not run from one to the
    last."""
    slides = [types is not None and types[old] == "sliding_attention" for old in kept]
    if any(slides) and slides != [old >= start for old in kept]:
        return None
    return sum(old < start for old in kept)


def position_notes(decoder: Decoder, kept: Sequence[int], removed: Sequence[int]) -> tuple[str, ...]:
    """Which software answers wrongly without a word, for which blocks, and what to remove in place of it."""
    return (
        *_order_note(decoder, kept, removed),
        *_window_note(decoder, kept),
        *_scale_note(decoder, len(kept)),
    )


def _order_note(decoder: Decoder, kept: Sequence[int], removed: Sequence[int]) -> tuple[str, ...]:
    pattern, periodic = decoder.pattern, decoder.family.periodic
    if pattern is None or periodic is None:
        return ()
    misled = still_misled(pattern, periodic, kept)
    if not misled:
        return ()
    strays = pattern.strays(kept)
    named = ", ".join(f"{kept.index(old)} (was {old}, {pattern.kinds[old]})" for old in strays[:LISTED])
    more = f" and {len(strays) - LISTED} more" if len(strays) > LISTED else ""
    proposals = [
        ", ".join(f"block.{index}" for index in sorted(one)) or "nothing"
        for one in pattern.nearest(removed, NEAREST)
    ]
    return (
        f"{' and '.join(misled)} would answer wrongly without a word: there every {pattern.period}. block of "
        f"{decoder.family.model_type} is of the kind {pattern.last} by its number, and these blocks are of "
        f"another kind than their new number has: {named}{more}. transformers and vLLM read {periodic.key} "
        f"and are right. Removals nearby that keep the order: {'; '.join(proposals) or 'none'}.",
    )


def _window_note(decoder: Decoder, kept: Sequence[int]) -> tuple[str, ...]:
    if position_fields(decoder, kept).get("max_window_layers", 0) is not None:
        return ()
    return (
        "The blocks with sliding windows do not run from one block to the last, so no max_window_layers is "
        "right, and it was left out: software that does not read layer_types gives windows to other blocks.",
    )


def _scale_note(decoder: Decoder, depth: int) -> tuple[str, ...]:
    special, config = _SCALED_BY_DEPTH.get(decoder.family.model_type), decoder.config
    if special is None:
        return ()

    def derived(blocks: int) -> float:
        return float(
            config.hidden_size / config.num_attention_heads if blocks == special else config.head_dim
        )

    right = config.query_pre_attn_scalar
    if derived(decoder.depth) != right or derived(depth) == right:
        return ()
    return (
        f"llama.cpp would answer wrongly without a word: in {decoder.family.model_type} it takes the scale "
        f"of attention from the number of blocks, and with {depth} in place of {decoder.depth} that is "
        f"1/sqrt({derived(depth):g}), not 1/sqrt({right:g}).",
    )
