"""How the names of files of text end that can be read."""

from __future__ import annotations

ROWS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".tsv", ".parquet")
"""Rows of fields. `.json` is one list; `.json.gz` holds lines, as large collections of text are stored."""
SUFFIXES = (".txt", *ROWS)


def suffix_in(name: str) -> str | None:
    """The one of `SUFFIXES` that `name` ends in."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)
