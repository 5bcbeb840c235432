"""MODEL on a command line, for data: a built-in one, a Transformers model, or code of the user's."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..data import IMAGE, TABLE, TEXT, Data
from .built_in import TAKES, built_in
from .own_code import own_code
from .pretrained import pretrained
from .spec import Model

_ARE = {TABLE: "a table", IMAGE: "images", TEXT: "texts"}


def find(text: str, data: Data) -> Model:
    """The model that `text` names, for these data: mlp, cnn, transformer; for texts, a folder with a Transformers model
    or its name on the hub; `package.module:function`. What is not built in is tried on two training examples.

    Where the data are texts, the model's encoder has still to make its inputs: `data.encoded(model.encoder)`.

    Raises:
        ValueError: no such model, or one that does not fit the data; one line.
    """
    if text in TAKES:
        if data.kind not in TAKES[text]:
            takes = " and ".join(_ARE[kind] for kind in TAKES[text])
            raise ValueError(f"--model {text} takes {takes}, {_told(data)}")
        return built_in(text, data)
    exists = Path(text).exists()
    if ":" in text and not exists:
        return own_code(text, data)
    typo = [] if "/" in text else difflib.get_close_matches(text, TAKES, cutoff=0.6)
    if not exists and (typo or data.kind != TEXT):
        hint = f"did you mean {typo[0]!r}?" if typo else f"allowed: {', '.join(allowed(data))}"
        raise ValueError(f"--model {text}: no such model for {_ARE[data.kind]}; {hint}")
    if data.kind != TEXT:
        raise ValueError(f"--model {text}: a Transformers model takes texts, {_told(data)}")
    return pretrained(text, data)


def allowed(data: Data) -> tuple[str, ...]:
    """What `--model` may be, for data of this kind."""
    texts = ("a Transformers folder", "a name on the hub") if data.kind == TEXT else ()
    return (*(name for name, kinds in TAKES.items() if data.kind in kinds), *texts, "package.module:function")


def _told(data: Data) -> str:
    size = f" of {data.shape[0]} features" if data.kind == TABLE and len(data.shape) == 1 else ""
    return f"these data are {_ARE[data.kind]}{size}, allowed: {', '.join(allowed(data))}"
