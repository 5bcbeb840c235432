"""What pictures are made of."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from lab.report import made
from PIL import Image

from torchnoise.lab.report.arms import Series, cast, series
from torchnoise.lab.report.key import spoken
from torchnoise.lab.report.plots.lines import lines
from torchnoise.lab.report.plots.pixels import as_array, side_for, to_png
from torchnoise.lab.report.plots.scale import without_outliers
from torchnoise.lab.report.words import score


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1)])
def test_an_image_comes_back_from_its_png(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape)
    assert np.array_equal(decoded(to_png(as_array(image.tolist()), 128)), image)


def test_channels_may_stand_first() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 9))
    assert np.array_equal(as_array(image.tolist()), np.moveaxis(image, 0, -1))
    assert np.array_equal(as_array(image[:1].tolist()), image[0])


def test_large_images_lose_pixels_but_no_noise() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (300, 300))
    small = decoded(to_png(as_array(noise.tolist()), 100))
    assert small.shape == (100, 100)
    assert small.std() == pytest.approx(noise.std(), rel=0.05)  # the mean of 9 pixels would have a third of it


def test_what_is_no_image_is_said() -> None:
    with pytest.raises(ValueError, match=r"an image of shape \[3\]"):
        as_array([1, 2, 3])


def test_all_images_together_stay_small() -> None:
    assert all(
        count * channels * side_for(count, channels) ** 2 <= 450_000 for count in (2, 200) for channels in (1, 3)
    )


def test_means_leave_out_what_is_not_finite() -> None:
    one = Series("a", "clean", [0.0, 1.0, 2.0], [[1.0, None, None], [3.0, 4.0, None]])
    assert one.mean[:2] == [2.0, 4.0]
    assert np.isnan(one.mean[2])
    assert "4 at 1" in spoken([one])
    assert "<svg" in lines([one], "x", "y", "test")


def test_clean_and_the_winner_come_first_and_the_diverged_not_at_all() -> None:
    results = made.made()
    assert [c.role for c in cast(results)][:3] == ["clean", "winner", "other"]
    assert len(cast(results)) == 1 + len(results.noises)
    assert [c.name for c in cast(made.all_diverged())] == ["clean"]
    assert [s.name for s in series(made.plain(), lambda arm: arm.figures and arm.figures.fgsm)] == []


def test_one_far_interval_does_not_squeeze_the_others() -> None:
    low, high = without_outliers([(-1.0, 1.0)] * 5 + [(-500.0, -400.0)])
    assert low > -10
    assert high < 2


def test_scores_of_both_kinds() -> None:
    assert score(0.95678, made.made()) == "95.68 %"
    assert score(0.95678, made.ALL["regression"]()) == "0.957"
    assert score(-123456.7, made.ALL["regression"]()) == "-1.23e+05"
