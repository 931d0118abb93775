"""Two devices where there is one processor: tensors are told apart by their storage, and an operation on two
that a GPU would refuse to take together is refused here."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

FIRST, SECOND = torch.device("cpu", 1), torch.device("cpu", 2)
_GRADIENT: Any = vars(torch._C.TensorBase)["grad"].__get__
_INDEXING = (Tensor.__getitem__, Tensor.__setitem__)
_BETWEEN_DEVICES = (
    Tensor.copy_,
    torch._has_compatible_shallow_copy_type,
    torch.autograd.grad,
    torch.autograd.backward,
    Tensor.register_hook,
)


class TwoDevices(TorchFunctionMode):
    """Inside, `FIRST` and `SECOND` are devices beside the plain processor."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[int, torch.device] = {}
        self.moves = 0
        """Tensors brought from one of the two to the other."""

    def __enter__(self) -> TwoDevices:
        # A module's own `to` reads its arguments where no mode sees them, and forgets a processor's number.
        plain = nn.Module.to

        def to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
            args, device = _without_device(args)
            device = kwargs.pop("device", None) or device
            moved = module if device is None else module._apply(lambda tensor: tensor.to(device))  # type: ignore[no-untyped-call]
            return plain(moved, *args, **kwargs) if args or kwargs else moved

        self._restore = plain
        nn.Module.to = to  # type: ignore[assignment,method-assign]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)  # type: ignore[no-untyped-call]
        nn.Module.to = self._restore  # type: ignore[method-assign]

    def put(self, module: nn.Module, device: torch.device) -> None:
        """`module`, with all it holds, on `device`."""
        for tensor in (*module.parameters(), *module.buffers()):
            self._mark(tensor, device)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:
            return self._place(args[0])
        if func is torch.device or func == Tensor.data.__set__:  # type: ignore[attr-defined]
            return func(*args)
        if getattr(func, "__name__", "").startswith("_foreach"):  # PyTorch sorts these by the real device
            results = func(*args, **kwargs)
            self._mark_like(results or (), list(args[0]) if results else [])
            return results
        if func in (Tensor.numpy, Tensor.__array__) and self._place(args[0]).index is not None:
            raise RuntimeError(f"{self._place(args[0])} tensor taken for one of NumPy's")
        args, asked = _without_device(args)
        if _processor(kwargs.get("device")):
            asked = torch.device(kwargs.pop("device"))
        if func is Tensor.cpu:
            asked = torch.device("cpu")
        if func is Tensor.to and asked is None:
            others = [one for one in args[1:] if isinstance(one, Tensor)]
            asked = self._place(others[0]) if others else None
        if func is Tensor.to or func is Tensor.cpu:
            return self._moved(func, args, kwargs, asked)
        place = self._common(func, args, kwargs)
        result = func(*args, **kwargs)
        if func is torch.autograd.grad:
            inputs = kwargs.get("inputs", args[1] if len(args) > 1 else ())
            self._mark_like(result, [inputs] if isinstance(inputs, Tensor) else list(inputs))
        elif func == _GRADIENT:
            self._mark_like([result], [args[0]])
        elif asked is not None or place is not None:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor) and (asked is not None or not self._known(leaf)):
                    self._mark(leaf, asked or place)  # type: ignore[arg-type]
        return result

    def _moved(self, func: Any, args: Any, kwargs: Any, asked: torch.device | None) -> Tensor:
        before = self._place(args[0])
        result: Tensor = func(*args, **kwargs)
        after = (asked or before) if result.device.type == "cpu" else result.device
        if after != before and result.untyped_storage()._cdata == args[0].untyped_storage()._cdata:
            result = result.clone()
        self.moves += {before, after} == {FIRST, SECOND}
        self._mark(result, after)
        return result

    def _common(self, func: Any, args: Any, kwargs: Any) -> torch.device | None:
        """The device of all tensors that an operation takes; None where it takes none."""
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if func in _BETWEEN_DEVICES or not tensors:
            return self._place(tensors[0]) if tensors else None
        if func in _INDEXING:  # a GPU's tensors may be indexed by the processor's
            tensors = [tensors[0], *(one for one in tensors[1:] if self._place(one).index is not None)]
        places = {self._place(one) for one in tensors if one.dim() > 0 or self._place(one).index is not None}
        if len(places) > 1:
            name = getattr(func, "__name__", func)
            raise RuntimeError(f"{name} of tensors on {', '.join(sorted(map(str, places)))}")
        return next(iter(places), torch.device("cpu"))

    def _known(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._places

    def _place(self, tensor: Tensor) -> torch.device:
        if tensor.device.type != "cpu":
            return tensor.device
        return self._places.get(tensor.untyped_storage()._cdata, torch.device("cpu"))

    def _mark_like(self, results: Any, models: list[Any]) -> None:
        for result, model in zip(results, models, strict=True):
            if isinstance(result, Tensor) and isinstance(model, Tensor):
                self._mark(result, self._place(model))

    def _mark(self, tensor: Tensor, device: torch.device) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._places:
            weakref.finalize(storage, self._places.pop, storage._cdata, None)
        self._places[storage._cdata] = device


def _processor(value: Any) -> bool:
    return (isinstance(value, torch.device) and value.type == "cpu") or (
        isinstance(value, str) and value == "cpu"
    )


def _without_device(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], torch.device | None]:
    """`args` but for a device of ours among them."""
    found = [one for one in args if _processor(one)]
    return tuple(one for one in args if not _processor(one)), torch.device(found[0]) if found else None


def spread(mode: TwoDevices, model: nn.Module, blocks: nn.ModuleList, first: int) -> None:
    """`first` blocks on the first device with all that is around them, the others on the second."""
    mode.put(model, FIRST)
    for block in blocks[first:]:
        mode.put(block, SECOND)
