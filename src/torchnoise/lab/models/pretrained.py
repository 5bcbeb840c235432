"""A pretrained Transformers model with a new head, fine-tuned on texts."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data import Data
from ..seeded import seeded
from ..user_code import one_line
from .calls import real_tokens, rows_of
from .defaults import default_training
from .probe import probe
from .spec import Model, Training
from .texts import encoded_head, texts_of
from .weights import parameter_count

LONGEST = 128  # tokens of a text that are kept, at most


@contextmanager
def quiet() -> Iterator[Any]:
    """The library, without its progress bars and remarks inside."""
    import transformers

    log, hub = transformers.utils.logging, logging.getLogger("huggingface_hub")
    before, bars, hub_before = log.get_verbosity(), log.is_progress_bar_enabled(), hub.level
    log.set_verbosity_error()
    log.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)  # of each retry
    try:
        yield transformers
    finally:
        log.set_verbosity(before)
        hub.setLevel(hub_before)
        if bars:
            log.enable_progress_bar()


@functools.cache
def tokenizer_of(source: str) -> Any:
    """The model's tokenizer, read once in a process."""
    with quiet() as transformers:
        return transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)


@functools.cache
def pretrained_of(source: str, outputs: int) -> tuple[Any, dict[str, Tensor]]:
    """The configuration, and the weights below the head, read once in a process."""
    with quiet() as transformers:
        net, found = transformers.AutoModelForSequenceClassification.from_pretrained(
            source,
            num_labels=outputs,
            trust_remote_code=False,
            use_safetensors=True,  # files that hold numbers, and no code
            ignore_mismatched_sizes=True,  # the head of another task
            output_loading_info=True,
        )
    body = f"{net.base_model_prefix}."
    new = {*found["missing_keys"], *(row[0] for row in found["mismatched_keys"])}
    state = {k: v for k, v in net.float().state_dict().items() if k.startswith(body) and k not in new}
    return net.config, state


@dataclass(frozen=True)
class TokenEncoder:
    """Texts as a tokenizer's ids: int64 [N, tokens], `padding` where a text has ended.

    size: how many ids there are;  special_ids: those that are no words;  mask_id: of the token that hides one.
    """

    source: str
    padding: int
    size: int
    special_ids: tuple[int, ...]
    mask_id: int | None
    length: int = LONGEST

    @classmethod
    def of(cls, source: str) -> TokenEncoder:
        """The encoder of a model's tokenizer."""
        tokenizer = tokenizer_of(source)
        # models that only continue texts have no padding; what ends a text serves
        padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        if padding is None:
            raise ValueError("its tokenizer has neither padding nor an end of text, allowed: one with either")
        special = tuple(sorted({*tokenizer.all_special_ids, padding}))
        length = min(LONGEST, tokenizer.model_max_length)
        return cls(source, padding, len(tokenizer), special, tokenizer.mask_token_id, length)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        tokenizer = tokenizer_of(self.source)
        rows = tokenizer(list(texts), truncation=True, max_length=self.length, return_attention_mask=False)["input_ids"]
        ids = torch.full((len(rows), max(map(len, rows), default=1) or 1), self.padding)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return ids


@dataclass(frozen=True)
class Pretrained(Model):
    """source: its folder, or its name on the hub;  count: of outputs."""

    name: str
    described: str
    training: Training
    encoder: TokenEncoder
    source: str
    count: int

    def build(self, seed: int) -> nn.Module:
        config, state = pretrained_of(self.source, self.count)
        config = copy.deepcopy(config)
        config.pad_token_id = self.encoder.padding
        with quiet() as transformers, seeded(seed):
            # everything drawn, then all but the head replaced: no need to know how each model makes its head
            net = transformers.AutoModelForSequenceClassification.from_config(config, trust_remote_code=False).float()
        net.load_state_dict(state, strict=False)
        return net.train()

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        ids, mask = real_tokens(x, self.encoder.padding)
        return rows_of(model(input_ids=ids, attention_mask=mask))


def pretrained(text: str, data: Data) -> Model:
    """The Transformers model that `text` names, a folder or a name on the hub, tried on two training texts.

    Raises:
        ValueError: no such model, data that are no texts, answers of another shape; one line.
    """
    if Path(text).exists() and not (Path(text) / "config.json").is_file():
        raise ValueError(f"--model {text}: it has no config.json, allowed: the folder of a Transformers model")
    texts_of(data)
    source = str(Path(text).resolve()) if Path(text).exists() else text
    training = default_training("pretrained", len(data.train), data.task.classes is None)
    try:
        model = Pretrained(text, text, training, TokenEncoder.of(source), source, data.task.outputs)
        net = model.build(0)
    except ModuleNotFoundError as error:
        raise ValueError(f"--model {text}: needs {error.name}, pip install 'torchnoise[transformers]'") from error
    except Exception as error:  # the hub, the network and the library have many
        raise ValueError(f"--model {text}: it cannot be read ({one_line(error)})") from error
    try:
        probe(net, encoded_head(data, model.encoder), model.outputs)
    except ValueError as error:
        raise ValueError(f"--model {text}: {error}") from error
    return replace(model, described=_said(text, net))


def _said(text: str, net: nn.Module) -> str:
    said = f"{type(net).__name__} of {parameter_count(net):,} parameters from {text}, fine-tuned with a new head"
    dropout = max((m.p for m in net.modules() if isinstance(m, nn.Dropout)), default=0.0)
    return f"{said}; its own dropout of {dropout:g} stays" if dropout else said
