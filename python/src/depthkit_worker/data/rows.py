"""One row of a task's file, read field by field with errors that name the place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from depthkit_worker.errors import DepthkitError

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)(?:\[([0-9]+)\])?\}|[{}]")
EXACT = 2**53
"""Whole numbers were read as floats, which hold them exactly up to here."""


@dataclass(frozen=True)
class Row:
    fields: Mapping[str, object]
    path: Path
    line: int

    def text(self, name: str) -> str:
        """A field's text, not empty."""
        value = self.maybe_empty(name)
        if not value:
            raise self.wrong(name, "is empty", "it is a text")
        return value

    def maybe_empty(self, name: str) -> str:
        value = self._field(name)
        if not isinstance(value, str):
            raise self.wrong(name, f"is {_shown(value)}", "it is a text")
        self._check_encodable(name, value)
        return value

    def written(self, name: str) -> str:
        """A field's text, or its number as it is written."""
        value = self._field(name)
        if isinstance(value, float) and math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
        return str(value) if isinstance(value, bool | int) else self.maybe_empty(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """A field's list of texts, none of them empty."""
        value = self._field(name)
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry for entry in value):
            raise self.wrong(name, f"is {_shown(value)}", "it is a list of texts, none of them empty")
        for entry in value:
            self._check_encodable(name, entry)
        return tuple(value)

    def index(self, name: str, choices: Sequence[str], first: int = 0) -> int:
        """Which of `choices` a field names: by its number, counted from `first`, or by its text."""
        value = self._field(name)
        if isinstance(value, str) and first == 0 and value in choices:
            return choices.index(value)
        if isinstance(value, str) and re.fullmatch("[0-9]{1,3}", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not first <= value < first + len(choices):
            raise self.wrong(
                name, f"is {_shown(value)}", f"it is a number from {first} to {first + len(choices) - 1}, or a choice"
            )
        return value - first

    def filled(self, template: str) -> str:
        """`template` with the row's fields in the places of their names in braces."""
        return PLACEHOLDER.sub(lambda found: self._filling(found, template), template)

    @property
    def place(self) -> str:
        return f"line {self.line} of {self.path}"

    def wrong(self, name: str, found: str, allowed: str) -> DepthkitError:
        return DepthkitError(
            "INVALID_ARGUMENT",
            f"Cannot use {self.place}: field {name!r} {found}; {allowed}. "
            "Correct the row, or name the format or template that the file is in.",
            path=str(self.path),
            line=self.line,
            field=name,
        )

    def _filling(self, found: re.Match[str], template: str) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        name, place = found[1], found[2]
        if name is None:
            raise _stray_brace(found, template)
        if place is not None:
            entries = self.texts(name)
            if int(place) >= len(entries):
                raise self.wrong(name, f"has {len(entries)} entries", f"the template names number {place}")
            return entries[int(place)]
        return self.written(name)

    def _field(self, name: str) -> object:
        if name not in self.fields:
            raise self.wrong(name, "is missing", f"the row has {', '.join(self.fields) or 'none'}")
        return self.fields[name]

    def _check_encodable(self, name: str, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self.wrong(name, "escapes half a surrogate pair", "it is a text") from error


def check_template(template: str) -> None:
    """Refuse a template that no row can fill, or that every row fills alike."""
    found = list(PLACEHOLDER.finditer(template))
    for one in found:
        if one[1] is None and one[0] not in ("{{", "}}"):
            raise _stray_brace(one, template)
    if not any(one[1] for one in found):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The prompt template {template!r} names no field, so every item would be the same. "
            "Write {question} where the field question goes.",
            template=template,
        )


def _stray_brace(found: re.Match[str], template: str) -> DepthkitError:
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"The template {template!r} has a brace at character {found.start()} that belongs to no field. "
        "Fields are written {name} or {name[0]}, braces {{ and }}.",
        template=template,
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
