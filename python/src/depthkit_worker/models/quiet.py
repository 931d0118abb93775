"""Keeping transformers off the terminal: the worker's output belongs to its protocol."""

from __future__ import annotations

from transformers.utils import logging


def quiet_transformers() -> None:
    """No progress bars, no notes: what a user must know, depthkit says itself."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
