"""Calibration and likelihood: against torchmetrics, scikit-learn and torch's own distributions."""

import math

import numpy as np
import pytest
import torch
from lab.measures.toys import numbers

from torchnoise.lab.measures.calibration import BINS, Bins, bins_of, nll, nll_of_classes, nll_of_numbers
from torchnoise.lab.measures.measured import reliability
from torchnoise.lab.task import Task


def some(rows=500, classes=4, scale=2.0, seed=0):
    random = numbers(seed)
    return scale * torch.randn(rows, classes, generator=random), torch.randint(classes, (rows,), generator=random)


@pytest.mark.parametrize(("classes", "scale"), [(2, 1.0), (4, 2.0), (10, 5.0)])
def test_the_calibration_error_is_torchmetrics(classes, scale):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    outputs, y = some(classes=classes, scale=scale)
    expected = functional.multiclass_calibration_error(outputs.softmax(1), y, classes, n_bins=BINS, norm="l1")
    assert bins_of(outputs, y).error() == pytest.approx(float(expected), abs=1e-6)


def test_the_diagram_is_scikit_learns():
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    outputs, y = some(rows=2000)
    sure, said = outputs.double().softmax(1).max(1)
    right, confidence = calibration_curve((said == y).numpy(), sure.numpy(), n_bins=BINS)
    drawn = reliability(bins_of(outputs, y))
    np.testing.assert_allclose(drawn.accuracy, right)
    np.testing.assert_allclose(drawn.confidence, confidence)
    assert sum(drawn.share) == pytest.approx(1)


def test_by_hand():
    """Three examples with confidence 0.9, two of them right; one with 0.6, wrong."""
    logit = lambda p: [math.log(p / (1 - p)), 0.0]  # noqa: E731
    outputs = torch.tensor([logit(0.9), logit(0.9), logit(0.9), logit(0.6)], dtype=torch.float64)
    bins = bins_of(outputs, torch.tensor([0, 0, 1, 1]))
    assert sum(bins.count) == 4
    assert bins.error() == pytest.approx((abs(2.7 - 2) + abs(0.6 - 0)) / 4)
    drawn = reliability(bins)
    assert drawn.confidence == pytest.approx([0.6, 0.9])
    assert drawn.accuracy == pytest.approx([0.0, 2 / 3])
    assert drawn.share == [0.25, 0.75]


def test_bins_add_up():
    outputs, y = some()
    parts = [bins_of(outputs[rows], y[rows]) for rows in torch.arange(len(y)).split(120)]
    together = sum(parts[1:], parts[0])
    whole = bins_of(outputs, y)
    assert (together.count, together.right) == (whole.count, whole.right)
    assert together.confidence == pytest.approx(whole.confidence)
    assert Bins.model_validate_json(whole.model_dump_json()) == whole


def test_full_confidence_is_in_the_last_bin():
    bins = bins_of(torch.tensor([[1e6, 0.0], [1e6, 0.0]]), torch.tensor([0, 1]))
    assert bins.count[-1] == 2
    assert bins.error() == 0.5


def test_the_likelihood_of_classes_is_scikit_learns_log_loss():
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    outputs, y = some()
    assert nll_of_classes(outputs, y) == pytest.approx(log_loss(y, outputs.double().softmax(1).numpy()))


def test_the_likelihood_of_numbers_is_a_normal_distributions():
    random = numbers(1)
    outputs, y = torch.randn(50, 1, generator=random), torch.randn(50, generator=random)
    expected = -torch.distributions.Normal(outputs[:, 0].double(), 0.7).log_prob(y.double()).mean()
    assert nll_of_numbers(outputs, y, 0.49) == pytest.approx(float(expected))


def test_the_variance_is_the_validation_parts_error():
    random = numbers(2)
    outputs, y, validation, validation_y = (
        torch.randn(shape, generator=random) for shape in ((30, 1), (30,), (20, 1), (20,))
    )
    variance = float((validation[:, 0] - validation_y).square().mean())
    found = nll(Task(None), outputs, y, validation, validation_y)
    assert found == pytest.approx(nll_of_numbers(outputs, y, variance), rel=1e-6)


def test_outputs_that_are_not_finite_are_sure_and_wrong():
    outputs = torch.tensor([[float("nan"), 0.0], [float("inf"), 0.0], [0.0, 0.0]])
    y = torch.tensor([0, 0, 0])
    bins = bins_of(outputs, y)
    assert bins.count[-1] == 2
    assert sum(bins.right) == 1
    assert nll_of_classes(outputs, y) == pytest.approx((2 * 52 * math.log(2) + math.log(2)) / 3)
    assert not math.isfinite(nll(Task(None), outputs[:, :1], y.float(), outputs[2:, :1], y[2:].float()))


def test_a_perfect_validation_part_is_no_division_by_zero():
    outputs, y = torch.ones(3, 1), torch.ones(3)
    assert math.isfinite(nll(Task(None), outputs, y, outputs, y))
