"""A model's weights as a whole: how many there are, and a hash by which they are known again."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from .spec import Model


def parameter_count(net: nn.Module) -> int:
    """How many numbers training may change; tied ones count once."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def hash_of(net: nn.Module) -> str:
    """A hash of all parameters and buffers that are saved, and of their names."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def fingerprint(model: Model) -> str:
    """A hash of a model's layers, its weights at seed 0 and what makes its inputs: another one is another model."""
    net = model.build(0)
    text = f"{model.name} {model.described} {model.encoder} {net}"
    return hashlib.sha256(f"{text} {hash_of(net)}".encode()).hexdigest()
