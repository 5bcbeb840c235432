"""A pretrained Transformers model with a new head, fine-tuned on texts."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..data import Data
from ..seeded import seeded
from ..user_code import one_line
from .calls import real_tokens, rows_of
from .defaults import default_training
from .probe import probe
from .spec import Model, Training
from .texts import encoded_head, texts_of
from .tokens import TokenEncoder, quiet
from .weights import parameter_count


@functools.cache
def pretrained_of(source: str, outputs: int) -> tuple[Any, dict[str, Tensor]]:
    """The configuration, and the weights below the head, read once in a process."""
    with quiet() as transformers, seeded(0):
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
        package = "torchnoise[transformers]" if error.name == "transformers" else error.name
        raise ValueError(f"--model {text}: {error.name} is not installed; pip install '{package}'") from error
    except Exception as error:  # the hub, the network and the library have many
        where = "it cannot be read:" if Path(text).exists() else "no such folder, and asking the hub gave"
        raise ValueError(f"--model {text}: {where} {one_line(error)}") from error
    try:
        probe(net, encoded_head(data, model.encoder), model.outputs)
    except ValueError as error:
        raise ValueError(f"--model {text}: {error}") from error
    return replace(model, described=_said(text, net))


def _said(text: str, net: nn.Module) -> str:
    said = f"{type(net).__name__} of {parameter_count(net):,} parameters from {text}, fine-tuned with a new head"
    dropout = max((m.p for m in net.modules() if isinstance(m, nn.Dropout)), default=0.0)
    return f"{said}; its own dropout of {dropout:g} stays" if dropout else said
