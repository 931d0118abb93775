"""Rows of JSON lists, tables with a header and Parquet files: the texts that a .jsonl has, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as arrow  # type: ignore[import-untyped]
import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest

from depthkit_worker.contract.wire import FileSource
from depthkit_worker.data.files import check_rows_file, read_rows
from depthkit_worker.data.text import Texts, read_texts
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Unattended

ROWS = [
    {"text": 'A "quoted", long\nstory\r\nof two', "answer": 1, "choices": ["a", "b"]},
    {"text": "naïve 🙂", "answer": 20, "choices": ["c"]},
    {"text": "", "answer": 3, "choices": []},
]


def written(tmp_path: Path, suffix: str) -> Path:
    """`ROWS` in a file."""
    path = tmp_path / f"rows{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    elif suffix == ".json":
        path.write_text(json.dumps(ROWS, indent=2), encoding="utf-8")
    elif suffix == ".parquet":
        table = arrow.Table.from_pylist([{**row, "image": b"\x00\xff"} for row in ROWS])
        parquet.write_table(table, path, row_group_size=2)
    else:
        between = {".csv": ",", ".tsv": "\t"}[suffix]
        quoted = ['"' + str(row["text"]).replace('"', '""') + '"' for row in ROWS]
        lines = [f"{text}{between}{row['answer']}" for text, row in zip(quoted, ROWS, strict=True)]
        path.write_bytes("\n".join([f"text{between}answer", *lines]).encode() + b"\n\n")
    return path


def read(path: Path, *, strict: bool = False) -> Texts:
    return read_texts(FileSource(files=(str(path),), text_field="text", strict=strict), Unattended())


def refused(path: Path, *, strict: bool = False) -> DepthkitError:
    with pytest.raises(DepthkitError) as caught:
        read(path, strict=strict)
    return caught.value


@pytest.mark.parametrize("suffix", [".json", ".csv", ".tsv", ".parquet"])
def test_the_texts_are_those_of_a_jsonl(suffix: str, tmp_path: Path) -> None:
    expected, found = read(written(tmp_path, ".jsonl")), read(written(tmp_path, suffix))
    assert found.texts == expected.texts == (ROWS[0]["text"], ROWS[1]["text"])
    assert found.info.digest == expected.info.digest
    assert found.info.skipped == expected.info.skipped == 1


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_other_fields_are_those_of_a_jsonl(suffix: str, tmp_path: Path) -> None:
    expected = [row for _, row in read_rows(written(tmp_path, ".jsonl"), Unattended())]
    found = list(read_rows(written(tmp_path, suffix), Unattended()))
    assert [row for _, row in found] == expected
    assert [str(place) for place, _ in found] == [
        f"row {n} of {tmp_path / f'rows{suffix}'}" for n in (1, 2, 3)
    ]


def test_a_table_has_texts_and_lines(tmp_path: Path) -> None:
    path = written(tmp_path, ".csv")
    found = list(read_rows(path, Unattended()))
    assert [row["answer"] for _, row in found] == ["1", "20", "3"]
    # A place is the line that the row ends in: the first text holds two ends of its own.
    assert [place.number for place, _ in found] == [4, 5, 6]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".tsv", ".parquet"])
def test_strict_names_the_row_without_text(suffix: str, tmp_path: Path) -> None:
    failure = refused(written(tmp_path, suffix), strict=True)
    assert failure.code == "INVALID_ARGUMENT"
    place = {"row": 3} if suffix in (".json", ".parquet") else {"line": 6}
    assert place.items() <= failure.details.items()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"text": "one"}', "not a list of objects"),
        ("a.json", b'{"text": "one"}\n{"text": "two"}\n', "belong into a file named .jsonl"),
        ("a.json", b'[{"text": "one"}, 3]', "row 2 of"),
        ("a.json", b"[" * 100_000, "it is not JSON"),
        ("a.json", '[{"text": "one"}]'.encode("utf-16"), "it is in UTF-16"),
        ("a.csv", b"", "names no columns"),
        ("a.csv", b"text,,b\n1,2,3\n", "leaves one without a name"),
        ("a.csv", b"text,text\na,b\n", "the column 'text' more than once"),
        ("a.csv", b"text,b\none\n", "has 1 fields, and its first line names 2"),
        ("a.csv", b'text,b\n"one"two,3\n', "breaks the rules"),
        ("a.csv", b'text,b\n"one,3\n', "breaks the rules"),
        ("a.csv", b"text\n\xe9t\xe9\n", "is not UTF-8"),
        ("a.parquet", b"PAR1 nothing more", "damaged or no Parquet file"),
    ],
)
def test_what_is_no_such_file_is_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    failure = refused(path)
    assert failure.code == "UNSUPPORTED_FORMAT"
    assert said in failure.message and str(path) in failure.message


def test_a_column_of_bytes_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    rows = [row for _, row in read_rows(written(tmp_path, ".parquet"), Unattended())]
    assert {"text", "answer", "choices"} == set(rows[0])


def test_a_parquet_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": ["a" * 1_000_000]}), path)
    monkeypatch.setattr("depthkit_worker.data.unpacking.ALWAYS_READ", 1000)
    monkeypatch.setattr("depthkit_worker.data.unpacking.MOST_TIMES", 2)
    assert "unpack to more than" in refused(path).message


def test_without_pyarrow_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ".parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    failure = refused(path)
    assert failure.code == "MODULE_MISSING" and "setup --with parquet" in failure.message


def test_a_task_takes_all_but_plain_text(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".json", ".csv", ".tsv", ".parquet"):
        check_rows_file(written(tmp_path, suffix))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(DepthkitError, match=r"\.parquet"):
        check_rows_file(tmp_path / "a.txt")
