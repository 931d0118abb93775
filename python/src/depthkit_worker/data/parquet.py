"""Rows of Parquet files, read by pyarrow: an extra, since it is larger than most of what the worker needs."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from depthkit_worker.data.encoding import Place
from depthkit_worker.data.unpacking import most_of, too_much
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

ROWS_AT_A_TIME = 1000


def read_parquet(path: Path, job: Job) -> Iterator[tuple[Place, dict[str, object]]]:
    """Each row of a `.parquet` file, whole numbers as floats. Columns of texts, numbers and Booleans, and
    lists and records of these; others (images, dates) are left out, as if the file did not have them."""
    _require_pyarrow()
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            metadata = file.metadata
            unpacked = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
            packed = path.stat().st_size
            if unpacked > most_of(packed):
                raise too_much(path, packed)
            columns = [field.name for field in file.schema_arrow if _is_plain(field.type, arrow.types)]
            number = 0
            for batch in file.iter_batches(ROWS_AT_A_TIME, columns=columns):
                job.check()
                for row in batch.to_pylist():
                    number += 1
                    yield Place(number, path, by_line=False), {key: _as_json(row[key]) for key in row}
    except (arrow.ArrowException, OSError) as error:
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read {path}: it is damaged or no Parquet file ({error}). Fetch it again.",
            path=str(path),
        ) from error


def _require_pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise DepthkitError(
            "MODULE_MISSING",
            "Reading Parquet files needs the Python module pyarrow. Run `npx depthkit setup --with parquet`, "
            "or in a Python of your own: pip install pyarrow.",
            module="pyarrow",
        )


def _is_plain(kind: Any, types: Any) -> bool:
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type, types)
    if types.is_struct(kind):
        return all(_is_plain(field.type, types) for field in kind)
    if types.is_dictionary(kind):
        return _is_plain(kind.value_type, types)
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    return any(test(kind) for test in (*tests, types.is_null))


def _as_json(value: object) -> object:
    """As `json_value` has it: whole numbers as floats."""
    if isinstance(value, list):
        return [_as_json(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _as_json(entry) for key, entry in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
