"""Reading text: exact bytes, records, and errors that name the place."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from data.resources import shared
from depthkit_worker.contract.wire import FileSource
from depthkit_worker.data.text import Texts, count_lines, lines_of, read_texts, texts_from_strings
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Unattended

ODD_LINES = "a\u2028b\nc\u0085d\r\ne\ff\n"


def read(*paths: Path, text_field: str = "text", strict: bool = False) -> Texts:
    return read_texts(
        FileSource(files=tuple(map(str, paths)), text_field=text_field, strict=strict), Unattended()
    )


def refused(*paths: Path, strict: bool = False) -> DepthkitError:
    with pytest.raises(DepthkitError) as caught:
        read(*paths, strict=strict)
    return caught.value


def test_dat1_records_end_at_lf_crlf_or_cr_only(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_bytes(ODD_LINES.encode())
    texts = read(path)
    assert texts.info.records == texts.info.lines == 3
    assert lines_of(texts.texts[0]) == ["a\u2028b", "c\u0085d", "e\ff"]
    assert texts.texts == (ODD_LINES,)
    assert texts.info.bytes == path.stat().st_size


def test_dat1_separators_inside_json_strings_are_text(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    rows = ["a\u2028b", "c\u0085d", "e\ff", "g\nh"]
    raw = [json.dumps({"text": row}, ensure_ascii=False) for row in rows]
    path.write_bytes((raw[0] + "\n" + raw[1] + "\r\n" + raw[2] + "\r" + raw[3]).encode())
    texts = read(path)
    assert texts.texts == tuple(rows)
    assert (texts.info.records, texts.info.lines) == (4, 5)


def test_dat1_wikitext_has_its_lines() -> None:
    texts = read(shared() / "data/wikitext2.test.txt")
    assert (texts.info.lines, texts.info.bytes, texts.info.characters) == (4358, 1_290_590, 1_288_556)


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\n\nb", "\r\n", "a\rb\r\n\n", "a\r\r\nb"])
def test_lines_are_counted_as_they_are_split(text: str) -> None:
    assert count_lines(text) == len(lines_of(text))
    assert "\n".join(lines_of(text)).split("\n") == (lines_of(text) or [""])


@pytest.mark.parametrize("body", [b"a\r\r\nb\r", b"a\n\rb\n", b"\r\n\r\na", b"a", b""])
def test_jsonl_lines_end_where_text_lines_end(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(body.replace(b"a", b'{"text": "a"}').replace(b"b", b'{"text": "b"}'))
    assert list(read(path).texts) == [line for line in lines_of(body.decode()) if line]


def test_dat5_only_the_field_asked_for_is_read(tmp_path: Path) -> None:
    meta = [None] * 1000 + [{"source": "web", "n": 10**5000}] * 200
    rows = [json.dumps({"meta": m if i < 1000 else {"n": 1}, "text": f"row {i}"}) for i, m in enumerate(meta)]
    rows[1100] = '{"meta": {"n": 1' + "0" * 5000 + '}, "text": "row 1100"}'
    rows[4], rows[5] = '{"text": "", "meta": null}', '{"text": null}'
    rows[6], rows[7] = '{"meta": 3}', '{"text": 7}'
    plain, packed = tmp_path / "f.jsonl", tmp_path / "f.jsonl.gz"
    plain.write_text("\n".join(rows) + "\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    texts = read(plain)
    assert (texts.info.records, texts.info.skipped) == (1196, 4)
    assert texts.texts[4] == "row 8" and "row 1100" in texts.texts
    again = read(packed)
    assert (again.texts, again.info.digest) == (texts.texts, texts.info.digest)
    assert texts_from_strings(list(texts.texts)).info.digest == texts.info.digest

    error = refused(plain, strict=True)
    assert error.code == "INVALID_ARGUMENT" and error.details["line"] == 5


def test_dat5_unknown_suffix_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "f.xlsx").write_text("a")
    error = refused(tmp_path / "f.xlsx")
    assert error.code == "UNSUPPORTED_FORMAT"
    assert all(suffix in error.message for suffix in (".txt", ".jsonl", ".jsonl.gz"))


def test_digest_is_of_lengths_and_texts() -> None:
    expected = hashlib.sha256(b"\x02" + bytes(7) + "é".encode() + b"\x01" + bytes(7) + b"b").hexdigest()
    assert texts_from_strings(["é", "", "b"]).info.digest == expected
    assert texts_from_strings(["éb"]).info.digest != expected


def test_a_missing_file_is_named_before_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("not json")
    error = refused(tmp_path / "bad.jsonl", tmp_path / "none.txt")
    assert error.code == "FILE_NOT_FOUND" and "none.txt" in error.message


def test_bytes_that_are_not_utf8_are_named_by_offset(tmp_path: Path) -> None:
    for name, before in (
        ("f.txt", b"\xef\xbb\xbfab"),
        ("f.jsonl", b'\xef\xbb\xbf{"text": "x"}\r\n{"text": "'),
    ):
        path = tmp_path / name
        path.write_bytes(before + b'\xff"}')
        error = refused(path)
        assert error.code == "UNSUPPORTED_FORMAT" and error.details["byte"] == len(before)
        assert name in error.message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["f.txt", "f.jsonl", "f.jsonl.gz"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_utf16_is_named_with_how_to_convert_it(tmp_path: Path, encoding: str, name: str, mark: str) -> None:
    raw = (mark + '{"text": "some words, ä"}\r\n' * 3).encode(encoding)
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    error = refused(path)
    assert error.code == "UNSUPPORTED_FORMAT" and "iconv" in error.message and str(path) in error.message
    assert error.details["encoding"] == (encoding[:6] + encoding[7:]).upper()


def test_a_zero_byte_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"words " * 2000 + b"\0 and more")
    error = refused(tmp_path / "f.txt")
    assert error.code == "UNSUPPORTED_FORMAT" and error.details["byte"] == 12_000


def test_one_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    text, rows = tmp_path / "f.txt", tmp_path / "f.jsonl"
    text.write_bytes("\ufeff\ufeffa".encode())
    rows.write_bytes(b'\xef\xbb\xbf{"text": "b"}\n')
    assert read(text, rows).texts == ("\ufeffa", "b")


@pytest.mark.parametrize("line", ["{", "[1]", '{"text": "\\ud800"}', "[" * 100_000])
def test_a_bad_json_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"text": "a"}\n\n' + line + "\n")
    error = refused(path)
    assert error.code == "UNSUPPORTED_FORMAT" and error.details["line"] == 3


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"text": "a"}\n' * 1000)
    for name, raw in (("cut.jsonl.gz", whole[:-20]), ("plain.jsonl.gz", b'{"text": "a"}\n')):
        (tmp_path / name).write_bytes(raw)
        assert refused(tmp_path / name).code == "UNSUPPORTED_FORMAT"


def test_half_a_surrogate_pair_from_the_caller_is_refused() -> None:
    with pytest.raises(DepthkitError, match="surrogate"):
        texts_from_strings(["fine", "\ud800"])


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz"])
def test_a_git_lfs_pointer_is_named_and_is_no_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n")
    error = refused(path)
    assert error.code == "UNSUPPORTED_FORMAT"
    assert f"{path}: it is a Git LFS pointer" in error.message
    assert "a file of 12,345 bytes" in error.message and "git lfs pull" in error.message
