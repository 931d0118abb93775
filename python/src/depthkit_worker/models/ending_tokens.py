"""The tokens that end a text."""

from __future__ import annotations

from depthkit_worker.models.decoder import Decoder


def ending_tokens(decoder: Decoder) -> tuple[int, ...]:
    """From the checkpoint's generation settings, or else its configuration."""
    for shipped in (decoder.model.generation_config, decoder.config):
        ends = getattr(shipped, "eos_token_id", None)
        if ends is not None:
            return tuple(ends) if isinstance(ends, list) else (int(ends),)
    return ()
