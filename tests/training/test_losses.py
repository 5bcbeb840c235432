"""Batches taken apart, default losses and metrics, against numbers computed by hand."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchnoise as tn
from torchnoise.training.batches import take_apart
from torchnoise.training.losses import batch_loss, classes_second, default_loss
from torchnoise.training.metrics import metric_for


def test_what_a_loss_is_by_default() -> None:
    """Broken on purpose: (B, 1) against (B,) left to broadcasting, whose loss is 5 here, too, but not in general."""
    out, y = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    assert torch.equal(default_loss(out, y), F.cross_entropy(out, y))
    assert torch.equal(default_loss(out, y[:, None].int()), F.cross_entropy(out, y))
    tokens, labels = torch.randn(2, 5, 3), torch.tensor([[0, 1, 2, -100, -100], [1, 1, -100, -100, -100]])
    expected = F.cross_entropy(tokens.reshape(-1, 3), labels.reshape(-1))
    torch.testing.assert_close(default_loss(tokens, labels), expected)
    torch.testing.assert_close(default_loss(tokens.movedim(2, 1), labels), expected)
    values, target = torch.randn(4, 1), torch.randn(4)
    for a, b in (
        (values, target),
        (values[:, 0], target[:, None]),
        (values, target[:, None]),
        (values, target.double()),
    ):
        assert torch.equal(default_loss(a, b), F.mse_loss(values[:, 0], target))


def test_where_both_axes_could_be_classes_the_output_decides() -> None:
    """Transformers put classes last; torch's own losses want them second."""
    out, labels = torch.randn(2, 4, 4), torch.randint(4, (2, 4))
    assert torch.equal(classes_second(out, labels)[0], out)
    assert torch.equal(classes_second(out, labels, last=True)[0], out.movedim(2, 1))


@pytest.mark.parametrize(
    ("out", "target", "said"),
    [
        (torch.zeros(4, 2), torch.zeros(4), "allowed: the same shape"),
        (torch.zeros(4), torch.zeros(4, dtype=torch.long), "allowed: one logit for each class"),
        (torch.zeros(4, 1), torch.zeros(4, dtype=torch.long), "the output has one logit"),
        (torch.zeros(4, 3), torch.zeros(5, dtype=torch.long), "allowed: one logit"),
        (torch.zeros(4, 1), torch.zeros(4, 1, dtype=torch.bool), "boolean"),
    ],
)
def test_shapes_that_do_not_belong_together(out: Tensor, target: Tensor, said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        default_loss(out, target)


def test_a_loss_of_the_users_own() -> None:
    """One number, or one for each example; outputs with logits are given as those.

    Broken on purpose: vectors summed.
    """
    out, y = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    each = nn.CrossEntropyLoss(reduction="none")
    torch.testing.assert_close(batch_loss(each, SimpleNamespace(logits=out), y, 4), F.cross_entropy(out, y))
    assert batch_loss(lambda o, t: torch.tensor(3.0), out, y, 4) == 3.0
    assert batch_loss(None, OrderedDict(loss=torch.tensor(2.0)), None, 4) == 2.0
    with pytest.raises(ValueError, match=r"shape \(4, 3\) for 4 examples"):
        batch_loss(lambda o, t: o, out, y, 4)
    with pytest.raises(TypeError, match="the loss gave float"):
        batch_loss(lambda o, t: 1.0, out, y, 4)
    with pytest.raises(TypeError, match="no loss for an output of Tensor and a target of NoneType"):
        batch_loss(None, out, None, 4)


class Plain(nn.Module):
    def forward(self, ids: Tensor) -> Tensor:
        return ids


class Labelled(nn.Module):
    def forward(self, ids: Tensor, labels: Tensor | None = None) -> Any:
        return ids


def test_labels_go_where_they_are_taken() -> None:
    """To the model and the loss; not to a model that does not take them, or has a loss of the user's own beside it."""
    batch = {"ids": torch.ones(2), "labels": torch.zeros(2)}
    for model, own, given in (
        (Plain(), False, {"ids"}),
        (Labelled(), False, {"ids", "labels"}),
        (Labelled(), True, {"ids"}),
    ):
        parts = take_apart(batch, model, own)
        assert parts.kwargs.keys() == given
        assert torch.equal(parts.target, batch["labels"])
    assert take_apart([1, 2], Plain(), False) == ((1,), {}, 2)


def test_metrics() -> None:
    """Weighted by what they count. Broken on purpose: -100 counted as wrong; a batch's number not weighted."""
    out = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [float("nan"), 1.0]])
    y = torch.tensor([0, 0, -100, 0])
    found = metric_for(None, torch.device("cpu"))
    found.update(out, y, 4, Plain())
    found.update(out[:1], y[:1], 1, Plain())
    assert found.sums() == (2, 4.0)

    def halves(output: Tensor, target: Tensor) -> Tensor:
        return (output[:, 0] > 1).float()

    for function in (halves, lambda o, t: halves(o, t).mean()):
        found = metric_for(function, torch.device("cpu"))
        found.update(out[:3], y[:3], 3, Plain())
        found.update(out[1:2], y[1:2], 1, Plain())
        total, weight = found.sums()
        assert (float(total), weight) == (pytest.approx(2.0), 4.0)
    assert metric_for(halves, torch.device("cpu")).name == "halves"


def test_the_accuracy_of_a_causal_model_is_of_the_next_token() -> None:
    class TinyLMHeadModel(nn.Module):
        pass

    labels = torch.tensor([[0, 1, 0, 1]])
    out = F.one_hot(torch.tensor([[1, 0, 1, 1]]), 2).float()  # right about each next token
    found = metric_for(None, torch.device("cpu"))
    found.update(SimpleNamespace(logits=out), labels, 1, TinyLMHeadModel())
    assert found.sums() == (3, 3.0)


def test_a_metric_of_torchmetrics() -> None:
    """Over the whole set, not the mean of batches. Broken on purpose: not reset between epochs."""
    classification = pytest.importorskip("torchmetrics.classification")
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(21, 4, generator=g), torch.randint(3, (21,), generator=g)
    data = list(zip(x.split(8), y.split(8), strict=True))
    model = nn.Linear(4, 3)
    given = classification.MulticlassF1Score(num_classes=3)
    history = tn.fit(
        model, data, data, metric=given, monitor="val_multiclass_f1_score", epochs=3, lr=0.5, keep_best=False, cpu=True
    )
    expected = classification.MulticlassF1Score(num_classes=3)(model(x), y)
    assert history.mode == "max"
    assert history["val_multiclass_f1_score"][-1] == pytest.approx(expected.item())


def test_a_transformers_model_trains_on_its_own_loss() -> None:
    """A tiny BERT that classifies tokens: dict batches, padding of -100, noise on its embeddings.

    Broken on purpose: the loss taken of the logits and labels instead; labels not given to the model.
    """
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, num_labels=3,
        max_position_embeddings=8, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertForTokenClassification(config)
    ids = torch.randint(20, (6, 5))
    labels = torch.where(torch.arange(5) < 4, ids % 3, -100)
    mask = (torch.arange(5) < 4).long().expand(6, 5)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    plan = tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Embeddings()))
    with torch.no_grad():
        first = model(**batch).loss.item()
    clean = tn.fit(model, [batch], epochs=1, lr=0.0, cpu=True)
    assert clean["train_loss"] == [pytest.approx(first)]
    history = tn.fit(model, [batch], [batch], plan=plan, epochs=30, lr=0.05, cpu=True)
    assert history["train_loss"][-1] < 0.5 * first
    model.eval()
    with torch.no_grad():
        right = (model(**batch).logits.argmax(-1) == labels)[:, :4].float().mean().item()
    assert history.best["val_acc"] == pytest.approx(right)
