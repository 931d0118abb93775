"""All that decides how a training goes on: what a checkpoint holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from msgspec.structs import asdict
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from depthkit_worker.contract.wire import TrainingPoint
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.training.options import SettledTraining
from depthkit_worker.repair.training.schedule import learning_rate_factor


class Masters:
    """The trained parameters as the optimiser sees them: in fp32 at least.

    In bf16 a step is smaller than the distance between two numbers. A parameter in low precision has a
    master copy, which takes the step and is rounded into it.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        self._masters = {name: _master(parameter) for name, parameter in self._parameters.items()}
        self._start = {name: master.detach().clone() for name, master in self._masters.items()}

    @property
    def tensors(self) -> list[Tensor]:
        return list(self._masters.values())

    @property
    def elements(self) -> int:
        return sum(master.numel() for master in self._masters.values())

    def collect(self) -> None:
        """Move the gradients of one backward pass to the masters, where they add up."""
        for name, parameter in self._parameters.items():
            master = self._masters[name]
            if master is parameter or parameter.grad is None:
                continue
            wide = parameter.grad.to(master.dtype)
            master.grad = wide if master.grad is None else master.grad.add_(wide)
            parameter.grad = None

    @torch.no_grad()
    def publish(self) -> None:
        """Round the masters into the parameters."""
        for name, parameter in self._parameters.items():
            if self._masters[name] is not parameter:
                parameter.copy_(self._masters[name])

    def copy(self) -> dict[str, Tensor]:
        return {name: master.detach().clone() for name, master in self._masters.items()}

    @torch.no_grad()
    def put(self, values: Mapping[str, Tensor]) -> None:
        for name, master in self._masters.items():
            master.copy_(values[name])
        self.publish()

    def placed(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`values`, each where its master is."""
        return {name: value.to(self._masters[name].device) for name, value in values.items()}

    def finite(self) -> bool:
        return all(bool(torch.isfinite(master).all()) for master in self._masters.values())

    def change(self) -> float:
        """Norm of the difference to where training started."""
        squares = [
            (master.detach() - self._start[name]).cpu().double().square().sum()
            for name, master in self._each()
        ]
        return math.sqrt(sum(float(square) for square in squares))

    def start(self) -> dict[str, Any]:
        """Where training started, in short, as JSON: shape and norm by name."""
        return {
            name: {"shape": list(tensor.shape), "norm": float(tensor.cpu().double().norm())}
            for name, tensor in self._start.items()
        }

    def check_gradients(self) -> None:
        """Refuse to train what no gradient reaches, or what is not a number to begin with."""
        for name, master in self._each():
            if master.grad is None:
                raise DepthkitError(
                    "INTERNAL",
                    f"Training cannot start: no gradient reaches {name}. The objective does not depend on "
                    "it.",
                    parameter=name,
                )
            if not bool(torch.isfinite(master.grad).all()):
                raise DepthkitError(
                    "NOT_MEASURABLE",
                    f"Training cannot start: the gradient of {name} holds NaN or infinity before the first "
                    "step. Look for broken weights, load the model in a wider dtype, or remove less.",
                    parameter=name,
                )

    def _each(self) -> list[tuple[str, Tensor]]:
        return list(self._masters.items())


def _master(parameter: nn.Parameter) -> Tensor:
    if parameter.dtype.itemsize >= 4:
        return parameter
    return parameter.detach().float().requires_grad_(True)


def _generator(place: int) -> str:
    """The name in checkpoints of the generator of a model's first GPU, its second, ..."""
    return "cuda" if place == 0 else f"cuda.{place}"


class State:
    """Parameters, optimiser, schedule, random numbers, place in the data, the best so far and the curve."""

    def __init__(self, masters: Masters, options: SettledTraining, devices: Sequence[torch.device]) -> None:
        self.masters = masters
        self._gpus = [device for device in devices if device.type == "cuda"]
        self.optimiser = AdamW(masters.tensors, lr=options.learning_rate, weight_decay=options.weight_decay)
        self.scheduler = LambdaLR(
            self.optimiser, lambda taken: learning_rate_factor(taken, options.steps, options.warmup)
        )
        self.step = 0
        self.position = 0
        """Sequences that went through training passes."""
        self.tokens = 0
        self.validated = -1
        """The last step whose state was scored on the held-out sequences."""
        self.best_step = 0
        self.best_value: float | None = None
        self.best: dict[str, Tensor] | None = None
        self.without_improvement = 0
        self.points: list[TrainingPoint] = []
        self.start = masters.start()
        self.random: dict[str, Tensor] = {}
        self.keep_random()

    def keep_random(self) -> None:
        """Where the generators stand between two steps; a step that is given up half-way does not count."""
        self.random = {"cpu": torch.get_rng_state()}
        for place, gpu in enumerate(self._gpus):
            self.random[_generator(place)] = torch.cuda.get_rng_state(gpu)

    def improved(self, value: float) -> None:
        self.best_step, self.best_value, self.without_improvement = self.step, value, 0
        self.best = self.masters.copy()

    def tensors(self) -> dict[str, Tensor]:
        """Everything large, on CPU."""
        named = {f"parameters.{name}": tensor for name, tensor in self.masters.copy().items()}
        named |= {f"best.{name}": tensor for name, tensor in (self.best or {}).items()}
        named |= {f"random.{name}": tensor for name, tensor in self.random.items()}
        for number, entries in self.optimiser.state_dict()["state"].items():
            for key, value in entries.items():
                named[f"optimiser.{number}.{key}"] = torch.as_tensor(value)
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in named.items()}

    def numbers(self) -> dict[str, Any]:
        """Everything else, as JSON. Numbers come back from it bit for bit."""
        schedule = {key: value for key, value in self.scheduler.state_dict().items() if key != "lr_lambdas"}
        return {
            "start": self.start,
            "step": self.step,
            "position": self.position,
            "tokens": self.tokens,
            "validated": self.validated,
            "bestStep": self.best_step,
            "bestValue": self.best_value,
            "withoutImprovement": self.without_improvement,
            "points": [asdict(point) for point in self.points],
            "schedule": json.loads(json.dumps(schedule)),
            "groups": json.loads(json.dumps(self.optimiser.state_dict()["param_groups"])),
        }

    def restore(self, numbers: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        def under(prefix: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)
            }

        self.masters.put(under("parameters."))
        best = under("best.")
        self.best = self.masters.placed(best) or None
        self.random = under("random.")
        torch.set_rng_state(self.random["cpu"])
        for place, gpu in enumerate(self._gpus):
            if _generator(place) in self.random:
                torch.cuda.set_rng_state(self.random[_generator(place)], gpu)
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in under("optimiser.").items():
            number, _, key = name.partition(".")
            entries.setdefault(int(number), {})[key] = value
        self.optimiser.load_state_dict({"state": entries, "param_groups": numbers["groups"]})
        self.scheduler.load_state_dict({**numbers["schedule"], "lr_lambdas": [None]})
        self.step = numbers["step"]
        self.position = numbers["position"]
        self.tokens = numbers["tokens"]
        self.validated = numbers["validated"]
        self.best_step = numbers["bestStep"]
        self.best_value = numbers["bestValue"]
        self.without_improvement = numbers["withoutImprovement"]
        self.points = [TrainingPoint(**point) for point in numbers["points"]]
