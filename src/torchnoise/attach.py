"""attach(model, plan): noise in any model, for as long as the attachment lives."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .clock import Clock, Keys, new_clock, strengths_at
from .diagnose import Diagnosis, LastForward, why_not_finite
from .errors import NoEffectWarning
from .frame import Frame, argument_names, batch_of, by_name
from .patch import Patch, exporting, is_patched, with_carrier
from .plan import Injection, Plan
from .recall import Recall, in_backward
from .report import Measured, Report, Row
from .sites.gradient import noise_gradient
from .sites.site import Point
from .sites.tree import tensors
from .streams.address import MAX_STEP, VERSION
from .wiring import Wiring

_ATTACHED: weakref.WeakKeyDictionary[nn.Module, Attachment] = weakref.WeakKeyDictionary()


def attach(
    model: nn.Module,
    plan: Plan | Injection,
    seed: int = 0,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    batch_axis: int | None = 0,
    measure_every: int = 100,
) -> Attachment:
    """Put a plan's noise into a model, which stays as it is: same state_dict, same parameters, same types.

    Noise enters while the model trains; eval() is clean and bit-identical. The steps that schedules and addresses count
    are the optimiser's; without one, call `noise.step()` after each step.

    Args:
        model: any module; a wrapper (DistributedDataParallel, torch.compile) is looked through.
        plan: a Plan, or one Injection.
        seed: from 0 to 2^64 - 1. The same seed, names, steps and examples give the same noise.
        optimizer: its steps are counted, and noise on gradients enters there. LBFGS is refused for those.
        batch_axis: the axis of examples in the model's inputs, None if there is none.
        measure_every: every so many steps, realised rms and SNR are measured in each site's first call; 0 for never.

    Returns:
        An Attachment: a context manager, and the handle to step(), examples(), gradients(), report() and detach().

    Raises:
        LookupError: a site that matches nothing, with the nearest names.
        RuntimeError: a model that has noise attached already.
        ValueError, TypeError: a seed, strength or optimiser outside what is allowed.

    >>> import torch, torchnoise as tn
    >>> model = torch.nn.Linear(4, 2)
    >>> with tn.attach(model, tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())), seed=0) as noise:
    ...     noisy = model(torch.ones(3, 4))
    ...     noise.step()
    >>> torch.equal(noisy, model(torch.ones(3, 4)))
    False
    """
    return Attachment(model, plan, seed, optimizer, batch_axis, measure_every)


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside torch.compile's and DistributedDataParallel's wrappers."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def attachment_of(model: nn.Module) -> Attachment:
    """The attachment of a model. Raises LookupError where there is none."""
    found = _ATTACHED.get(unwrap(model))
    if found is None:
        raise LookupError(f"{type(model).__name__} has no noise attached; call tn.attach(model, plan) first")
    return found


class Attachment:
    """Noise in one model: a context manager, and the handle to it. Made by `attach`."""

    def __init__(
        self,
        model: nn.Module,
        plan: Plan | Injection,
        seed: int,
        optimizer: torch.optim.Optimizer | None,
        batch_axis: int | None,
        measure_every: int,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64:
            raise ValueError(f"attach: seed is {seed!r}, allowed: a whole number from 0 to 2^64 - 1")
        if isinstance(plan, Injection):
            plan = Plan(plan)
        if not isinstance(plan, Plan):
            raise TypeError(f"attach: plan is {plan!r}, allowed: a Plan or an Injection")
        if not isinstance(model, nn.Module):
            raise TypeError(f"attach: model is {type(model).__name__}, allowed: a torch.nn.Module")
        model = unwrap(model)
        for name, module in model.named_modules():
            if is_patched(module):
                raise RuntimeError(
                    f"attach: {name or type(model).__name__} has noise attached already, which would be applied twice; "
                    "detach that first, or put all injections into one plan"
                )
        self.model, self.plan, self.seed, self.batch_axis = model, plan, seed, batch_axis
        self._measure_every = measure_every
        self._step = 0
        self._pass = "0"
        self._elsewhere: dict[str, Clock] = {}  # the clocks of this step's other passes
        self._forced = False
        self._frame: Frame | None = None
        self._forwards = 0
        self._serial = 0
        self._ids: Tensor | None = None
        self._recall = Recall()
        self._last: LastForward | None = None
        self.diagnosis: Diagnosis | None = None
        self.measured: dict[int, Measured] = {}
        self._gradients_done = False
        self._warned: set[str] = set()
        self._names = argument_names(model.forward)

        wiring = Wiring(self, model)
        for injection in plan:
            wiring.install(injection)
        self._points, self._gradients = wiring.points, wiring.gradients
        self._around_gradients = wiring.around_gradients
        self._keys = Keys(seed, [(p.path, p.role) for p in self._points])
        for point in self._points:
            magnitude = point.injection.noise.relative_to
            if magnitude is not None and not isinstance(magnitude, str):
                point.memory["learned"] = magnitude.parameter(model)
        self._optimizer = optimizer
        self._hooks = self._hook(optimizer)
        self._clock = self._new_clock(torch.device("cpu"))
        self._patches = self._patch(wiring)
        _ATTACHED[model] = self

    # -- setting up ---------------------------------------------------------------------------------------------------

    def _hook(self, optimizer: torch.optim.Optimizer | None) -> list[Any]:
        if optimizer is None:
            if self._gradients:
                raise ValueError(
                    f"attach: {self._gradients[0][0].injection} needs the optimizer: attach(..., optimizer=opt)"
                )
            return []
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"attach: optimizer is {type(optimizer).__name__}, allowed: a torch.optim.Optimizer")
        if self._gradients and isinstance(optimizer, torch.optim.LBFGS):
            raise TypeError(
                "attach: LBFGS computes gradients inside its step, from a closure, where noise on them cannot enter; "
                "allowed: an optimizer whose step takes no closure, such as SGD or Adam"
            )
        return [
            optimizer.register_step_pre_hook(self._before_optimizer),
            optimizer.register_step_post_hook(lambda *_: self._advance()),
        ]

    def _patch(self, wiring: Wiring) -> list[Patch]:
        watched = {}
        carried = {m for m, c in wiring.carriers.items() if c.before or c.shadows or c.after}
        for module in self.model.modules():
            if module is self.model or any(m in carried for m in module.modules()):
                watched[module] = wiring.carrier(module)
        return [Patch(self, m, c, m is self.model) for m, c in watched.items()]

    # -- the clock ----------------------------------------------------------------------------------------------------

    def _new_clock(self, device: torch.device) -> Clock:
        """The clock at the beginning of the current step and pass."""
        self._host = strengths_at(self.plan, self._step)
        return new_clock(self._step, self._keys.words(self._pass), self._host, device)

    @property
    def current_step(self) -> int:
        """The step whose noise is drawn now."""
        return self._step

    def step(self) -> None:
        """Go on to the next step: other noise, the schedules' next strengths, examples numbered from 0 again.

        Raises:
            RuntimeError: where an optimizer was given, whose steps are counted already.
        """
        if self._optimizer is not None:
            raise RuntimeError("step: the optimizer given to attach() counts the steps; call step() only without one")
        self._advance()

    def _advance(self) -> None:
        self._say_what_never_ran()
        if self._step >= MAX_STEP:
            raise OverflowError(f"step {self._step}: addresses hold steps up to {MAX_STEP}")
        self._step += 1
        self._forwards = 0
        self._gradients_done = False
        self._new_step_begins()
        self._clock = self._new_clock(self._clock.step.device)

    def _new_step_begins(self) -> None:
        self._recall.forget()
        self._elsewhere.clear()
        self._last = None
        for point in self._points:
            point.scratch.clear()

    def examples(self, ids: Tensor) -> None:
        """Number the examples of the next forward: int64 [B], from 0 to 2^32 - 1.

        On several ranks, with the ids of the whole batch's examples, every layout of the batch over ranks and
        micro-batches draws the same noise. Without, each rank draws its own.
        """
        ids = torch.as_tensor(ids)
        if ids.dim() != 1 or ids.is_floating_point() or ids.dtype == torch.bool:
            raise ValueError(
                f"examples: ids are {str(ids.dtype).removeprefix('torch.')} of shape {tuple(ids.shape)}, "
                "allowed: whole numbers of shape [batch]"
            )
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) <= MAX_STEP:
            raise ValueError(f"examples: ids run from {int(ids.min())} to {int(ids.max())}, allowed: 0 to 2^32 - 1")
        self._ids = ids.to(torch.int64)

    @contextmanager
    def on_pass(self, number: int) -> Iterator[None]:
        """Other noise for the same examples of the same step: the second pass of R-Drop, say.

        Each pass numbers its examples for itself. Pass 0 is the ordinary one.
        """
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"on_pass: number is {number!r}, allowed: a whole number from 0")
        outer = self._pass
        self._enter_pass(str(number))
        try:
            yield
        finally:
            self._enter_pass(outer)

    def _enter_pass(self, name: str) -> None:
        self._elsewhere[self._pass] = self._clock
        self._pass = name
        self._clock = self._elsewhere.pop(name, None) or self._new_clock(self._clock.step.device)

    @contextmanager
    def forced(self, name: str) -> Iterator[None]:
        """Noise in eval mode too, as a pass of its own that leaves nothing behind. The way in is tn.active()."""
        before = self._pass, self._clock, self._forced, self._forwards
        self._pass, self._forced = name, True
        self._clock = self._new_clock(self._clock.step.device)
        try:
            yield
        finally:
            self._pass, self._clock, self._forced, self._forwards = before

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
        outer, self._frame = self._frame, frame
        try:
            if not compiling:
                self._recall.begin(frame)
                self._recall.note("", next((t for _, t in tensors(frame.arguments)), None), frame)
            out = with_carrier(frame, patch.carrier, original, args, kwargs)
        finally:
            self._frame = outer
        if not compiling:
            self._forwards += 1
            self._last = LastForward(frame, patch, original, args, kwargs)
            self._recall.end(frame, [t for _, t in tensors(out)])
        return out

    def run(self, patch: Patch, original: Callable, args: tuple, kwargs: dict) -> Any:
        """The forward of a module inside the model."""
        if not self._live(patch):
            return original(*args, **kwargs)
        frame = self._frame
        if not torch.compiler.is_compiling():
            first = next((t for _, t in tensors((args, kwargs))), None)
            if in_backward():
                frame = self._recall.find(patch.carrier.path, first)
            if frame is not None:
                self._recall.note(patch.carrier.path, first, frame)
        if frame is None:
            raise RuntimeError(
                f"{patch.carrier.path}: ran outside the forward of the attached {type(self.model).__name__}, so its "
                "examples are not known; attach to the module that you call, or call this one in eval mode"
            )
        return with_carrier(frame, patch.carrier, original, args, kwargs)

    def _begin(self, args: tuple, kwargs: dict) -> Frame:
        arguments = by_name(self._names, args, kwargs)
        batch, device = batch_of(arguments, self.batch_axis)
        if device is not None and device != self._clock.step.device:
            self._clock = self._clock.to(device)
        clock = self._clock
        if self._ids is not None:
            examples, self._ids = self._ids.to(clock.step.device), None
            if examples.shape[0] != batch:
                raise ValueError(f"examples: {examples.shape[0]} ids were given for a batch of {batch}")
        else:
            examples = clock.running + torch.arange(batch, device=clock.step.device)
            self._clock = clock._replace(running=clock.running + batch)
        return Frame(clock, examples, arguments, self._host)

    def ascend(self, loss: Tensor, retain_graph: bool = False) -> None:
        """Take the loss's gradient where adversarial noise enters; the next forwards of this step get that noise.

        They repeat the examples' numbers, so that random noise at other sites stays as it was.

        Raises:
            RuntimeError: no adversarial noise, or no forward of it in this step.
        """
        found = [(p, n, tap) for p in self._points for n, tap in p.scratch.get("taps", {}).items()]
        if not found:
            raise RuntimeError(
                f"step {self._step}: ascend() found no tensor to take a gradient at; it needs adversarial noise "
                "in the plan, and a forward in training mode before it"
            )
        grads = torch.autograd.grad(loss, [tap for _, _, tap in found], retain_graph=retain_graph)
        for (point, number, _), grad in zip(found, grads, strict=True):
            point.scratch["directions"][number] = grad.sign()
            point.scratch["taps"].pop(number)
        if self._last is not None:
            self._clock = self._clock._replace(running=self._last.frame.clock.running)

    def check(self, loss: Tensor) -> Tensor:
        """The loss itself; where it is not finite, an error that names the step and the site that it came from.

        The step's last forward is run again, with the same noise, to find the first site whose tensor is not finite.

        Raises:
            FloatingPointError: a loss that is infinite or not a number.
        """
        if not bool(torch.isfinite(loss.detach()).all()):
            raise FloatingPointError(
                f"step {self._step}: the loss is {loss.detach().sum().item()}; {why_not_finite(self)}"
            )
        return loss

    # -- gradients ----------------------------------------------------------------------------------------------------

    def gradients(self) -> None:
        """Put the noise on gradients in now instead of at the optimiser's step: for another order than clip, noise.

        Raises:
            RuntimeError: a second time in one step.
        """
        if self._gradients_done:
            raise RuntimeError(f"step {self._step}: the gradients have their noise already")
        self._noise_gradients(None)

    def _before_optimizer(self, optimizer: Any, args: tuple, kwargs: dict) -> None:
        if self._gradients and (kwargs.get("closure") is not None or any(callable(a) for a in args)):
            raise TypeError(
                "step: the optimizer was given a closure, inside which noise on gradients cannot enter; "
                "call backward() first and step() without a closure"
            )
        if not self._gradients_done:
            self._noise_gradients(getattr(optimizer, "grad_scale", None))

    def _noise_gradients(self, grad_scale: Tensor | float | None) -> None:
        clock = self._clock
        frame = Frame(clock, clock.none, {}, self._host)
        for before, _ in self._around_gradients:
            before()
        for point, parameter in self._gradients:
            noise_gradient(point, parameter, frame, grad_scale)
        for _, after in self._around_gradients:
            after()
        self._gradients_done = True

    def measures(self, point: Point) -> bool:
        """Whether this point's next tensor is to be measured: its first of every measure_every-th step."""
        if not self._measure_every or self._step % self._measure_every:
            return False
        last = self.measured.get(point.index)
        return last is None or last.step != self._step

    # -- what people read ---------------------------------------------------------------------------------------------

    def _say_what_never_ran(self) -> None:
        idle = [p.name for p in self._points if not p.fired and p.name not in self._warned]
        if not idle:
            return
        self._warned.update(idle)
        shown = ", ".join(idle[:5]) + (f" and {len(idle) - 5} more" if len(idle) > 5 else "")
        why = (
            "the model's forward ran, but not these modules"
            if any(p.fired for p in self._points) or self._forwards
            else "the attached model's forward did not run in training mode"
        )
        warnings.warn(f"step {self._step}: no noise entered at {shown}: {why}", NoEffectWarning, stacklevel=4)

    def report(self) -> Report:
        """A table of every point: site, shape, source, strength now, realised rms, SNR. Prints itself."""
        return Report(
            self._step,
            tuple(
                Row.of(
                    p.name,
                    str(p.injection.noise),
                    p.injection.noise.unit,
                    self._host[p.injection_index],
                    self.measured.get(p.index),
                )
                for p in self._points
            ),
        )

    def parameters(self) -> Iterator[nn.Parameter]:
        """The learned scales, for your optimiser."""
        yield from self._learned().values()

    def penalty(self) -> Tensor:
        """The sum of the learned scales' penalties, to be added to the loss."""
        total = torch.zeros((), device=self._clock.step.device)
        for point in self._points:
            if "learned" in point.memory:
                magnitude: Any = point.injection.noise.relative_to
                total = total + magnitude.penalty(point.memory["learned"]).to(total.device)
        return total

    # -- stop and go on -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: the step, and the sites' keys, by which a renamed layer is noticed."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "step": self._step,
            "running": int(self._clock.running),
            "sites": self._keys.by_place(),
            "learned": {place: scale.detach().clone() for place, scale in self._learned().items()},
        }

    def _learned(self) -> dict[str, nn.Parameter]:
        return {f"{p.path}|{p.role}": p.memory["learned"] for p in self._points if "learned" in p.memory}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where state_dict() was taken: the next draws are those that would have come.

        Raises:
            ValueError: another stream version, seed or set of sites; nothing is changed then.
        """
        if state["version"] != VERSION:
            raise ValueError(f"load_state_dict: stream version {state['version']}, allowed: {VERSION}")
        if state["seed"] != self.seed:
            raise ValueError(f"load_state_dict: the run had seed {state['seed']}, this attachment has {self.seed}")
        mine, theirs = self._keys.by_place(), state["sites"]
        if mine != theirs:
            gone, new = sorted(set(theirs) - set(mine)), sorted(set(mine) - set(theirs))
            raise ValueError(
                f"load_state_dict: the sites differ, so noise would too: missing {gone or 'none'}, new {new or 'none'}"
            )
        with torch.no_grad():
            for place, scale in self._learned().items():
                scale.copy_(state["learned"][place])
        self._step = state["step"]
        clock = self._new_clock(self._clock.step.device)
        self._clock = clock._replace(running=torch.full_like(clock.running, state["running"]))
        self._forwards, self._gradients_done = 0, False
        self._new_step_begins()

    def detach(self) -> None:
        """Take everything out again. The model is as it was; a second call does nothing."""
        for patch in reversed(self._patches):
            patch.remove()
        for hook in self._hooks:
            hook.remove()
        self._patches, self._hooks = [], []
        self._recall.forget()
        if _ATTACHED.get(self.model) is self:
            del _ATTACHED[self.model]

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()
