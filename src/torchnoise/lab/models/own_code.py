"""A model of the user's: `package.module:function`, or a model that stands ready in a module."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..data import Data, Encoder, WordEncoder
from ..seeded import seeded
from ..user_code import look_up, model_from
from .calls import PADDING, rows_of
from .defaults import default_training
from .probe import probe, wanted
from .spec import Model, Training
from .texts import encoded_head, texts_of
from .weights import hash_of, parameter_count


@dataclass(frozen=True)
class OwnCode(Model):
    """folder: where `name` is looked for, beside what Python knows;  masked: its forward takes an attention mask;
    weights: a hash of those of a model that stands ready, None of a function that makes one."""

    name: str
    described: str
    training: Training
    encoder: Encoder | None
    folder: str
    masked: bool = False
    weights: str | None = None

    def build(self, seed: int) -> nn.Module:
        found = look_up(self.name, self.folder)
        with seeded(seed):
            net = model_from(found, self.name)
        if self.weights is not None:
            if hash_of(net) != self.weights:
                raise ValueError(f"--model {self.name}: its weights are others than before, allowed: a function")
            net = copy.deepcopy(net)
        return net.train()

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        if self.masked:
            return rows_of(model(x, attention_mask=(x != PADDING).long()))
        return rows_of(model(x))


def own_code(text: str, data: Data) -> Model:
    """The model that `text` names, tried on two training examples.

    Raises:
        ValueError: no such model, or one that does not fit the data; one line.
    """
    encoder = WordEncoder.learned(texts_of(data)) if data.train.texts else None
    training = default_training("code", len(data.train), data.task.classes is None)
    head = encoded_head(data, encoder)
    model = OwnCode(text, text, training, encoder, str(Path.cwd()))
    try:
        found = look_up(text, model.folder)
        with seeded(0):
            net = model_from(found, text, _purpose(head, encoder))
            again = model_from(found, text)
    except LookupError as error:
        raise ValueError(f"--model {error}") from error
    try:
        _check(net)
        masked = encoder is not None and "attention_mask" in inspect.signature(net.forward).parameters
        model = replace(model, masked=masked, weights=hash_of(net) if again is net else None)
        probe(net, head, model.outputs)
        begins = _begins(model, found)
    except ValueError as error:
        raise ValueError(f"--model {text}: {error}") from error
    return replace(model, described=f"{text}, {type(net).__name__} of {parameter_count(net):,} parameters, {begins}")


def _purpose(head: Data, encoder: WordEncoder | None) -> str:
    inputs = f"inputs of shape {head.shape}"
    if encoder is not None:
        inputs = f"word ids of shape {head.shape} below {encoder.size}, 0 being padding,"
    return f" for {inputs} and {wanted(head.task)}"


def _check(net: nn.Module) -> None:
    if any(map(is_lazy, net.parameters())):
        raise ValueError("it has lazy layers, whose weights no seed decides, allowed: layers with their sizes")
    if not parameter_count(net):
        raise ValueError("it has no parameters to train")


def _begins(model: OwnCode, found: Any) -> str:
    """What a run's first weights are, in words. Raises ValueError where they are another time others."""
    if model.weights is not None:
        return "fine-tuned from its own weights"
    first, again, other = (hash_of(model.build(seed)) for seed in (0, 0, 1))
    if first != again:
        raise ValueError(
            "its weights are others at each call, allowed: weights drawn from torch's generator, which each run seeds"
        )
    return "with the same weights for every seed" if first == other else "initialised from each run's seed"
