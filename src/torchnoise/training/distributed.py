"""Accelerate's Accelerator for the time of one fit, and the model as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from accelerate import Accelerator

PRECISIONS = ("no", "bf16", "fp16")
# what Accelerate may have been launched for; sharded parameters and other engines have recipes of their own
_LAYOUTS = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU", "MULTI_NPU", "MULTI_MLU", "MULTI_HPU")


@contextmanager
def accelerator_for(precision: str | None, cpu: bool) -> Iterator[Accelerator]:
    """An Accelerator of our own: Accelerate keeps one state a process, which is put back afterwards.

    Raises:
        ModuleNotFoundError: Accelerate is not installed.
        RuntimeError: launched for FSDP, DeepSpeed, Megatron or tensor parallelism.
    """
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, GradientState, PartialState
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "tn.fit trains with Accelerate; pip install 'torchnoise[lab]'", name=missing.name
        ) from None
    shared: list[dict[str, Any]] = [c._shared_state for c in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in shared]
    try:
        for state in shared:
            state.clear()
        accelerator = Accelerator(mixed_precision=precision, cpu=cpu or None)
        layout = accelerator.distributed_type.value
        if layout not in _LAYOUTS:
            raise RuntimeError(f"fit: Accelerate was launched for {layout}, allowed: one process or data parallelism")
        yield accelerator
    finally:
        for state, values in zip(shared, before, strict=True):
            state.clear()
            state.update(values)


@contextmanager
def prepared(accelerator: Accelerator, model: nn.Module) -> Iterator[nn.Module]:
    """The model on its device, under autocast and DistributedDataParallel where that is asked for; bare again after."""
    inner = getattr(model, "_orig_mod", model)
    places = [m.__dict__ for m in {id(model): model, id(inner): inner}.values()]
    names = ("forward", "_original_forward", "_is_accelerate_prepared")
    before = [{n: place[n] for n in names if n in place} for place in places]
    try:
        yield accelerator.prepare_model(model)
    finally:
        for place, had in zip(places, before, strict=True):
            for name in names:
                place.pop(name, None)
            place.update(had)
