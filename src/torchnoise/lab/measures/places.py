"""Where a perturbation of a batch can enter a network: at its input, or at its embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from torch import Tensor, nn

from ..models import Model


class Place(Protocol):
    """Somewhere that a gradient can be taken and a perturbation added."""

    def look(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The outputs for x, and the tensors there, by which they can be derived."""

    def moved(self, x: Tensor, deltas: Sequence[Tensor]) -> Tensor:
        """The outputs with something added to each of those tensors, in the place's unit."""


class AtInput:
    """The input itself. unit: what 1 is;  between: what values are held to."""

    def __init__(self, net: nn.Module, model: Model, unit: float, between: tuple[float, float] | None) -> None:
        self.net, self.model, self.unit, self.between = net, model, unit, between

    def look(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        leaf = x.detach().requires_grad_()
        return self.model.outputs(self.net, leaf), [leaf]

    def moved(self, x: Tensor, deltas: Sequence[Tensor]) -> Tensor:
        moved = x + self.unit * deltas[0]
        return self.model.outputs(self.net, moved if self.between is None else moved.clamp(*self.between))


class AtEmbedding:
    """What the token embedding gives, in units of its rms over tokens. Padding stays as it is."""

    def __init__(self, net: nn.Module, model: Model, embedding: nn.Module, padding: int = 0) -> None:
        self.net, self.model, self.embedding, self.padding, self.unit = net, model, embedding, padding, 1.0

    def measure(self, batches: Iterable[Tensor]) -> None:
        """Learn the unit: the rms over all tokens of some batches that are no padding."""
        squares, count = 0.0, 0

        def add(ids: Tensor, out: Tensor) -> Tensor:
            nonlocal squares, count
            vectors = out[ids != self.padding].double()
            squares, count = squares + float(vectors.square().sum()), count + vectors.numel()
            return out

        with self._giving(add):
            for x in batches:
                self.model.outputs(self.net, x)
        self.unit = (squares / max(count, 1)) ** 0.5

    def look(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        leaves: list[Tensor] = []

        def leaf(ids: Tensor, out: Tensor) -> Tensor:
            leaves.append(out.detach().requires_grad_())
            return leaves[-1]

        with self._giving(leaf):
            return self.model.outputs(self.net, x), leaves

    def moved(self, x: Tensor, deltas: Sequence[Tensor]) -> Tensor:
        waiting = iter(deltas)  # an embedding that runs twice in a forward gets each call's own

        def add(ids: Tensor, out: Tensor) -> Tensor:
            return out + self.unit * next(waiting) * (ids != self.padding)[..., None]

        with self._giving(add):
            return self.model.outputs(self.net, x)

    @contextmanager
    def _giving(self, change: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
        """Let the embedding give change(ids, what it would give) for a while."""

        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any], out: Tensor) -> Tensor:
            ids = next(t for t in (*args, *kwargs.values()) if isinstance(t, Tensor))
            return change(ids, out)

        handle = self.embedding.register_forward_hook(hook, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def embedding_of(net: nn.Module) -> nn.Module | None:
    """The module that embeds token ids: what a Transformers model calls its own, otherwise the first nn.Embedding."""
    for module in net.modules():
        get = getattr(module, "get_input_embeddings", None)
        if not callable(get):
            continue
        try:
            found = get()
        except NotImplementedError:  # a Transformers class without one
            continue
        if isinstance(found, nn.Module):
            return found
    return next((m for m in net.modules() if isinstance(m, nn.Embedding)), None)
