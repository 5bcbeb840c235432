"""The models that come along: mlp, cnn, transformer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor, nn

from ..data import IMAGE, TABLE, TEXT, Data, Encoder, TfidfEncoder, WordEncoder
from ..seeded import seeded
from .calls import PADDING, real_tokens
from .defaults import default_training
from .nets import NETS
from .spec import Model, Training
from .texts import encoded_head, texts_of
from .transformer import HEADS, LAYERS, WIDTH, Transformer, Words, tokens_said

TAKES = {"mlp": (TABLE, IMAGE, TEXT), "cnn": (IMAGE,), "transformer": (TABLE, IMAGE, TEXT)}


@dataclass(frozen=True)
class BuiltIn(Model):
    """shape: of one example;  count: of outputs;  vocabulary: of word ids, None for other inputs."""

    name: str
    described: str
    training: Training
    encoder: Encoder | None
    shape: tuple[int, ...]
    count: int
    vocabulary: int | None = None

    def build(self, seed: int) -> nn.Module:
        with seeded(seed):
            if self.vocabulary is not None:
                return Transformer(Words(self.vocabulary, *self.shape), self.count)
            return NETS[self.name](self.shape, self.count)

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        if self.vocabulary is None:
            return model(x)
        ids, mask = real_tokens(x, PADDING)
        return model(ids, attention_mask=mask)


def built_in(name: str, data: Data) -> Model:
    """The model of this name for these data.

    Raises:
        ValueError: it is not for such data.
    """
    encoder = encoder_for(name, data)
    shape = encoded_head(data, encoder).shape
    kind = name if encoder is None else f"{name} of texts"
    training = default_training(kind, len(data.train), data.task.classes is None)
    vocabulary = encoder.size if isinstance(encoder, WordEncoder) else None
    model = BuiltIn(name, name, training, encoder, shape, data.task.outputs, vocabulary)
    return replace(model, described=_said(model, model.build(0)))


def encoder_for(name: str, data: Data) -> Encoder | None:
    """What makes the model's inputs of texts; None for other data."""
    if data.kind != TEXT:
        return None
    return TfidfEncoder.learned(texts_of(data)) if name == "mlp" else WordEncoder.learned(texts_of(data))


def _said(model: BuiltIn, net: nn.Module) -> str:
    if model.name == "mlp":
        widths = [math.prod(model.shape), *(m.out_features for m in net.modules() if isinstance(m, nn.Linear))]
        of_texts = "" if model.encoder is None else ", on TF-IDF of words"
        return f"MLP {'-'.join(map(str, widths))} with ReLU{of_texts}"
    if model.name == "cnn":
        return "CNN of two 3 x 3 convolutions to 16 and 32 channels with ReLU and max-pooling, and a linear layer"
    tokens = tokens_said(model.shape)
    if isinstance(model.encoder, WordEncoder):
        tokens = f"up to {model.shape[0]} words of a text, {len(model.encoder.words):,} different ones"
    return f"Transformer encoder of {LAYERS} layers, width {WIDTH}, {HEADS} heads, with GELU, on {tokens}"
