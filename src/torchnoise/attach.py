"""attach(model, plan): noise in any model, for as long as the attachment lives."""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .errors import NoEffectWarning
from .frame import Clock, Frame, argument_names, batch_of, by_name
from .noise import Call
from .patch import Patch, exporting, is_patched, with_carrier
from .plan import Injection, Plan
from .recall import Recall, in_backward
from .report import Measured, Report, Row, measure
from .sites.activation import dims_mask, masked_like
from .sites.gradient import noise_gradient
from .sites.site import Point
from .sites.tree import tensors
from .streams.address import MAX_STEP, VERSION, Address, key_for_call, key_words, subkey
from .wiring import Wiring

_ATTACHED: weakref.WeakKeyDictionary[nn.Module, Attachment] = weakref.WeakKeyDictionary()
EXAMPLES_PER_RANK = 1 << 20  # without ids, rank r numbers its examples from r * 2^20 on, so ranks draw independently


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
        optimizer: its steps are counted, and noise on gradients enters there. One that takes closures is refused for that.
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
        self._forced = False
        self._frame: Frame | None = None
        self._forwards = 0
        self._serial = 0
        self._ids: Tensor | None = None
        self._recall = Recall()
        self._measured: dict[int, Measured] = {}
        self._gradients_done = False
        self._warned: set[str] = set()
        self._names = argument_names(model.forward)

        wiring = Wiring(self, model)
        for injection in plan:
            wiring.install(injection)
        self._points, self._gradients = wiring.points, wiring.gradients
        self._register_keys()
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

    def _register_keys(self) -> None:
        self._keys: dict[str, list[int]] = {}
        keys = self._keys_for(self._pass)
        seen: dict[int, Point] = {}
        for point, key in zip(self._points, keys, strict=True):
            if key in seen:
                raise RuntimeError(f"attach: {point.name} and {seen[key].name} have the same key; take another seed")
            seen[key] = point

    def _keys_for(self, pass_: str) -> list[int]:
        if pass_ not in self._keys:
            self._keys[pass_] = [subkey(self.seed, p.path, p.role, pass_) for p in self._points]
        return self._keys[pass_]

    def _hook(self, optimizer: torch.optim.Optimizer | None) -> list[Any]:
        if optimizer is None:
            if self._gradients:
                raise ValueError(
                    f"attach: {self._gradients[0][0].injection} needs the optimizer, allowed: attach(..., optimizer=opt)"
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

    def _strengths(self) -> tuple[float, ...]:
        """Every injection's strength at this step, checked by the noise's own rules."""
        values = []
        for injection in self.plan:
            noise = injection.noise
            if injection.when is not None:
                factor = injection.when(self._step)
                try:
                    noise = dataclasses.replace(noise, strength=noise.strength * factor)
                except (TypeError, ValueError) as problem:
                    raise ValueError(
                        f"step {self._step}: the schedule of {injection} gave {factor!r}: {problem}"
                    ) from problem
            values.append(noise.strength)
        return tuple(values)

    def _new_clock(self, device: torch.device) -> Clock:
        self._host = self._strengths()
        rank = 0
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank = torch.distributed.get_rank()
        keys = [key_words(k) for k in self._keys_for(self._pass)]
        return Clock(
            torch.tensor(keys, dtype=torch.int64, device=device).reshape(-1, 2),
            torch.tensor(self._step, dtype=torch.int64, device=device),
            torch.tensor(self._host, dtype=torch.float32, device=device),
            torch.tensor(rank * EXAMPLES_PER_RANK, dtype=torch.int64, device=device),
            torch.zeros(1, dtype=torch.int64, device=device),
        )

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
        self._recall.forget()
        self._clock = self._new_clock(self._clock.step.device)

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
        """Other noise for the same examples of the same step: the second pass of R-Drop, a sample of predict.

        Within, examples are numbered from the beginning of the step again. Pass 0 is the ordinary one.
        """
        with self._on(str(number)):
            yield

    @contextmanager
    def _on(self, name: str, forced: bool | None = None) -> Iterator[None]:
        before = self._pass, self._clock, self._forced, self._forwards
        self._pass = name
        self._forced = self._forced if forced is None else forced
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
        return Frame(clock, examples, arguments, self._host, 0)

    def inject(
        self,
        point: Point,
        frame: Frame,
        x: Tensor,
        *,
        keep: Tensor | None = None,
        default_mask: str | None = None,
        batch_axis: int | None = 0,
        merged: bool = False,
        per_call: bool = True,
        most_calls: int | None = None,
        first: int = 0,
    ) -> Tensor:
        """x with the noise of one point: everything that a site hands over comes through here."""
        compiling = torch.compiler.is_compiling()
        clock = frame.clock if frame.clock.step.device == x.device else frame.clock.to(x.device)
        key = clock.keys[point.index]
        if per_call:
            call_number = frame.calls[point.index]
            frame.calls[point.index] = call_number + 1
            if not frame.certain and frame.origin.log.count(point.index) > 1:
                raise RuntimeError(
                    f"{point.name}: activation checkpointing repeats one of its {frame.origin.log.count(point.index)} "
                    "calls, and it is not known which; let the checkpointed function begin with a module of the model"
                )
            if most_calls is not None and call_number >= most_calls:
                raise RuntimeError(f"{point.name}: ran more than {most_calls} times in one forward, as calls= allows")
            key = key_for_call(key, call_number)
            if not compiling:
                frame.log.append(point.index)
        point.fired = True
        injection = point.injection
        if not compiling and frame.host[point.injection_index] == 0.0:
            return x
        examples = clock.none if batch_axis is None else frame.examples
        if batch_axis is not None:
            _check_examples(point, x, batch_axis, examples.shape[0], merged)
        keep = self._keep(injection, frame, x, keep, default_mask, point)
        call = Call(
            Address(key, clock.step, examples.to(x.device)),
            clock.strengths[point.injection_index],
            keep,
            batch_axis,
            point.name,
            first,
            memory=point.memory,
        )
        out = injection.noise.inject(x, call)
        if not compiling and self._measures(point):
            self._measured[point.index] = measure(self._step, x, out, keep)
        return out

    def _keep(
        self, injection: Injection, frame: Frame, x: Tensor, keep: Tensor | None, default: str | None, point: Point
    ) -> Tensor | None:
        """Where noise may enter: the site's own mask, the injection's mask, and its dims, all together."""
        mask = injection.mask if injection.mask is not None else default
        given = _mask_from(mask, frame.arguments, point, required=injection.mask is not None)
        if given is not None:
            given = masked_like(given, x, point.name)
            keep = given if keep is None else keep & given
        if injection.dims is not None:
            chosen = dims_mask(injection.dims, injection.axis, x, point.name)
            keep = chosen if keep is None else keep & chosen
        return keep

    def _measures(self, point: Point) -> bool:
        if not self._measure_every or self._step % self._measure_every:
            return False
        last = self._measured.get(point.index)
        return last is None or last.step != self._step

    # -- gradients ----------------------------------------------------------------------------------------------------

    def gradients(self) -> None:
        """Put the noise on gradients in now, instead of at the optimiser's step: for another order than clip, then noise.

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
        frame = Frame(clock, clock.none, {}, self._host, 0)
        for point, parameter in self._gradients:
            noise_gradient(point, parameter, frame, grad_scale)
        self._gradients_done = True

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
                    self._measured.get(p.index),
                )
                for p in self._points
            ),
        )

    def parameters(self) -> Iterator[nn.Parameter]:
        """The learned scales, for your optimiser."""
        for point in self._points:
            if "learned" in point.memory:
                yield point.memory["learned"]

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
        keys = self._keys_for("0")
        return {
            "version": VERSION,
            "seed": self.seed,
            "step": self._step,
            "running": int(self._clock.running),
            "sites": {f"{p.path}|{p.role}": k for p, k in zip(self._points, keys, strict=True)},
            "learned": {f"{p.path}|{p.role}": p.memory["learned"].detach().clone() for p in self._points if "learned" in p.memory},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where state_dict() was taken: the next draws are those that would have come.

        Raises:
            ValueError: another stream version, seed or set of sites; nothing is changed then.
        """
        if state["version"] != VERSION:
            raise ValueError(f"load_state_dict: stream version {state['version']}, allowed: {VERSION}")
        if state["seed"] != self.seed:
            raise ValueError(f"load_state_dict: the run had seed {state['seed']}, this attachment has {self.seed}")
        mine, theirs = self.state_dict()["sites"], state["sites"]
        if mine != theirs:
            gone, new = sorted(set(theirs) - set(mine)), sorted(set(mine) - set(theirs))
            raise ValueError(
                f"load_state_dict: the sites differ, so noise would too: missing {gone or 'none'}, new {new or 'none'}"
            )
        for point in self._points:
            if "learned" in point.memory:
                with torch.no_grad():
                    point.memory["learned"].copy_(state["learned"][f"{point.path}|{point.role}"])
        self._step = state["step"]
        clock = self._new_clock(self._clock.step.device)
        self._clock = clock._replace(running=torch.full_like(clock.running, state["running"]))
        self._forwards, self._gradients_done = 0, False
        self._recall.forget()

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


def _check_examples(point: Point, x: Tensor, batch_axis: int, batch: int, merged: bool) -> None:
    size = x.shape[batch_axis] if x.dim() > batch_axis else -1
    if size == batch or (merged and size > 0 and size % batch == 0):
        return
    raise ValueError(
        f"{point.name}: shape {tuple(x.shape)} has no axis {batch_axis} of {batch} examples, allowed: "
        "batch_axis= where they are, or merged=True where each example has several successive rows"
    )


def _mask_from(mask: Any, arguments: dict[str, Any], point: Point, required: bool) -> Tensor | None:
    if mask is None or not isinstance(mask, str):
        return None if mask is None else mask(arguments)
    for path, tensor in tensors(arguments):
        if path == mask or path.endswith("." + mask):
            return tensor
    if required:
        known = ", ".join(repr(p) for p, _ in tensors(arguments))
        raise LookupError(f"{point.name}: forward was given no mask {mask!r}; it was given {known}")
    return None
