"""Reading files of text and of rows, exactly and with errors that name the place."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from depthkit_worker.data.encoding import (
    BOM,
    HEAD,
    Place,
    check_encoding,
    check_surrogates,
    decode,
    json_object,
)
from depthkit_worker.data.parquet import read_parquet
from depthkit_worker.data.suffixes import ROWS, SUFFIXES, suffix_in
from depthkit_worker.data.tables import ROWS_BETWEEN_CHECKS, read_csv, read_json
from depthkit_worker.data.unpacking import open_gzip
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.file_kinds import lfs_pointer
from depthkit_worker.session.job import Job

DIGEST_BLOCK = 1 << 22


def suffix_of(path: Path) -> str:
    """The one of `SUFFIXES` that `path`, an existing file, ends in."""
    suffix = suffix_in(path.name)
    if suffix is None:
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read {path}: its name ends in none of {', '.join(SUFFIXES)}. "
            "Convert it, or hand the texts over as strings.",
            path=str(path),
            allowed=list(SUFFIXES),
        )
    if not path.is_file():
        what = "it is not a file" if path.exists() else "there is no such file"
        raise DepthkitError("FILE_NOT_FOUND", f"Cannot read {path}: {what}. Check the path.", path=str(path))
    pointer = lfs_pointer(path)
    if pointer is not None:
        raise DepthkitError("UNSUPPORTED_FORMAT", f"Cannot read {path}: {pointer}.", path=str(path))
    return suffix


def read_txt(path: Path, *, strict: bool) -> str:
    """A whole file as one text: no newline is touched, one byte order mark at the front is dropped."""
    raw = path.read_bytes()
    check_encoding(raw[:HEAD], path)
    zero = raw.find(0)
    if zero >= 0:
        # It is a character of UTF-8 and would pass.
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read {path}: byte {zero} is zero, which no text holds. The file is no text, or not in "
            "UTF-8; convert it to UTF-8.",
            path=str(path),
            byte=zero,
        )
    body = raw.removeprefix(BOM)
    text = decode(body, path, len(raw) - len(body))
    if strict and not text:
        raise _without_text(Place(1, path), "the file is empty")
    return text


def read_records(path: Path, job: Job, *, text_field: str, strict: bool) -> tuple[list[str], int]:
    """The texts of a file of rows, and how many of its rows held none.

    Blank lines are no records and are not counted.
    """
    texts: list[str] = []
    skipped = 0
    for place, record in read_rows(path, job):
        value = record.get(text_field)
        if isinstance(value, str) and value:
            check_surrogates(value, place)
            texts.append(value)
        elif strict:
            raise _without_text(place, f"field {text_field!r} is missing, empty or not a string")
        else:
            skipped += 1
    return texts, skipped


def check_rows_file(path: Path) -> None:
    """Refuse what holds no rows for a task."""
    if suffix_of(path) == ".txt":
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read a task from {path}: a task is a file of rows, one question each: "
            f"{', '.join(ROWS)}.",
            path=str(path),
            allowed=list(ROWS),
        )


def read_rows(path: Path, job: Job) -> Iterator[tuple[Place, dict[str, object]]]:
    """Place and object of each row of a file of rows; blank lines are none."""
    name = path.name.lower()
    if name.endswith(".json"):
        yield from read_json(path, job)
    elif name.endswith((".csv", ".tsv")):
        yield from read_csv(path, job, "," if name.endswith(".csv") else "\t")
    elif name.endswith(".parquet"):
        yield from read_parquet(path, job)
    else:
        yield from _read_jsonl(path, job)


def _read_jsonl(path: Path, job: Job) -> Iterator[tuple[Place, dict[str, object]]]:
    for number, (offset, line) in enumerate(_lines(path, job), start=1):
        if number % ROWS_BETWEEN_CHECKS == 0:
            job.check()
        if line.strip():
            place = Place(number, path)
            yield place, json_object(decode(line, path, offset), place)


def file_digest(path: Path, job: Job) -> str:
    """sha256 of a file's bytes as stored."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(DIGEST_BLOCK):
            job.check()
            digest.update(block)
    return digest.hexdigest()


def _lines(path: Path, job: Job) -> Iterator[tuple[int, bytes]]:
    """Offset in bytes (of the unpacked file) and content of each line, ended by LF, CRLF or CR."""
    packed = path.name.lower().endswith(".gz")
    offset = 0
    try:
        with open_gzip(path, job) if packed else path.open("rb") as file:
            for chunk in file:  # binary files iterate by LF alone
                body = chunk
                if offset == 0:
                    check_encoding(chunk[:HEAD], path)
                    body = chunk.removeprefix(BOM)
                    offset = len(chunk) - len(body)
                ended = body.removesuffix(b"\n").removesuffix(b"\r")
                for line in ended.split(b"\r"):
                    yield offset, line
                    offset += len(line) + 1
                offset += len(body) - len(ended) - 1
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot unpack {path}: {error}. The file is damaged or not gzip; pack it again.",
            path=str(path),
        ) from error


def _without_text(place: Place, reason: str) -> DepthkitError:
    name = str(place)
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"{name[0].upper()}{name[1:]} holds no text: {reason}. "
        "Correct the file, or read it without strict to skip and count such lines.",
        **place.details,
    )
