"""Which function answers which method of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from depthkit_worker.contract.wire import METHODS
from depthkit_worker.session.session import Session

Handler = Callable[..., Any]
"""(session, params, call) -> result, params and result those of the method in the contract; or `Away`, which
gives the result."""


@dataclass(frozen=True)
class Handlers:
    """The handlers by name. Importing them imports torch, which waits until after the handshake."""

    package: str
    functions: Mapping[str, str]
    """By method: `module:function`, the module in the package."""
    inline: frozenset[str]
    """Methods that the I/O thread answers, at any time: they need neither torch nor the device."""
    early: frozenset[str]
    """Methods that need no torch either, but may wait for a disk: they do not wait for the heavy imports."""
    light: frozenset[str]
    """Methods that run beside the others: they touch neither the device nor a model's parameters."""
    unloads: frozenset[str]
    """Methods that end what light ones may still need, and wait for those that came before."""
    alone: frozenset[str]
    """Methods beside which no other one runs: they take the time."""
    farewell: str
    """`module:function` that lets go of all that a session holds."""

    def __post_init__(self) -> None:
        different = sorted(self.functions.keys() ^ METHODS.keys())
        if different:
            raise RuntimeError(f"Methods of the contract and handlers differ: {', '.join(different)}.")

    def resolve(self, method: str) -> Handler:
        handler: Handler = self._function(self.functions[method])
        return handler

    def forget_everything(self) -> Callable[[Session], None]:
        function: Callable[[Session], None] = self._function(self.farewell)
        return function

    def _function(self, name: str) -> Any:
        module, function = name.split(":")
        return getattr(import_module(f"{self.package}.{module}"), function)
