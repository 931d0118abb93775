"""Reading `.txt`, `.jsonl` and `.jsonl.gz` files, exactly and with errors that name the place."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from depthkit_worker.data.unpacking import open_gzip
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.file_kinds import lfs_pointer
from depthkit_worker.session.job import Job

SUFFIXES = (".txt", ".jsonl", ".jsonl.gz")

BOM = b"\xef\xbb\xbf"
OTHER_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
}
"""Encodings by the mark at a file's front; of two that fit the longer is meant."""
HEAD = 1 << 12
"""Bytes at a file's front that tell its encoding."""
LINES_BETWEEN_CHECKS = 1000
DIGEST_BLOCK = 1 << 22


@dataclass(frozen=True)
class Place:
    """Where a row stands: a line of a file, or one of the rows that a caller gave."""

    number: int
    """From 1."""
    path: Path | None = None

    def __str__(self) -> str:
        return f"row {self.number}" if self.path is None else f"line {self.number} of {self.path}"

    @property
    def details(self) -> dict[str, object]:
        """For an error's details."""
        return {"row": self.number} if self.path is None else {"path": str(self.path), "line": self.number}


def suffix_of(path: Path) -> str:
    """The one of `SUFFIXES` that `path`, an existing file, ends in."""
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
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
    _check_encoding(raw[:HEAD], path)
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
    text = _decode(body, path, len(raw) - len(body))
    if strict and not text:
        raise _without_text(path, 1, "the file is empty")
    return text


def read_jsonl(path: Path, job: Job, *, text_field: str, strict: bool) -> tuple[list[str], int]:
    """The texts of a file with a JSON object a line, and how many of its lines held none.

    Blank lines are no records and are not counted.
    """
    texts: list[str] = []
    skipped = 0
    for place, record in read_rows(path, job):
        value = record.get(text_field)
        if isinstance(value, str) and value:
            _check_surrogates(value, place)
            texts.append(value)
        elif strict:
            raise _without_text(path, place.number, f"field {text_field!r} is missing, empty or not a string")
        else:
            skipped += 1
    return texts, skipped


def check_rows_file(path: Path) -> None:
    """Refuse what holds no rows for a task."""
    if suffix_of(path) == ".txt":
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read a task from {path}: a task is a .jsonl or .jsonl.gz file, one question a line.",
            path=str(path),
            allowed=[".jsonl", ".jsonl.gz"],
        )


def read_rows(path: Path, job: Job) -> Iterator[tuple[Place, dict[str, object]]]:
    """Place and object of each line of a `.jsonl` or `.jsonl.gz` file that is not blank."""
    for number, (offset, line) in enumerate(_lines(path, job), start=1):
        if number % LINES_BETWEEN_CHECKS == 0:
            job.check()
        if line.strip():
            place = Place(number, path)
            yield place, json_object(_decode(line, path, offset), place)


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
                    _check_encoding(chunk[:HEAD], path)
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


def _check_encoding(head: bytes, path: Path) -> None:
    """Refuse UTF-16 and UTF-32 by name. Without a mark they read as UTF-8 full of zero bytes."""
    encoding = next((name for mark, name in OTHER_BOMS.items() if head.startswith(mark)), None)
    zeros = head.count(0)
    if encoding is None and zeros > len(head) // 4:
        # Of Latin letters one byte is not zero: the first of its two or four, or the last.
        width = "UTF-32" if zeros > len(head) * 5 // 8 else "UTF-16"
        encoding = width + ("LE" if head[0] else "BE")
    if encoding is None:
        return
    raise DepthkitError(
        "UNSUPPORTED_FORMAT",
        f"Cannot read {path}: it is in {encoding}, and files are read as UTF-8. Convert it: "
        f"iconv -f {encoding} -t UTF-8 OLD > NEW, or save it as UTF-8 in an editor.",
        path=str(path),
        encoding=encoding,
    )


def _decode(raw: bytes, path: Path, offset: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read {path}: byte {place} (0x{raw[error.start]:02x}) is not UTF-8 ({error.reason}). "
            "Convert the file to UTF-8.",
            path=str(path),
            byte=place,
        ) from error


def json_object(line: str, place: Place) -> dict[str, object]:
    """What a row holds, whole numbers as floats."""
    try:
        # Other fields may hold anything, whole numbers longer than Python's int() reads among it.
        value = json.loads(line, parse_int=float)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _bad_row(place, f"it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise _bad_row(place, "it is JSON but not an object")
    return value


def _check_surrogates(text: str, place: Place) -> None:
    # JSON can escape half of a surrogate pair; no tokeniser and no digest could take it.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = f"its text escapes half a surrogate pair at character {error.start}"
        raise _bad_row(place, reason) from error


def _bad_row(place: Place, reason: str) -> DepthkitError:
    return DepthkitError(
        "UNSUPPORTED_FORMAT",
        f"Cannot read {place}: {reason}. A row is one JSON object; a .jsonl file has one a line.",
        **place.details,
    )


def _without_text(path: Path, number: int, reason: str) -> DepthkitError:
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"Line {number} of {path} holds no text: {reason}. "
        "Correct the file, or read it without strict to skip and count such lines.",
        path=str(path),
        line=number,
    )
