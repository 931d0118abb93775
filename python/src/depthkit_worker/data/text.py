"""Text as it enters: strings from the caller, or the texts of files, with what names them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from depthkit_worker.contract.wire import DataInfo, DataSource, FileSource
from depthkit_worker.data.files import read_records, read_txt, suffix_of
from depthkit_worker.data.find import find_files
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

# The only ends of a line. U+2028, U+0085 and form feed are text, though `str.splitlines` splits there.
LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Texts:
    """What was read, in order.

    A `.txt` file is one text, its bytes kept; a `.jsonl` line with text is one text; so is a string of
    the caller's.
    """

    texts: tuple[str, ...]
    info: DataInfo
    """Its records are the lines of `.txt` files and the texts of everything else. Its digest is over the
    texts, each as its length in UTF-8 bytes (8 bytes, little-endian) and those bytes: the same for the same
    texts, whatever they were stored in. The last line of a text is counted where it has no end."""


def read_texts(source: DataSource, job: Job) -> Texts:
    return (
        _texts_from_files(source, job) if isinstance(source, FileSource) else texts_from_strings(source.texts)
    )


def texts_from_strings(strings: Sequence[str]) -> Texts:
    """Texts handed over by the caller. Empty ones are skipped and counted."""
    kept: list[str] = []
    for number, text in enumerate(strings):
        if text:
            _check_encodable(text, number)
            kept.append(text)
    return _describe(kept, (), records=len(kept), skipped=len(strings) - len(kept))


def _texts_from_files(source: FileSource, job: Job) -> Texts:
    """The texts of files, in the order given. Of a row only the text field is looked at; those where it is
    missing, null, not a string or empty hold no text."""
    files = find_files(source.files, job)
    # Before any work: a wrong name at the end of a list should not cost the reading of the rest.
    suffixes = [suffix_of(file.path) for file in files]
    texts: list[str] = []
    records = skipped = 0
    for path, suffix in zip([file.path for file in files], suffixes, strict=True):
        if suffix == ".txt":
            found = [text] if (text := read_txt(path, strict=source.strict)) else []
            records += sum(len(lines_of(text)) for text in found)
            skipped += 1 - len(found)
        else:
            found, without = read_records(path, job, text_field=source.text_field, strict=source.strict)
            records += len(found)
            skipped += without
        texts += found
    return _describe(texts, tuple(file.name for file in files), records=records, skipped=skipped)


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends; what follows the last end is a line where it is not empty."""
    lines = LINE_END.split(text)
    return lines[:-1] if lines[-1] == "" else lines


def count_lines(text: str) -> int:
    """`len(lines_of(text))` without the lines."""
    ends = sum(1 for _ in LINE_END.finditer(text))
    return ends + (0 if text == "" or text[-1] in "\r\n" else 1)


def _describe(texts: Sequence[str], files: tuple[str, ...], *, records: int, skipped: int) -> Texts:
    digest = hashlib.sha256()
    size = 0
    for encoded in _encoded(texts):
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
        size += len(encoded)
    info = DataInfo(
        digest=digest.hexdigest(),
        files=files,
        records=records,
        skipped=skipped,
        lines=sum(map(count_lines, texts)),
        characters=sum(map(len, texts)),
        bytes=size,
    )
    return Texts(tuple(texts), info)


def _encoded(texts: Iterable[str]) -> Iterable[bytes]:
    return (text.encode() for text in texts)


def _check_encodable(text: str, number: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Text {number} holds half a surrogate pair at character {error.start}, which is not text. "
            "Check how the string was made: it may have been cut in the middle of a character.",
            text=number,
            character=error.start,
        ) from error
