"""Corruptions: what they do, against slow obvious forms, and that every network meets the same."""

import math

import numpy as np
import pytest
import torch
from lab.measures.toys import images, mlp, table, texts, trained

from torchnoise.lab.data import IMAGE, TABLE, TEXT
from torchnoise.lab.measures import corruptions
from torchnoise.lab.measures.corruptions import CORRUPTIONS, SEVERITIES, corruption_lines, generator
from torchnoise.lab.measures.corruptions import images as of_images
from torchnoise.lab.measures.corruptions import tables as of_tables
from torchnoise.lab.measures.corruptions import texts as of_texts

MAKE = {IMAGE: images, TABLE: table, TEXT: texts}
EACH = [(kind, one) for kind in MAKE for one in CORRUPTIONS[kind]]
IDS = [f"{kind}-{one.name}" for kind, one in EACH]


def draw(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("kind", "one"), EACH, ids=IDS)
def test_the_same_seed_gives_the_same_corruption_whatever_was_drawn_before(kind, one):
    data, test = MAKE[kind]()
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = [one.apply(test, data, s, generator(3, one.name, s)) for s in SEVERITIES]
    again = [one.apply(test, data, s, generator(3, one.name, s)) for s in reversed(SEVERITIES)]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(again), strict=True))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize(("kind", "one"), EACH, ids=IDS)
def test_each_severity_changes_more_than_the_one_before(kind, one):
    """In the share of values that differ or by how much. The draws are fixed."""
    data, test = MAKE[kind](rows=200)
    corrupted = [one.apply(test, data, s, generator(0, one.name, s)) for s in SEVERITIES]
    assert all(len(x) == len(test) and x.dtype == test.x.dtype for x in corrupted)
    if kind == TEXT:
        longest = max(x.shape[1] for x in (test.x, *corrupted))
        pad = [torch.nn.functional.pad(x, (0, longest - x.shape[1])) for x in (test.x, *corrupted)]
        change = [float((x != pad[0]).double().mean()) for x in pad[1:]]
    else:
        change = [float((x - test.x).abs().mean()) for x in corrupted]
    assert change[0] > 0
    assert change == sorted(change)
    assert change[-1] > 2 * change[0]


def test_seed_name_and_severity_all_count():
    found = {float(generator(*key).random()) for key in [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2)]}
    assert len(found) == 4


@pytest.mark.parametrize("one", CORRUPTIONS[IMAGE], ids=lambda one: one.name)
def test_images_stay_images(one):
    data, test = images(shape=(3, 5, 7))
    for severity in SEVERITIES:
        x = one.apply(test, data, severity, draw())
        assert x.shape == test.x.shape
        assert 0 <= float(x.min()) <= float(x.max()) <= 1


def test_blur_is_a_convolution_with_a_gaussian():
    """Against four loops: weights exp(-d^2 / 2 sigma^2) that add up to 1, the border's pixels going on."""
    x = torch.rand(2, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    sigma = 0.15 * 6
    reach = int(4 * sigma + 0.5)
    weight = [math.exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1)]
    total = sum(weight)
    slow = torch.zeros_like(x)
    for i in range(6):
        for j in range(8):
            for a in range(-reach, reach + 1):
                for b in range(-reach, reach + 1):
                    pixel = x[..., min(max(i + a, 0), 5), min(max(j + b, 0), 7)]
                    slow[..., i, j] += weight[a + reach] * weight[b + reach] / total**2 * pixel
    torch.testing.assert_close(of_images.blur(x, 0.15), slow, atol=1e-6, rtol=1e-5)


def test_a_patch_is_one_black_square_anywhere_inside():
    x = torch.ones(200, 2, 6, 8)
    cut = of_images.cut_patch(x, 0.5, draw())
    seen = set()
    for image in cut:
        assert torch.equal(image[0], image[1])
        rows, columns = np.nonzero(image[0].numpy() == 0)
        assert len(rows) == 9
        assert np.ptp(rows) == np.ptp(columns) == 2
        seen.add((rows.min(), columns.min()))
    assert len(seen) == 4 * 6  # each place; the odds of missing one with these 200 draws were 24 (23/24)^200 = 0.5 %


def test_a_patch_is_never_less_than_a_pixel_nor_more_than_the_image():
    assert int((of_images.cut_patch(torch.ones(1, 1, 3, 3), 0.01, draw()) == 0).sum()) == 1
    assert int((of_images.cut_patch(torch.ones(1, 1, 3, 3), 2.0, draw()) == 0).sum()) == 9


def test_salt_and_pepper_hits_whole_pixels_half_of_them_white():
    """40,000 pixels: shares within 5 standard errors (1e-6 false alarms)."""
    x = torch.full((4, 3, 100, 100), 0.5)
    hit = of_images.salt_and_pepper(x, 0.2, draw())
    assert torch.equal(hit[:, 0], hit[:, 1])
    share = lambda value: float((hit[:, 0] == value).double().mean())  # noqa: E731
    assert abs(share(0.0) - 0.1) < 5 * (0.1 * 0.9 / 40000) ** 0.5
    assert abs(share(1.0) - 0.1) < 5 * (0.1 * 0.9 / 40000) ** 0.5
    assert share(0.5) > 0.75


def test_contrast_keeps_each_channels_mean():
    _, test = images(shape=(3, 5, 7))
    low = of_images.lower_contrast(test.x, 0.25)
    torch.testing.assert_close(low.mean((-2, -1)), test.x.mean((-2, -1)))
    torch.testing.assert_close(low.std((-2, -1)), 0.25 * test.x.std((-2, -1)))


def test_a_tables_noise_is_in_each_columns_standard_deviation():
    """40,000 draws a column: within 5 standard errors of a standard deviation, 1 / sqrt(2 n)."""
    x, std = torch.zeros(40000, 3), torch.tensor([1.0, 0.1, 0.0])
    noise = of_tables.add_gaussian(x, 0.5, std, draw())
    torch.testing.assert_close(noise.std(0), 0.5 * std, rtol=5 / 80000**0.5, atol=0)


def test_a_tables_values_are_lost_or_thrown_to_what_the_training_part_knows():
    data, test = table(rows=500)
    for name, allowed in (
        ("missing features", data.train.x.mean(0)[None]),
        ("salt and pepper", torch.stack([data.train.x.amin(0), data.train.x.amax(0)])),
    ):
        one = next(c for c in CORRUPTIONS[TABLE] if c.name == name)
        x = one.apply(test, data, 4, draw())
        changed = x != test.x
        share = float(changed.double().mean())
        assert abs(share - one.levels[3]) < 5 * 0.5 / x.numel() ** 0.5
        assert all((x[:, i][changed[:, i], None] == allowed[:, i]).any(1).all() for i in range(x.shape[1]))


def test_a_typo_is_one_slip_in_one_word():
    words = ["abcdef"] * 4000
    slips = of_texts.misspell(words, 1.0, draw())
    assert {len(w) - 6 for w in slips} == {-1, 0, 1}
    edits = set(slips)
    swapped = {"abcdef"[:i] + "abcdef"[i + 1] + "abcdef"[i] + "abcdef"[i + 2 :] for i in range(5)}
    dropped = {"abcdef"[:i] + "abcdef"[i + 1 :] for i in range(6)}
    added = {"abcdef"[:i] + c + "abcdef"[i:] for i in range(6) for c in "abcdef"}
    wrong = {"abcdef"[:i] + c + "abcdef"[i + 1 :] for i in range(6) for c in "abcdef"}
    assert swapped | dropped <= edits <= swapped | dropped | added | wrong


def test_typos_leave_one_letter_and_know_any_script():
    slips = of_texts.misspell(["я"] * 50 + ["é"], 1.0, draw())
    assert all(slips)
    assert set("".join(slips)) <= {"я", "é"}


def test_drops_keep_order_and_at_least_a_word():
    words = [str(i) for i in range(20)]
    left = of_texts.drop(words, 0.5, draw())
    assert left == [w for w in words if w in left]
    assert 0 < len(left) < 20
    assert all(len(of_texts.drop(words, 1.0, draw(i))) == 1 for i in range(20))
    assert of_texts.drop(["alone"], 1.0, draw()) is None


def test_swaps_move_neighbours_only():
    words = [str(i) for i in range(21)]
    for seed in range(10):
        swapped = of_texts.swap(words, 0.5, draw(seed))
        assert sorted(swapped) == sorted(words)
        assert max(abs(i - int(w)) for i, w in enumerate(swapped)) == 1
    assert of_texts.swap(words, 1.0, draw())[1:3] in (["0", "3"], ["2", "1"])


def test_texts_that_nothing_hits_and_empty_texts_stay():
    given = ("two  spaces\n", "", "  ")
    for how in (of_texts.misspell, of_texts.drop, of_texts.swap):
        assert of_texts.change(given, how, 0.0, draw()) == given
        assert of_texts.change(given, how, 1.0, draw())[1:] == given[1:]


def test_typos_reach_the_model_through_the_encoder():
    data, test = texts()
    one = CORRUPTIONS[TEXT][0]
    x = one.apply(test, data, 5, generator(0, one.name, 5))
    assert (x == 1).sum() > (test.x == 1).sum() + 20  # words that the encoder does not know any more


def test_lines_are_the_scores_of_what_was_corrupted():
    data, test = table()
    model = mlp(5, 3)
    net = trained(model, data)
    lines = corruption_lines(net, model, data, test, seed=4)
    for one in CORRUPTIONS[TABLE]:
        for severity in SEVERITIES:
            x = one.apply(test, data, severity, generator(4, one.name, severity))
            with torch.no_grad():
                right = int((net(x).argmax(1) == test.y).sum())
            assert lines[one.name].y[severity - 1] == pytest.approx(right / len(test))


def test_few_examples_are_enough_for_a_large_network(monkeypatch):
    data, test = table(rows=30)
    seen = []

    def count(net, model, x):
        seen.append(len(x))
        return torch.zeros(len(x), 3)

    monkeypatch.setattr(corruptions, "outputs_of", count)
    monkeypatch.setattr(corruptions, "limits", lambda net, tokens: type("L", (), {"examples": 7}))
    corruption_lines(mlp(5, 3).build(0), mlp(5, 3), data, test, 0)
    assert set(seen) == {7}
