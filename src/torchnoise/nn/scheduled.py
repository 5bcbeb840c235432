"""Gaussian noise whose standard deviation follows the training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import nearest
from ..functional import number
from ..schedules import Schedule, cosine, exponential, linear
from ..sources import Gaussian
from .draw import check_std, with_noise

_ADD = Gaussian(0.0)


def _geometric(start: float, end: float, steps: int) -> Schedule:
    if not (start > 0 and end > 0):
        raise ValueError(
            f"ScheduledNoise: initial_std, final_std are {start:g}, {end:g}, allowed under 'exponential': above 0"
        )
    return exponential(start, end / start, steps)


# from initial_std, final_std and decay_steps to a function of the step
SHAPES: dict[str, Callable[[float, float, int], Schedule]] = {
    "linear": linear,
    "cosine": cosine,
    "exponential": _geometric,
}


@dataclass(frozen=True)
class _Between:
    """end + (start - end) shape(t)."""

    start: float
    end: float
    shape: Schedule

    def __call__(self, step: int) -> float:
        return self.end + (self.start - self.end) * self.shape(step)


class ScheduledNoise(nn.Module):
    """Additive Gaussian noise in training whose standard deviation goes from one value to another; identity in eval.

    Formula: y = x + std(t) z, z ~ N(0, 1) for each element, t the step that you set. From decay_steps on, std(t) =
    final_std. Before, with T = decay_steps:

        "linear"        initial + (final - initial) t / T
        "cosine"        final + (initial - final) (1 + cos(pi t / T)) / 2
        "exponential"   initial (final / initial)^(t / T)
        a callable f    final + (initial - final) f(t), such as tn.power_decay(1.0, 0.55): 1 at first, towards 0

    The layer counts nothing by itself, because a forward is not a step (gradient accumulation, recomputation): call
    set_step(0) before training and step() after each optimizer's step, or tn.nn.set_step(model, t). The step is not in
    the state_dict, which stays as without the layer: after a resume, set_step(t) is all.

    Args:
        initial_std, final_std: from 0, in the unit of x.
        decay_steps: the step from which on std is final_std, from 1.
        schedule: "linear", "cosine", "exponential", or a function of the step.

    Shapes: any. One key for each forward comes from torch's default generator, also where std is 0. A new step does not
    recompile a graph of torch.compile.

    Raises:
        RuntimeError: a forward in training before any step was given.
        ValueError: a negative std, decay_steps below 1, an unknown schedule. TypeError: an x not of floating point.

    >>> import torch
    >>> layer = ScheduledNoise(1.0, 0.0, decay_steps=4)
    >>> layer.set_step(1)
    >>> layer.current_step, layer.current_std
    (1, 0.75)
    >>> layer.step()
    >>> layer.current_std
    0.5
    >>> layer.set_step(100)
    >>> layer(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(
        self, initial_std: float, final_std: float, decay_steps: int, schedule: str | Schedule = "linear"
    ) -> None:
        super().__init__()
        self.initial_std = check_std("ScheduledNoise: initial_std", initial_std)
        self.final_std = check_std("ScheduledNoise: final_std", final_std)
        if isinstance(decay_steps, bool) or not isinstance(decay_steps, int) or decay_steps < 1:
            raise ValueError(f"ScheduledNoise: decay_steps is {decay_steps!r}, allowed: a whole number from 1")
        self.decay_steps, self.schedule = decay_steps, schedule
        if callable(schedule):
            self._curve: Schedule = _Between(self.initial_std, self.final_std, schedule)
        elif schedule in SHAPES:
            self._curve = SHAPES[schedule](self.initial_std, self.final_std, decay_steps)
        else:
            raise ValueError(f"ScheduledNoise: schedule is {schedule!r}; {nearest(str(schedule), SHAPES)}")
        self.current_step: int | None = None
        self._strength: Tensor | None = None  # a tensor, so that a graph does not fix its value; replaced, not changed

    def std_at(self, step: int) -> float:
        """The standard deviation at a step."""
        return self.final_std if step >= self.decay_steps else self._curve(step)

    @property
    def current_std(self) -> float | None:
        """The standard deviation at the current step; None before any step was given."""
        return None if self.current_step is None else self.std_at(self.current_step)

    def set_step(self, step: int) -> None:
        """Go to a step, counted from 0."""
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ValueError(f"ScheduledNoise: step is {step!r}, allowed: a whole number from 0")
        std = check_std(f"ScheduledNoise: std at step {step}", self.std_at(step))
        self.current_step, self._strength = step, torch.tensor(std, dtype=torch.float32)

    def step(self) -> None:
        """Go to the next step; to step 0 where none was given."""
        self.set_step(0 if self.current_step is None else self.current_step + 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self._strength is None:
            raise RuntimeError(
                "ScheduledNoise: no step was given, allowed: set_step(0) before training, then step() after each "
                "optimizer's step (or tn.nn.set_step(model, t)); tn.fit does both"
            )
        return with_noise(x, _ADD, self._strength_on(x.device), "ScheduledNoise")

    def _strength_on(self, device: torch.device) -> Tensor:
        assert self._strength is not None
        if torch.compiler.is_compiling() or self._strength.device == device:
            return self._strength.to(device)
        return number(self._strength.item(), device)  # kept there, so that it is copied once a step

    def extra_repr(self) -> str:
        schedule = getattr(self.schedule, "__name__", None) or f"{self.schedule}"
        return (
            f"initial_std={self.initial_std:g}, final_std={self.final_std:g}, decay_steps={self.decay_steps}, "
            f"schedule={schedule}, step={self.current_step}"
        )


def set_step(model: nn.Module, step: int) -> None:
    """Set the step of every ScheduledNoise in a model: the line for a training loop, and after a resume.

    Raises:
        LookupError: a model without any. ValueError: a step that is not a whole number from 0.

    >>> model = nn.Sequential(nn.Linear(2, 2), ScheduledNoise(0.1, 0.0, 10), ScheduledNoise(0.2, 0.0, 10))
    >>> set_step(model, 5)
    >>> [m.current_std for m in model[1:]]
    [0.05, 0.1]
    """
    layers = [m for m in model.modules() if isinstance(m, ScheduledNoise)]
    if not layers:
        raise LookupError(f"set_step: {type(model).__name__} has no ScheduledNoise, allowed: a model with one or more")
    for layer in layers:
        layer.set_step(step)
