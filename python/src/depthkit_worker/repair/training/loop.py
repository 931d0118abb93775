"""The training itself: steps, validation, checkpoints, and when it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from msgspec.structs import replace
from torch import nn
from torch.nn.utils import clip_grad_norm_

from depthkit_worker.cache_folder import user_cache_folder
from depthkit_worker.contract.wire import TrainingPoint, TrainingReport
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.allocator import freed_memory_kept
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.gaps import find_gaps
from depthkit_worker.repair.training.checkpoints import Checkpoints, Resumed
from depthkit_worker.repair.training.options import SettledTraining
from depthkit_worker.repair.training.order import Order
from depthkit_worker.repair.training.passes import Passes, Trained
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.repair.training.settings import check_options, identity
from depthkit_worker.repair.training.state import Masters, State
from depthkit_worker.repair.training.teacher import Wanted, teach
from depthkit_worker.session.job import Job

PHASE = "training"
MOST_SEED = 2**63 - 1

Surgery = Callable[[], AbstractContextManager[Trained]]
"""Puts the subnetwork, with what is trained, into the live model; everything is as before afterwards."""


def train(
    base: Base,
    surgery: Surgery,
    first: int,
    what: Mapping[str, Any],
    options: SettledTraining,
    job: Job,
    on_point: OnPoint,
) -> TrainingReport:
    """Train what `surgery` puts into the model, from block `first` up; it holds the state that was kept
    afterwards. `what`: the method and its settings as JSON, which tell this training from others."""
    check_options(options, base.corpus)
    gaps = _compared(base, options, first)
    checkpoints = None
    if options.folder is not None:
        checkpoints = Checkpoints(Path(options.folder), identity(base, options, what))
    finished = checkpoints is not None and checkpoints.finished(options)
    job.check()
    held_out = list(range(base.corpus.sequences - options.validation, base.corpus.sequences))
    order = Order(base.corpus.sequences - options.validation, options.seed)
    used = order.first(options.steps * options.batch_size * options.accumulation)
    wanted = Wanted(
        min(options.teacher_top, base.decoder.vocabulary_size) if options.objective.kl > 0 else 0, gaps
    )
    folder = Path(options.folder) if options.folder is not None else user_cache_folder()
    with ExitStack() as stack:
        stack.enter_context(_as_an_error(options))
        stack.enter_context(freed_memory_kept(base.decoder.device))
        stack.enter_context(_frozen(base))
        stack.enter_context(_own_random_numbers(base.decoder.devices, options.seed))
        # The dense model answers before anything is done to it.
        sequences = [] if finished else sorted(used.union(held_out))
        teacher = stack.enter_context(
            teach(base.decoder, base.corpus, sequences, wanted, folder, options.batch_size, job)
        )
        job.check()
        trained = stack.enter_context(surgery())
        _check_reached(trained, options, gaps)
        stack.enter_context(_learning(trained))
        passes = Passes(
            base.decoder,
            base.corpus,
            teacher,
            trained,
            options.objective,
            gaps,
            base.options.skip_tokens,
            options.activation_checkpointing,
            job,
            options.written_only,
        )
        masters = Masters(trained.parameters)
        state = State(masters, options, base.decoder.devices)
        resumed = Resumed(None, ()) if checkpoints is None else checkpoints.resume(state)
        run = _Run(passes, state, order, held_out, options, checkpoints, job, on_point)
        run.go()
        return run.finish(resumed)


class _Run:
    """One training from where its state stands to its end."""

    def __init__(
        self,
        passes: Passes,
        state: State,
        order: Order,
        held_out: list[int],
        options: SettledTraining,
        checkpoints: Checkpoints | None,
        job: Job,
        on_point: OnPoint,
    ) -> None:
        self._passes = passes
        self._state = state
        self._order = order
        self._held_out = held_out
        self._options = options
        self._checkpoints = checkpoints
        self._job = job
        self._on_point = on_point
        self._gradients_checked = False
        self._tokens = self._steps = 0
        self._seconds = 0.0

    def go(self) -> None:
        state, options = self._state, self._options
        try:
            self._job.report(PHASE, state.step, options.steps, "steps")
            while True:
                self._settle()
                if state.step >= options.steps or self._out_of_patience():
                    break
                self._step()
                self._job.report(PHASE, state.step, options.steps, "steps")
        except BaseException:
            self._keep()
            raise
        self._keep()

    def finish(self, resumed: Resumed) -> TrainingReport:
        """Put the best state in place and say how it went."""
        state = self._state
        change = state.masters.change()
        if not change > 0:
            rate = self._options.learning_rate
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"Training took {state.step} steps with learningRate {rate:g} and no parameter changed: the "
                "rate is too small, or there was nothing to learn, as for a block in place of one, which "
                "starts as that block and so is the whole model. Raise learningRate, remove more, or take "
                "another objective than the whole model's own streams and logits.",
                steps=state.step,
                learningRate=rate,
            )
        if state.best is not None:
            state.masters.put(state.best)
        stopped: Literal["steps", "patience"] = "steps" if state.step >= self._options.steps else "patience"
        return TrainingReport(
            trained=state.masters.elements,
            steps=state.step,
            best_step=state.step if state.best is None else state.best_step,
            tokens=state.tokens,
            stopped=stopped,
            resumed_from=resumed.step,
            skipped_checkpoints=resumed.skipped,
            change=change,
            points=tuple(state.points),
        )

    def _keep(self) -> None:
        """Save the state after the last whole step, if it is of use: a step changes it only at its end."""
        state = self._state
        if self._checkpoints is not None and state.step > 0 and state.masters.finite():
            self._checkpoints.save(state)

    def _settle(self) -> None:
        """What follows a step: validation, the news of it, a checkpoint."""
        state, options = self._state, self._options
        if not state.masters.finite():
            raise self._not_finite(state.step, "value of a parameter", "NaN or infinite")
        due = state.step % options.validate_every == 0 or state.step == options.steps
        if self._held_out and due and state.validated < state.step:
            value = self._validation()
            if state.step == 0:
                state.points.append(
                    TrainingPoint(
                        step=0,
                        objective=None,
                        validation=value,
                        learning_rate=0.0,
                        gradient_norm=None,
                        tokens_per_second=0.0,
                        seconds_left=None,
                    )
                )
            else:
                state.points[-1] = replace(state.points[-1], validation=value)
            state.validated = state.step
            if state.best_value is None or value < state.best_value:
                state.improved(value)
            else:
                state.without_improvement += 1
        if state.points and state.points[-1].step == state.step:
            self._on_point(state.points[-1])
        if state.step % options.save_every == 0:
            self._keep()

    def _out_of_patience(self) -> bool:
        patience = self._options.patience
        return patience is not None and self._state.without_improvement >= patience

    def _validation(self) -> float:
        size = self._options.batch_size
        counts = self._passes.counts(self._held_out)
        value = 0.0
        for first in range(0, len(self._held_out), size):
            self._job.check()
            with self._readable(self._state.step):
                value += self._passes.value(self._held_out[first : first + size], counts)
        if not math.isfinite(value):
            raise self._not_finite(self._state.step, "objective on the held-out sequences", value)
        return value

    def _step(self) -> None:
        state, options = self._state, self._options
        started = time.monotonic()
        number = state.step + 1
        taken = self._order.take(state.position, options.batch_size * options.accumulation)
        counts = self._passes.counts(taken)
        state.optimiser.zero_grad(set_to_none=True)
        value = 0.0
        for first in range(0, len(taken), options.batch_size):
            self._job.check()
            with self._readable(number):
                part = self._passes.backward(taken[first : first + options.batch_size], counts)
            state.masters.collect()
            value += part
            if not math.isfinite(value):
                raise self._not_finite(number, "objective", value)
        if not self._gradients_checked:
            state.masters.check_gradients()
            self._gradients_checked = True
        norm = float(
            clip_grad_norm_(state.masters.tensors, math.inf if options.clip is None else options.clip)
        )
        if not math.isfinite(norm):
            raise self._not_finite(number, "gradient's norm", norm)
        rate = float(state.scheduler.get_last_lr()[0])
        state.optimiser.step()
        state.scheduler.step()
        state.masters.publish()
        state.step = number
        state.position += len(taken)
        state.tokens += counts.kl
        state.keep_random()
        self._seconds += time.monotonic() - started
        self._tokens += counts.kl
        self._steps += 1
        state.points.append(
            TrainingPoint(
                step=number,
                objective=value,
                validation=None,
                learning_rate=rate,
                gradient_norm=norm,
                tokens_per_second=self._tokens / max(self._seconds, 1e-9),
                seconds_left=(options.steps - number) * self._seconds / self._steps,
            )
        )

    @contextmanager
    def _readable(self, step: int) -> Iterator[None]:
        """Says of logits that cannot be read how far the training was, and what it keeps."""
        try:
            yield
        except DepthkitError as error:
            if error.code != "NOT_MEASURABLE":
                raise
            at = {**error.details, "position": error.details["step"]}
            del at["step"]
            where = f"sequence {at['item']} from position {at['position']} on, in {at['dtype']}"
            many = f"in {at['items']} of {at['of']} sequences"
            value = f"not a number: logits are NaN or infinite in {where}, {many}"
            raise self._not_finite(step, "objective", value, **at) from error

    def _not_finite(self, step: int, what: str, value: float | str, **details: Any) -> DepthkitError:
        self._keep()
        newest = None if self._checkpoints is None else self._checkpoints.newest
        kept = "" if newest is None else f" The state after step {newest} is kept in {self._options.folder}."
        return DepthkitError(
            "NOT_MEASURABLE",
            f"Training stopped at step {step} of {self._options.steps}: the {what} is {value}. Lower "
            f"learningRate, raise warmup, or load the model in a wider dtype.{kept}",
            step=step,
            value=str(value),
            **details,
        )


def _compared(base: Base, options: SettledTraining, first: int) -> tuple[int, ...]:
    """Blocks whose output the objective compares with the dense model's: those where gaps end."""
    if options.objective.hidden == 0:
        return ()
    ends = {gap.last for gap in find_gaps(base.subnetwork.unrepaired)}
    above = tuple(sorted(end for end in ends if end >= first))
    if not above:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The objective weighs hidden by {options.objective.hidden}, and no gap lies at or above block "
            f"{first}, the first one that is trained. Set hidden to 0, or remove units there.",
            hidden=options.objective.hidden,
            first=first,
        )
    if base.corpus.length <= base.options.skip_tokens:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The first {base.options.skip_tokens} tokens of each sequence are not counted, and sequences "
            f"have at most {base.corpus.length}. Lower skipTokens.",
            skipTokens=base.options.skip_tokens,
            length=base.corpus.length,
        )
    return above


def _check_reached(trained: Trained, options: SettledTraining, gaps: tuple[int, ...]) -> None:
    """Streams alone say nothing to what is trained above the last of them."""
    if options.objective.kl > 0 or options.objective.loss > 0:
        return
    above = [name for name in trained.parameters if int(name.partition(".")[0]) > gaps[-1]]
    if above:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The objective is hidden alone, which ends behind block {gaps[-1]}, and {above[0]} lies above "
            "it: nothing would train it. Give kl or loss a weight, or train no block above the last gap.",
            parameters=above,
            last=gaps[-1],
        )


@contextmanager
def _frozen(base: Base) -> Iterator[None]:
    """Inside, no parameter of the model or of a repair in place takes gradients."""
    modules: list[nn.Module] = [base.decoder.model]
    modules += [module for repair in base.subnetwork.repairs for module in repair.modules]
    before = [(parameter, parameter.requires_grad) for module in modules for parameter in module.parameters()]
    try:
        for parameter, _ in before:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)


@contextmanager
def _learning(trained: Trained) -> Iterator[None]:
    try:
        for parameter in trained.parameters.values():
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in trained.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None


@contextmanager
def _own_random_numbers(devices: Sequence[torch.device], seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device for device in devices if device.type == "cuda"]):
        torch.manual_seed(min(seed, MOST_SEED))
        yield


@contextmanager
def _as_an_error(options: SettledTraining) -> Iterator[None]:
    """An allocation that failed, said so that the user knows what to turn down."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DepthkitError(
            "OUT_OF_MEMORY",
            f"Training with batches of {options.batch_size} sequences ran out of memory: {error}. Lower "
            "batchSize and raise accumulation by as much, switch activationCheckpointing on, or load shorter "
            "sequences.",
            batchSize=options.batch_size,
            activationCheckpointing=options.activation_checkpointing,
        ) from error
