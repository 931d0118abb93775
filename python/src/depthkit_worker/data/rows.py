"""One row of a task, read field by field with errors that name the place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from depthkit_worker.contract.wire import OwnRows, RowSource
from depthkit_worker.data.encoding import Place, json_object
from depthkit_worker.data.files import check_rows_file, read_rows
from depthkit_worker.data.find import DataFile, find_files
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)(?:\[([0-9]+)\])?\}|[{}]")
EXACT = 2**53
"""Whole numbers were read as floats, which hold them exactly up to here."""


@dataclass(frozen=True)
class Row:
    fields: Mapping[str, object]
    place: Place

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

    def written_each(self, name: str) -> tuple[str, ...]:
        """What is written in a field, or in each entry of its list; none of them empty."""
        value = self._field(name)
        if not isinstance(value, list):
            return (self._not_empty(name, self.written(name)),)
        if not value:
            raise self.wrong(name, "is an empty list", "it has one entry or more")
        entries = (Row({name: entry}, self.place).written(name) for entry in value)
        return tuple(self._not_empty(name, entry) for entry in entries)

    def _not_empty(self, name: str, text: str) -> str:
        if not text:
            raise self.wrong(name, "is empty", "the right answer is a text or a number")
        return text

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
                name,
                f"is {_shown(value)}",
                f"it is a number from {first} to {first + len(choices) - 1}, or a choice",
            )
        return value - first

    def filled(self, template: str) -> str:
        """`template` with the row's fields in the places of their names in braces."""
        return PLACEHOLDER.sub(lambda found: self._filling(found, template), template)

    def wrong(self, name: str, found: str, allowed: str) -> DepthkitError:
        return DepthkitError(
            "INVALID_ARGUMENT",
            f"Cannot use {self.place}: field {name!r} {found}; {allowed}. "
            "Correct the row, or name the format or template that it is in.",
            field=name,
            **self.place.details,
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


def read_source(source: RowSource, job: Job) -> list[Row]:
    """The rows of files in the order given, or those that the caller gave."""
    if isinstance(source, OwnRows):
        places = map(Place, range(1, len(source.rows) + 1))
        return [Row(json_object(text, place), place) for text, place in zip(source.rows, places, strict=True)]
    files = files_of(source, job)
    # Before any work: a wrong name at the end of a list should not cost the reading of the rest.
    for file in files:
        check_rows_file(file.path)
    return [Row(fields, place) for file in files for place, fields in read_rows(file.path, job)]


def files_of(source: RowSource | None, job: Job) -> list[DataFile]:
    """None where rows are the caller's own."""
    return [] if source is None or isinstance(source, OwnRows) else find_files(source.files, job)


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
