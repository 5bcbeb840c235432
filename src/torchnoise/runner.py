"""What happens while an attached model runs: forwards begin and end, steps and passes move on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .clock import EXAMPLES_PER_RANK, Clock, Keys, new_clock, rank, strengths_at
from .diagnose import Diagnosis, LastForward
from .errors import NoEffectWarning
from .frame import Frame, argument_names, batch_of, by_name
from .patch import Patch, exporting, with_carrier
from .plan import Plan
from .recall import Recall, in_backward
from .report import Meter
from .sites.site import Point
from .sites.tree import tensors
from .streams.address import MAX_STEP


class Runner:
    """The moving parts of one attachment: its step, its clock, the forward that is running now."""

    def __init__(self, model: nn.Module, plan: Plan, seed: int, batch_axis: int | None, measure_every: int) -> None:
        self.model, self.plan, self.seed, self.batch_axis = model, plan, seed, batch_axis
        self.points: list[Point] = []
        self.meter = Meter(measure_every)
        self.diagnosis: Diagnosis | None = None
        self.recall = Recall()
        self.step = 0
        self.ids: Tensor | None = None  # the numbers of the next forward's examples, where they were given
        self.frame: Frame | None = None
        self.last: LastForward | None = None
        self._names = argument_names(model.forward)
        self._pass = "0"
        self._elsewhere: dict[str, Clock] = {}  # the clocks of this step's other passes
        self._forced = False
        self._forwards = 0
        self._seen = 0
        self._warned: set[str] = set()

    def start(self, points: list[Point]) -> None:
        """Take up the points that the sites found."""
        self.points = points
        self.keys = Keys(self.seed, [(p.path, p.role) for p in points])
        self.clock = self.new_clock(torch.device("cpu"))

    # -- steps and passes ----------------------------------------------------------------------------------------------

    def new_clock(self, device: torch.device) -> Clock:
        """The clock at the beginning of the current step and pass."""
        self.host = strengths_at(self.plan, self.step)
        return new_clock(self.step, self.keys.words(self._pass), self.host, device)

    def advance(self) -> None:
        """Go on to the next step."""
        self._say_what_never_ran()
        if self.step >= MAX_STEP:
            raise OverflowError(f"step {self.step}: addresses hold steps up to {MAX_STEP}")
        self.go_to(self.step + 1)

    def go_to(self, step: int, running: int | None = None) -> None:
        """Begin a step: nothing of another step is remembered."""
        self.step = step
        self.recall.forget()
        self._elsewhere.clear()
        self.last = None
        self._forwards = self._seen = 0
        for point in self.points:
            point.scratch.clear()
        self.clock = self.new_clock(self.clock.step.device)
        if running is not None:
            self.clock = self.clock._replace(running=torch.full_like(self.clock.running, running))

    @contextmanager
    def on_pass(self, name: str) -> Iterator[None]:
        """Another pass of the same step, which numbers its examples for itself."""
        outer = self._pass
        self._enter_pass(name)
        try:
            yield
        finally:
            self._enter_pass(outer)

    def _enter_pass(self, name: str) -> None:
        self._elsewhere[self._pass] = self.clock
        self._pass = name
        known = self._elsewhere.pop(name, None)
        self.clock = self.new_clock(self.clock.step.device) if known is None else known

    @contextmanager
    def forced(self, name: str) -> Iterator[None]:
        """Noise in eval mode too, as a pass of its own that leaves nothing behind."""
        before = self._pass, self.clock, self._forced, self._forwards, self._seen
        self._pass, self._forced = name, True
        self.clock = self.new_clock(self.clock.step.device)
        try:
            yield
        finally:
            self._pass, self.clock, self._forced, self._forwards, self._seen = before

    # -- forwards -----------------------------------------------------------------------------------------------------

    def _live(self, patch: Patch) -> bool:
        return patch.attached and (patch.module.training or self._forced) and not exporting()

    def run_root(self, patch: Patch, original: Callable, args: tuple, kwargs: dict) -> Any:
        """The model's own forward: a frame begins here and ends here."""
        if not self._live(patch):
            return original(*args, **kwargs)
        compiling = torch.compiler.is_compiling()
        if not compiling and in_backward():
            return self.run(patch, original, args, kwargs)
        frame = self._begin(args, kwargs)
        outer, self.frame = self.frame, frame
        try:
            if not compiling:
                self.recall.begin(frame)
                self.recall.note("", next((t for _, t in tensors(frame.arguments)), None), frame)
            out = with_carrier(frame, patch.carrier, original, args, kwargs)
        finally:
            self.frame = outer
        if not compiling:
            self._forwards += 1
            self.last = LastForward(frame, patch, original, args, kwargs)
            self.recall.end(frame, [t for _, t in tensors(out)])
        return out

    def run(self, patch: Patch, original: Callable, args: tuple, kwargs: dict) -> Any:
        """The forward of a module inside the model."""
        if not self._live(patch):
            return original(*args, **kwargs)
        frame = self.frame
        if not torch.compiler.is_compiling():
            first = next((t for _, t in tensors((args, kwargs))), None)
            if in_backward():
                frame = self.recall.find(patch.carrier.path, first)
            if frame is not None:
                self.recall.note(patch.carrier.path, first, frame)
        if frame is None:
            raise RuntimeError(
                f"{patch.carrier.path}: ran outside the forward of the attached {type(self.model).__name__}, so its "
                "examples are not known; attach to the module that you call, or call this one in eval mode"
            )
        return with_carrier(frame, patch.carrier, original, args, kwargs)

    def _begin(self, args: tuple, kwargs: dict) -> Frame:
        arguments = by_name(self._names, args, kwargs)
        batch, device = batch_of(arguments, self.batch_axis)
        if device is not None and device != self.clock.step.device:
            self.clock = self.clock.to(device)
        clock = self.clock
        if self.ids is not None:
            examples, self.ids = self.ids.to(clock.step.device), None
            if examples.shape[0] != batch:
                raise ValueError(f"examples: {examples.shape[0]} ids were given for a batch of {batch}")
        else:
            # the rank is asked for here: it may come after attach(), and is no part of a stored run
            first = (rank() or 0) * EXAMPLES_PER_RANK
            examples = first + clock.running + torch.arange(batch, device=clock.step.device)
            self.clock = clock._replace(running=clock.running + batch)
            if not torch.compiler.is_compiling():
                self._count(batch)
        return Frame(clock, examples, arguments, self.host)

    def _count(self, batch: int) -> None:
        self._seen += batch
        if self._seen > EXAMPLES_PER_RANK and rank() is not None:
            raise OverflowError(
                f"step {self.step}: more than {EXAMPLES_PER_RANK} examples on one rank without numbers of their own; "
                "give them by noise.examples(ids)"
            )

    def _say_what_never_ran(self) -> None:
        idle = [p.name for p in self.points if not p.fired and p.name not in self._warned]
        if not idle:
            return
        self._warned.update(idle)
        shown = ", ".join(idle[:5]) + (f" and {len(idle) - 5} more" if len(idle) > 5 else "")
        why = (
            "the model's forward ran, but not these modules"
            if any(p.fired for p in self.points) or self._forwards
            else "the attached model's forward did not run in training mode"
        )
        warnings.warn(f"step {self.step}: no noise entered at {shown}: {why}", NoEffectWarning, stacklevel=5)
