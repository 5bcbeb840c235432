"""Noise on gradients, after clipping and before the optimizer's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ..kernels import Together
from ..noise import RandomNoise
from .select import Selector, as_selectors, select
from .shards import is_sharded, noise_shard
from .site import Point, Site

if TYPE_CHECKING:
    from ..noise import Noise
    from ..wiring import Wiring


@dataclass(frozen=True, init=False)
class Gradients(Site):
    """The gradients of parameters, at the optimizer's step: after every reduction over ranks, after your clipping.

    Needs `attach(..., optimizer=...)`. For another order, call `noise.gradients()` where you want it.

    Args:
        select: globs over parameter or module names, regular expressions, types of the owning module, or functions of
            (name, parameter). None: every parameter that requires a gradient.
        exclude: the same, taken away again.

    >>> print(Gradients())
    Gradients()
    """

    select: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()

    has_examples: ClassVar[bool] = False

    def __init__(self, *select: Selector, exclude: Any = ()) -> None:
        object.__setattr__(self, "select", as_selectors(select))
        object.__setattr__(self, "exclude", as_selectors(exclude))

    def check(self, noise: Noise) -> None:
        super().check(noise)
        if noise.needs_forward:
            raise ValueError(f"Gradients: {noise} needs a forward to enter, allowed: Inputs, Embeddings, Activations")

    def install(self, model: nn.Module, wiring: Wiring) -> None:
        owned = [
            (name, model.get_submodule(name.rpartition(".")[0]), p)
            for name, p in model.named_parameters()
            if p.requires_grad
        ]
        for name, module, _ in select(owned, self.select, self.exclude, f"{self}", subtree=True):
            wiring.gradients.append((wiring.point(name, "gradient"), module))


def noise_gradient(
    point: Point, module: nn.Module, frame: Any, grad_scale: Tensor | float | None, together: Together
) -> None:
    """Inject into the gradient of one parameter of `module` in place, at the latest when `together` runs.

    The parameter is looked up now: sharding replaces a model's parameters, also after attaching.
    A GradScaler hands scaled gradients to fused optimizers: they are scaled back for the moment of the noise.
    Shards get the noise of their logical elements, so that every layout of the parameter sees the same noise.
    """
    parameter = module._parameters[point.path.rpartition(".")[2]]
    grad = None if parameter is None else parameter.grad
    if grad is None:
        return
    if grad.is_sparse:
        raise TypeError(f"{point.name}: a sparse gradient cannot take noise on all elements; use sparse=False")

    def inject(local: Tensor, first: int) -> Tensor:
        plain = local if grad_scale is None else local / grad_scale
        noised = point(frame, plain, batch_axis=None, per_call=False, first=first)
        return noised if grad_scale is None else noised * grad_scale

    plain = not is_sharded(grad) and grad_scale is None and isinstance(point.injection.noise, RandomNoise)
    # a contiguous gradient has room for each element; others are copied into, where torch refuses expanded ones
    if plain and grad.is_contiguous() and not point.runner.meter.due(point.index, point.runner.step):
        with torch.no_grad():
            point(frame, grad, batch_axis=None, per_call=False, together=together)
        return
    together.settle(0 if is_sharded(grad) else grad.data_ptr())
    point.fired = True  # also where this rank's shard is empty
    with torch.no_grad():
        if is_sharded(grad):
            injection = point.injection
            everywhere = injection.dims is None and injection.mask is None  # masks have the whole tensor's shape
            noise_shard(grad, everywhere and injection.noise.of_one_element, inject)
        else:
            grad.copy_(inject(grad, 0))
