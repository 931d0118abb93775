"""The harness's own tokenising, held to what the model can read and to one BOS token in front."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from depthkit_worker.contract.wire import FirstToken
from depthkit_worker.data.tokens import Tokeniser


class RequestTokens:
    """Stands between the harness's model class and its tokenizer.

    The harness looks at the first text of a batch alone to see whether texts bring their own BOS token: the
    others would have two, or none.
    """

    def __init__(self, model: Any, tokeniser: Tokeniser) -> None:
        self.bos_in_text = False
        """Whether a text began with a BOS token of its own."""
        self.first: tuple[FirstToken, ...] = ()
        """Of the first request, as the model got them."""
        self._tokeniser = tokeniser
        self._adds_bos = tokeniser.bos("auto") is not None
        self._encode, self._encode_batch = model.tok_encode, model.tok_batch_encode
        model.tok_encode, model.tok_batch_encode = self._one, self._many

    def saw(self, ids: Tensor, mask: Tensor | None) -> None:
        """A batch (requests, tokens) on its way to the model; `mask`: which tokens are no pads."""
        if not self.first:
            row = ids[0] if mask is None else ids[0][mask[0].bool()]
            self.first = self._tokeniser.first(row.tolist())

    def _one(self, string: str, *positional: Any, **keywords: Any) -> list[int]:
        self._bare(string)
        ids: list[int] = self._encode(string, *positional, **keywords)
        self._check(string, ids)
        return ids

    def _many(self, strings: list[str], *positional: Any, **keywords: Any) -> Any:
        bare = [self._bare(string) for string in strings]
        ids, mask = self._encode_batch(bare if self._adds_bos else strings, *positional, **keywords)
        for string, row in zip(strings, ids, strict=True):
            self._check(string, row.tolist())
        return ids, mask

    def _bare(self, string: str) -> str:
        """`string` without the BOS token it begins with."""
        bos = self._tokeniser.tokenizer.bos_token
        while isinstance(bos, str) and bos and string.startswith(bos):
            self.bos_in_text = True
            string = string.removeprefix(bos)
        return string

    def _check(self, string: str, ids: list[int]) -> None:
        self._tokeniser.check(ids, lambda: f"a request of lm-eval that ends in {string[-40:]!r}")
