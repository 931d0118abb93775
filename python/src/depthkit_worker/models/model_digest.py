"""What a model answers is determined by this, and the device."""

from __future__ import annotations

import hashlib
import json

from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.dtypes import dtype_name


def model_digest(decoder: Decoder) -> str:
    tokenizer = None if decoder.tokenizer is None else tokenizer_digest(decoder.tokenizer)
    parts: list[object] = [
        decoder.source.weights_digest,
        decoder.config.to_dict(),
        tokenizer,
        dtype_name(decoder.dtype),
        decoder.attention_implementation,
    ]
    if decoder.source.layout is not None:
        parts.append(decoder.source.layout)
    if decoder.source.quantisation is not None:
        # The library's products are the model's: another release may round otherwise.
        parts.append([decoder.source.quantisation.library, str(decoder.source.quantisation)])
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
