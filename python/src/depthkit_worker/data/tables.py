"""Rows of a JSON list and of tables with a header, as objects by field."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from depthkit_worker.data.encoding import (
    BOM,
    HEAD,
    Place,
    bad_row,
    check_encoding,
    decode,
    json_value,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

ROWS_BETWEEN_CHECKS = 1000
LONGEST_FIELD = 1 << 30
"""Characters. The library's own bound is 131,072, which a text may well have."""


def read_json(path: Path, job: Job) -> Iterator[tuple[Place, dict[str, object]]]:
    """Each object of the list that a `.json` file holds."""
    try:
        rows = json_value(_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        hint = " Rows of one line each belong into a file named .jsonl." if "Extra data" in str(error) else ""
        raise _refused(path, f"it is not JSON ({error}).{hint}") from error
    if not isinstance(rows, list):
        raise _refused(path, "it is JSON, but not a list of objects, one per row")
    for number, row in enumerate(rows, start=1):
        if number % ROWS_BETWEEN_CHECKS == 0:
            job.check()
        place = Place(number, path, by_line=False)
        if not isinstance(row, dict):
            raise bad_row(place, "it is JSON but not an object")
        yield place, row


def read_csv(path: Path, job: Job, delimiter: str) -> Iterator[tuple[Place, dict[str, object]]]:
    """Each row of a `.csv` or `.tsv` file under the names of its first line; every value is a text."""
    csv.field_size_limit(LONGEST_FIELD)
    text = _text(path)
    # Newlines inside quotes are the text's own; `strict` refuses what follows a closing quote.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if not header or not all(name.strip() for name in header):
            raise _refused(path, "its first line names no columns, or leaves one without a name")
        twice = [name for name, count in Counter(header).items() if count > 1]
        if twice:
            raise _refused(path, f"its first line names the column {twice[0]!r} more than once")
        for row in reader:
            if len(row) == 0:
                continue
            place = Place(reader.line_num, path)
            if reader.line_num % ROWS_BETWEEN_CHECKS == 0:
                job.check()
            if len(row) != len(header):
                raise _refused(path, f"{place} has {len(row)} fields, and its first line names {len(header)}")
            yield place, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise _refused(path, f"line {reader.line_num} breaks the rules of such files ({error})") from error


def _text(path: Path) -> str:
    raw = path.read_bytes()
    check_encoding(raw[:HEAD], path)
    body = raw.removeprefix(BOM)
    return decode(body, path, len(raw) - len(body))


def _refused(path: Path, reason: str) -> DepthkitError:
    return DepthkitError(
        "UNSUPPORTED_FORMAT", f"Cannot read {path}: {reason.rstrip('.')}. Mend the file.", path=str(path)
    )
