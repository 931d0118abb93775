"""Which function answers which method. Names only: importing them imports torch, which waits until
after the handshake."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from depthkit_worker.protocol.wire import METHODS

INLINE = frozenset({"worker.ping", "worker.status"})
"""Answered by the I/O thread, at any time: they need neither torch nor the device."""

METHOD_TO_FUNCTION = {
    "worker.ping": "worker:ping",
    "worker.sleep": "worker:sleep",
    "worker.status": "worker:status",
    "model.load": "model:load",
    "model.tokenizer": "model:tokenizer",
    "model.unload": "model:unload",
    "corpus.load": "corpus:load",
    "corpus.unload": "corpus:unload",
    "task.load": "task:load",
    "task.unload": "task:unload",
    "subnetworks.evaluate": "subnetworks:evaluate",
    "influence.measure": "influence:measure",
    "evaluation.perplexity": "evaluation:perplexity",
    "evaluation.choices": "evaluation:choices",
    "evaluation.lastWord": "evaluation:last_word",
    "repair.fit": "repair:fit",
    "repair.save": "repair:save",
    "repair.load": "repair:load",
    "repair.unload": "repair:unload",
    "profiling.profile": "profiling:profile",
    "generation.generate": "generation:generate",
    "generation.loadTask": "generation:load_task",
    "generation.unloadTask": "generation:unload_task",
    "generation.solve": "generation:solve",
    "harness.run": "harness:run",
    "export.huggingface": "export:huggingface",
}

if METHOD_TO_FUNCTION.keys() != METHODS.keys():
    different = sorted(METHOD_TO_FUNCTION.keys() ^ METHODS.keys())
    raise RuntimeError(f"Methods of the contract and handlers differ: {', '.join(different)}.")

Handler = Callable[..., Any]


def resolve(method: str) -> Handler:
    """The handler `(session, params, call) -> result` of a method of the contract."""
    module, function = METHOD_TO_FUNCTION[method].split(":")
    handler: Handler = getattr(import_module(f"depthkit_worker.handlers.{module}"), function)
    return handler
