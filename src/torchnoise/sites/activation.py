"""Noise on what flows between modules: the input or the output of a module, and the output of an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .select import Selector, as_selectors, select
from .site import Site
from .tree import change_first

if TYPE_CHECKING:
    from ..frame import Frame
    from ..wiring import Wiring

# Children that their parent never calls, though it uses their weights: the parent owns what happens there.
NEVER_CALLED: dict[type[nn.Module], tuple[str, ...]] = {nn.MultiheadAttention: ("out_proj",)}


def owner_of(model: nn.Module, path: str, module: nn.Module) -> tuple[nn.Module, bool]:
    """The module whose forward runs for `module`: itself, or the parent that never calls it (then True)."""
    parent_path, _, name = path.rpartition(".")
    if path and isinstance(module, nn.ParameterList | nn.ParameterDict):
        return owner_of(model, parent_path, model.get_submodule(parent_path))[0], True
    if path:
        parent = model.get_submodule(parent_path)
        for kind, children in NEVER_CALLED.items():
            if isinstance(parent, kind) and name in children:
                return parent, True
    return module, False


def batch_axis_of(module: nn.Module, given: int | None, default: int | None) -> int | None:
    """Where a module's tensors have their examples: as given; axis 1 where it says batch_first=False; the default."""
    if given is not None:
        return given
    return 1 if getattr(module, "batch_first", True) is False else default


@dataclass(frozen=True, init=False)
class Activations(Site):
    """The output (or the input) of chosen modules.

    Args:
        select: globs over module names ("blocks.*.mlp"; `*` stays between dots, `**` crosses them), compiled regular
            expressions, module types, or functions of (name, module). At least one.
        exclude: the same, taken away again.
        side: "output" or "input". Of a tuple or dict, the first floating-point tensor.
        batch_axis: where the examples are, if not where the model has them (or the module's batch_first says).
        merged: the batch axis holds several successive rows of each example, as after x.flatten(0, 1).
        calls: how often a module may run in one forward; more is an error. None: as often as it likes.

    Raises:
        LookupError: a selector that matches nothing, with the nearest names.

    >>> print(Activations(nn.ReLU, side="input"))
    Activations(ReLU, side='input')
    """

    select: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()
    side: str = "output"
    batch_axis: int | None = None
    merged: bool = False
    calls: int | None = None

    def __init__(
        self,
        *select: Selector,
        exclude: Any = (),
        side: str = "output",
        batch_axis: int | None = None,
        merged: bool = False,
        calls: int | None = None,
    ) -> None:
        if not select:
            raise ValueError("Activations: no module chosen, allowed: a glob, a type, a regex or a function")
        if side not in ("input", "output"):
            raise ValueError(f"Activations: side is {side!r}, allowed: 'input', 'output'")
        if batch_axis is not None and not (type(batch_axis) is int and batch_axis >= 0):
            raise ValueError(f"Activations: batch_axis is {batch_axis!r}, allowed: a whole number from 0")
        for name, value in (
            ("select", as_selectors(select)),
            ("exclude", as_selectors(exclude)),
            ("side", side),
            ("batch_axis", batch_axis),
            ("merged", merged),
            ("calls", calls),
        ):
            object.__setattr__(self, name, value)

    def install(self, model: nn.Module, wiring: Wiring) -> None:
        things = ((n, m, m) for n, m in model.named_modules())
        for path, module, _ in select(things, self.select, self.exclude, f"{self}"):
            owner, borrowed = owner_of(model, path, module)
            if borrowed and self.side == "input":
                raise LookupError(
                    f"{path}: {type(owner).__name__} never calls it, so its input cannot be reached; "
                    "allowed: side='output'"
                )
            self._tie(wiring, path, owner)

    def _tie(self, wiring: Wiring, path: str, owner: nn.Module) -> None:
        point = wiring.point(path, f"activation.{self.side}")
        axis = batch_axis_of(owner, self.batch_axis, wiring.runner.batch_axis)
        how = {"batch_axis": axis, "merged": self.merged, "most_calls": self.calls}

        def change(frame: Frame, nest: Any) -> Any:
            changed, done = change_first(nest, lambda x: point(frame, x, **how))
            if not done:
                raise TypeError(f"{point.name}: no floating-point tensor there for {point.injection.noise}")
            return changed

        def before(frame: Frame, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            args, kwargs = change(frame, (args, kwargs))
            return args, kwargs

        def after(frame: Frame, args: tuple, kwargs: dict, out: Any) -> Any:
            return change(frame, out)

        carrier = wiring.carrier(owner)
        if self.side == "input":
            carrier.before.append(before)
        else:
            carrier.after.append(after)


@dataclass(frozen=True, init=False)
class Embeddings(Site):
    """What embedding layers return. Padding ids (padding_idx) and positions outside the attention mask get no noise.

    Without selectors: the model's get_input_embeddings() where it has one, as in Transformers (so positions and
    segments stay clean), otherwise every nn.Embedding and nn.EmbeddingBag.

    >>> print(Embeddings())
    Embeddings()
    """

    select: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()

    def __init__(self, *select: Selector, exclude: Any = ()) -> None:
        object.__setattr__(self, "select", as_selectors(select))
        object.__setattr__(self, "exclude", as_selectors(exclude))

    def install(self, model: nn.Module, wiring: Wiring) -> None:
        things = [(n, m, m) for n, m in model.named_modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
        if not self.select and hasattr(model, "get_input_embeddings"):
            words = _input_embeddings(model)
            things = [row for row in things if words is not None and row[1].weight is words.weight] or things
        if not things:
            raise LookupError("Embeddings(): the model has no nn.Embedding or nn.EmbeddingBag")
        for path, module, _ in select(things, self.select, self.exclude, f"{self}"):
            self._tie(wiring, path, module)

    def _tie(self, wiring: Wiring, path: str, module: nn.Module) -> None:
        point = wiring.point(path, "embedding")
        padding = getattr(module, "padding_idx", None) if isinstance(module, nn.Embedding) else None
        # in an encoder-decoder model the decoder's ids have a mask of their own
        theirs = "decoder_input_ids" in wiring.runner.names and "decoder" in path
        name = "decoder_attention_mask" if theirs else "attention_mask"

        def after(frame: Frame, args: tuple, kwargs: dict, out: Tensor) -> Tensor:
            ids = args[0] if args else kwargs["input"]
            keep = None if padding is None else (ids != padding)[..., None]
            mask = frame.arguments.get(name)
            fits = isinstance(module, nn.Embedding) and isinstance(mask, Tensor) and mask.shape == ids.shape
            axis = wiring.runner.batch_axis
            return point(frame, out, keep=keep, default_mask=name if fits else None, batch_axis=axis)

        wiring.carrier(module).after.append(after)


def _input_embeddings(model: nn.Module) -> Any:
    try:
        return model.get_input_embeddings()  # type: ignore[operator]
    except NotImplementedError:
        return None
