"""Text as it is written, told in pieces that stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Tell = Callable[[int, int, str], None]
"""Gets a prompt's place, how many characters behind it were told before, and the next ones."""
UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What the first bytes of a character decode to before the others are there."""


class ToldText:
    """Keeps back what the next token may change: a character's first bytes, white space (some tokenizers take
    it away before a full stop), and what may be the beginning of a stop string. Where a tokenizer rewrites
    more than that, nothing is told until its text goes on from what was told."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str], tell: Tell) -> None:
        self._decode = decode
        self._stop = stop
        self._tell = tell
        self._told: dict[int, str] = {}

    def grow(self, place: int, written: Sequence[int]) -> None:
        """`written`: the ids behind the prompt so far."""
        text = self._decode(written)
        cuts = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        self.end(place, text[: min(cuts)] if cuts else self._standing(text))

    def end(self, place: int, text: str) -> None:
        """`text`: all that stands."""
        told = self._told.get(place, "")
        if len(text) > len(told) and text.startswith(told):
            self._tell(place, len(told), text[len(told) :])
            self._told[place] = text

    def _standing(self, text: str) -> str:
        text = text.rstrip(UNFINISHED)
        begun = (
            len(text) - size
            for stop in self._stop
            for size in range(min(len(stop) - 1, len(text)), 0, -1)
            if text.endswith(stop[:size])
        )
        return text[: min(begun, default=len(text))].rstrip()
