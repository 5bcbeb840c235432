"""Noise on token ids: formulas, rates, what is spared, what is hidden. The laws in tests/laws run over all kinds, too.

Statistical tests have fixed seeds; 4 sigma is one false alarm in 15,000 for each line, and chi-square tests have one in
a million.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import KINDS, Kind, Text, fill, pair_name, same
from scipy.stats import chi2
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils._python_dispatch import TorchDispatchMode

import torchnoise as tn
from torchnoise import oracle
from torchnoise.noise import RandomNoise
from torchnoise.operation import noise_of
from torchnoise.oracle import Static
from torchnoise.sequence import spare_one
from torchnoise.sources.tokens.vocabulary import ByFrequency, Evenly, Frequencies
from torchnoise.streams import normal, words

kinds = pytest.mark.parametrize("kind", [k for k in KINDS if k.whole_numbers], ids=pair_name)
BATCH, LENGTH = 200, 500
SPECIAL = (1, 2)


def ids_of(batch: int = BATCH, length: int = LENGTH, low: int = 10, high: int = 20) -> Tensor:
    """Ids, none of them special."""
    return torch.randint(low, high, (batch, length), generator=torch.Generator().manual_seed(0))


def drawn(noise: RandomNoise, ids: Tensor, seed: int = 0, keep: Tensor | None = None) -> Tensor:
    return tn.noisy(ids, noise, tn.address(seed=seed, examples=len(ids)), keep=keep)


def close_to(share: Tensor, p: float, count: int, independent: float = 1.0) -> bool:
    """Within 4 sigma of a probability, over so many draws of which a part is independent."""
    return abs(float(share) - p) < 4 * (p * (1 - p) / (count * independent)) ** 0.5


def even(counts: Tensor, shares: Tensor) -> bool:
    """Whether counts could come from these shares: chi-square, one false alarm in a million."""
    wanted = counts.sum() * shares / shares.sum()
    statistic = ((counts - wanted).square() / wanted).sum()
    return float(statistic) < chi2.isf(1e-6, len(counts) - 1)


class Reader(nn.Module):
    """A model that gives back what it is given."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> tuple:
        return input_ids, attention_mask, labels


def read(
    noise: RandomNoise, *args: Tensor, model: nn.Module | None = None, special: tuple = (), **kwargs: Tensor
) -> tuple:
    """What a model in training gets."""
    model = Reader() if model is None else model
    with tn.attach(model, tn.Injection(noise, at=tn.Tokens(special=special)), seed=3):
        return model(*args, **kwargs)


def padded(lengths: tuple[int, ...], longest: int) -> tuple[Tensor, Tensor]:
    """Sentences that begin with 1 and end with 2, and 0 after that; and their mask."""
    ids = ids_of(len(lengths), 64)[:, :longest].clone()
    ids[:, 0] = 1
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    for row, length in enumerate(lengths):
        ids[row, length - 1] = 2
    return ids * mask, mask


# -- what is spared, for every kind ------------------------------------------------------------------------------------


@kinds
def test_specials_padding_and_labels_stay(kind: Kind) -> None:
    """The labels of a causal model are the very tensor that holds its ids. Nothing that is given is written to.

    Broken on purpose: Tokens without its `special` mask; a default mask that is never found.
    """
    ids, mask = padded((9, 40, 3, 2, 25) * 40, 40)
    before = ids.clone(), mask.clone()
    given = {"input_ids": ids, "attention_mask": mask, "labels": ids}
    found, _, labels = read(kind.noise, special=SPECIAL, **given)
    assert labels is ids
    assert same(ids, before[0])
    assert same(mask, before[1])
    free = (mask == 1) & (ids > 2)
    assert same(found[~free], ids[~free])
    assert (found[free] != ids[free]).any()
    assert found.dtype == ids.dtype


@kinds
def test_the_amount_of_padding_changes_nothing(kind: Kind) -> None:
    found = []
    for longest in (12, 40):
        ids, mask = padded((9, 12, 3, 7), longest)
        found.append(read(kind.noise, ids, mask, special=SPECIAL)[0][:, :12])
    assert same(*found)


@kinds
def test_only_in_training(kind: Kind) -> None:
    """Eval gives the same tensors back; tn.active gives noise there."""
    ids, mask = padded((9, 12), 12)
    model = Reader().eval()
    with tn.attach(model, tn.Injection(kind.noise, at=tn.Tokens())):
        found = model(ids, mask)
        assert found[0] is ids
        assert found[1] is mask
        with tn.active(model):
            assert not same(model(ids_of())[0], ids_of())


@kinds
def test_any_whole_dtype_and_shape(kind: Kind) -> None:
    """int32 gets int64's noise; [B, C, T] gets what its rows are numbered to get; nothing is fine, too."""
    ids = ids_of(4, 60)
    wide = drawn(kind.noise, ids)
    for dtype in (torch.int32, torch.int16, torch.uint8):
        assert same(drawn(kind.noise, ids.to(dtype)), wide.to(dtype))
    assert drawn(kind.noise, ids.view(4, 3, 20)).shape == (4, 3, 20)
    assert drawn(kind.noise, ids[:, :0]).shape == (4, 0)
    read(kind.noise, ids.view(4, 3, 20), torch.ones(4, 3, 20, dtype=torch.int64))


@kinds
def test_a_mask_inside_a_dict(kind: Kind) -> None:
    """The mask beside the ids counts, wherever both are. Broken on purpose: a look at the top level alone."""

    class Batched(nn.Module):
        def forward(self, batch: dict) -> dict:
            return batch

    ids, mask = padded((9, 12, 3, 7), 40)
    model = Batched()
    with tn.attach(model, tn.Injection(kind.noise, at=tn.Tokens("input_ids"))):
        found = model({"input_ids": ids, "attention_mask": mask, "labels": ids})
    assert same(found["input_ids"][mask == 0], ids[mask == 0])
    assert not same(found["input_ids"], ids)
    assert found["labels"] is ids


def test_the_decoder_has_its_own_mask() -> None:
    """Broken on purpose: attention_mask for every argument, which has the same shape here."""

    class Both(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor, **decoder: Tensor) -> dict:
            return decoder

    ids = ids_of(3, 8)
    mask = (torch.arange(8) < 4).long().expand(3, 8)
    model = Both()
    with tn.attach(model, tn.Injection(tn.MaskTokens(1.0, 7), at=tn.Tokens("decoder_input_ids"))):
        found = model(ids, mask, decoder_input_ids=ids, decoder_attention_mask=1 - mask)
        assert same(found["decoder_input_ids"], torch.where(mask == 0, 7, ids))
        assert (model(ids, mask, decoder_input_ids=ids)["decoder_input_ids"] == 7).all()


@kinds
def test_what_is_hit_keeps_its_replacement(kind: Kind) -> None:
    """A token that is hit at p has at any larger p the id that it has at p: strength says how many, never which."""
    if kind.scale != "nested":
        pytest.skip("its strength is no probability")
    ids = ids_of(20, 100)
    clean, found = ids, drawn(dataclasses.replace(kind.noise, strength=1.0), ids)
    for p in (0.05, 0.3, 0.8):
        some = drawn(dataclasses.replace(kind.noise, strength=p), ids)
        assert ((some == clean) | (some == found)).all()
        assert (some != clean).any()


# -- replacing ---------------------------------------------------------------------------------------------------------


def test_replacements_are_even_and_spare_what_is_never_drawn() -> None:
    """Also at a small p, where the word that decides the hit says much about itself.

    Broken on purpose: ids from the word that decides the hit (only low ids come).
    """
    never, size = (3, 0, 7, 19), 20
    for p in (0.02, 1.0):
        noise = tn.ReplaceTokens(p, vocabulary=size, never=(*never, 50))
        ids = ids_of(low=100, high=200)
        found = drawn(noise, ids)
        counts = torch.bincount(found[found != ids], minlength=size)
        assert len(counts) == size
        assert (counts[list(never)] == 0).all()
        left = [i for i in range(size) if i not in never]
        assert even(counts[left].double(), torch.ones(len(left)))


def test_evenly_is_exact() -> None:
    """Each id gets the words from k 2^32 / n on, in a row, for all n; the gaps of `never` are closed in order."""
    for size, never in ((1, ()), (7, (0, 6)), (1000, range(0, 1000, 3)), (50257, (50256,)), (2**31 - 1, (5,))):
        ids = Evenly(size, never)
        left = [i for i in range(min(size, 3000)) if i not in set(never)]
        n = ids.count
        assert n == size - len(set(never))
        first = torch.tensor([-(-k * 2**32 // n) for k in range(len(left))])
        assert ids.draw(first).tolist() == left
        assert ids.draw(first[1:] - 1).tolist() == left[:-1]
        assert ids.draw(torch.tensor(2**32 - 1)) == max(set(range(size - 5, size)) - set(never)) if size > 5 else True


def test_frequencies() -> None:
    """Chi-square against the weights; ids of weight 0 never come, at the ends neither; `never` takes more away.

    Broken on purpose: a table made of all weights, whatever `never` says.
    """
    weights = torch.tensor([0.0, 5.0, 0.0, 1.0, 2.5, 0.5, 40.0, 0.0])
    for never in ((), (6,), (1, 3)):
        noise = tn.ReplaceTokens(1.0, frequencies=weights, never=never)
        left = weights.clone()
        left[list(never)] = 0.0
        counts = torch.bincount(drawn(noise, ids_of()).flatten(), minlength=8)
        assert (counts[left == 0] == 0).all()
        assert even(counts[left > 0].double(), left[left > 0])


def test_frequencies_are_exact() -> None:
    """Each id has its share of the 2^32 words, to one word; the table's edges by hand.

    Broken on purpose: searchsorted with right=False.
    """
    weights = [3, 0, 1, 7.5, 0.25, 1e-3, 0]
    ids = ByFrequency(weights)
    total, before = sum(map(Fraction, weights)), 0
    for i, end in enumerate(ids._ends.values):
        assert abs(end - before - Fraction(weights[i]) / total * 2**32) <= 1
        if end > before:
            assert ids.draw(torch.tensor([before, end - 1])).tolist() == [i, i]
        before = end
    assert before == 2**32


def test_a_large_vocabulary_is_not_printed() -> None:
    """50,000 frequencies: short texts, one value; found again by its token, copied, hashed."""
    counts = torch.arange(50_000)
    noise, again = (tn.ReplaceTokens(0.1, frequencies=c) for c in (counts, counts.tolist()))
    other = tn.ReplaceTokens(0.1, frequencies=counts.flip(0))
    assert noise == again
    assert hash(noise) == hash(again)
    assert noise != other
    assert noise.token == again.token != other.token
    for text in (str(noise), repr(noise), noise.token):
        assert len(text) < 300
    assert noise_of(noise.token) == noise
    half = dataclasses.replace(noise, strength=0.5)
    assert half.frequencies is noise.frequencies
    ids = ids_of(2, 50)
    for copied in (copy.deepcopy(noise), pickle.loads(pickle.dumps(noise))):
        assert copied == noise
        assert same(drawn(copied, ids), drawn(noise, ids))
    assert len(Frequencies(counts)) == 50_000


def test_masks_hide_a_share() -> None:
    """80, 10 and 10 per cent of what is hit, within 4 sigma; the kept ones are themselves, nothing else is touched."""
    ids = ids_of(low=100, high=200)
    hit = drawn(tn.MaskTokens(0.3, 7), ids) == 7
    assert close_to(hit.double().mean(), 0.3, ids.numel())
    found = drawn(tn.MaskTokens(0.3, 7, keep=0.1, random=0.2, vocabulary=50, never=(7,)), ids)
    assert same(found[~hit], ids[~hit])
    count = int(hit.sum())
    masked, kept = found[hit] == 7, found[hit] == ids[hit]
    assert close_to(masked.double().mean(), 0.7, count)
    assert close_to(kept.double().mean(), 0.1, count)
    rest = found[hit][~masked & ~kept]
    assert even(torch.bincount(rest, minlength=50).double()[torch.arange(50) != 7], torch.ones(49))


# -- hiding ------------------------------------------------------------------------------------------------------------


def test_dropped_tokens_leave_the_attention_mask() -> None:
    """Hidden where hit and nowhere else, at the rate asked for; in a new mask of the same kind.

    Broken on purpose: a mask that is changed in place; hiding where the id is pad_id, whoever put it there.
    """
    ids, mask = padded((9, 40, 3, 2, 25) * 400, 40)
    ids[:, 3] = 0  # an ordinary token that has the id of padding: hidden when it is hit, as others are
    free = (mask == 1) & ~torch.isin(ids, torch.tensor(SPECIAL))
    for kind in (torch.int64, torch.int32, torch.bool):
        given = mask.to(kind)
        found, left, _ = read(tn.DropTokens(0.3), ids, given, special=SPECIAL)
        hidden = (given != 0) & (left == 0)
        assert left.dtype == kind
        assert same(given, mask.to(kind))
        assert not hidden[~free].any()
        assert (found[hidden] == 0).all()
        assert same(found[~hidden], ids[~hidden])
        assert close_to(hidden[free].double().mean(), 0.3, int(free.sum()))
        assert close_to(hidden[:, 3][free[:, 3]].double().mean(), 0.3, int(free[:, 3].sum()))


def test_no_sentence_is_hidden_whole() -> None:
    """Without special tokens, at p = 1, the first token of each sentence stays; with them, they are enough.

    Broken on purpose: `spare_one` that gives back what it is given.
    """
    ids, mask = padded((9, 4, 1), 12)
    found, left, _ = read(tn.DropTokens(1.0, pad_id=5), ids, mask)
    assert left.tolist() == [[1] + [0] * 11] * 3
    assert same(found, torch.where(left == 1, ids, torch.where(mask == 1, 5, ids)))
    _, left, _ = read(tn.DropTokens(1.0), ids, mask, special=SPECIAL)
    assert left.sum(1).tolist() == [2, 2, 1]

    late = mask.flip(1)  # padded on the left: its first token is further on
    _, left, _ = read(tn.DropTokens(1.0), ids, late)
    assert left.argmax(1).tolist() == [3, 8, 11]
    assert left.sum(1).tolist() == [1, 1, 1]

    class Bag(nn.Module):
        def forward(self, tokens: Tensor) -> Tensor:
            return tokens

    found = read(tn.DropTokens(1.0), ids, model=Bag(), special=(0,))  # no mask to take: the ids say what is padding
    assert ((found != 0).sum(1) == 1).all()


def test_one_is_spared_along_any_axis() -> None:
    """Against a loop over sequences."""
    generator = torch.Generator().manual_seed(0)
    attended = torch.rand(50, 4, 6, generator=generator) < 0.6
    hidden = (torch.rand(50, 4, 6, generator=generator) < 0.7) & attended
    for axis in (2, 1):
        found, wanted = spare_one(hidden, attended, axis).transpose(axis, 2), hidden.clone().transpose(axis, 2)
        for i in range(50):
            for j in range(wanted.shape[1]):
                row, seen = wanted[i, j], attended.transpose(axis, 2)[i, j]
                if row.any() and not (seen & ~row).any():
                    row[int(row.nonzero()[0])] = False
        assert same(found, wanted)
    assert not spare_one(torch.tensor([True]), torch.tensor([True]), None).any()


def test_a_model_that_was_given_no_mask_gets_one() -> None:
    ids = ids_of(4, 30)
    for given in ({}, {"attention_mask": None}):
        found, mask, _ = read(tn.DropTokens(0.4), ids, **given)
        assert mask.dtype == torch.int64
        assert same(mask, (found == ids).long())
        assert 0 < int(mask.sum()) < mask.numel()
    found, mask, _ = read(tn.DropTokens(0.4), ids, None)
    assert same(mask, (found == ids).long())


def test_what_is_hidden_is_not_read() -> None:
    """The output at the positions that stay does not depend on what the hidden tokens were."""
    model = Text()
    fill(model)
    ids, mask = padded((9, 12, 5, 7), 12)
    with tn.attach(model, tn.Injection(tn.DropTokens(0.5), at=tn.Tokens(special=SPECIAL)), seed=1) as noise:
        out = model(ids, mask)
    reader = Reader()
    with tn.attach(reader, tn.Injection(tn.DropTokens(0.5), at=tn.Tokens(special=SPECIAL)), seed=1) as noise:
        _, left, _ = reader(ids, mask)
        assert noise.current_step == 0
    other = torch.where((left == 0) & (mask == 1), 19 - ids % 5, ids)
    assert not same(other, ids)
    clean = model.eval()(other, left)
    assert same(out[left == 1], clean[left == 1])


def test_two_noises_after_one_another() -> None:
    """What the first hides, the second does not replace."""
    ids, mask = padded((30,) * 50, 40)
    plan = tn.Plan(
        tn.Injection(tn.DropTokens(0.5), at=tn.Tokens(special=SPECIAL)),
        tn.Injection(tn.MaskTokens(1.0, 7), at=tn.Tokens(special=SPECIAL)),
    )
    model = Reader()
    with tn.attach(model, plan):
        found, left, _ = model(ids, mask)
    assert ((found == 7) == ((left == 1) & (ids > 2))).all()
    assert ((found == 0) == (left == 0)).all()


# -- order -------------------------------------------------------------------------------------------------------------


def swapped_by_hand(ids: Tensor, keep: Tensor, hit: Tensor, bits: Tensor) -> Tensor:
    """Pair after pair, sentence after sentence."""
    out = ids.clone()
    for row in range(len(ids)):
        for i in range(int(bits[row]), ids.shape[1] - 1, 2):
            if keep[row, i] and keep[row, i + 1] and hit[row, i]:
                out[row, i], out[row, i + 1] = ids[row, i + 1], ids[row, i]
    return out


def test_swaps_equal_a_loop_over_pairs() -> None:
    """With holes in what may move. Broken on purpose: pairs that ask their left half alone whether it may move."""
    ids = torch.arange(40 * 33).view(40, 33)
    keep = torch.rand(40, 33, generator=torch.Generator().manual_seed(1)) < 0.8
    at = tn.address(seed=0, examples=40)
    drawn_words = words(at, 33)
    hit = (drawn_words < int(0.5 * 2**32)).flatten(1)[:, :33]
    found = drawn(tn.SwapTokens(0.5), ids, keep=keep)
    by_bit = [swapped_by_hand(ids, keep, hit, torch.full((40,), b)) for b in (0, 1)]
    rows = torch.stack([(found == by).all(1) for by in by_bit])
    assert rows.any(0).all()
    assert 8 < int(rows[1].sum()) < 32  # binomial(40, 1/2): one false alarm in 10,000
    assert same(found.sort(1).values, ids)


def test_each_token_moves_with_probability_p() -> None:
    """By one place; at either end half as often. Within 4 sigma, where both of a pair move together."""
    ids = torch.arange(LENGTH).expand(2000, LENGTH)
    for p in (0.1, 0.6, 1.0):
        found = drawn(tn.SwapTokens(p), ids)
        moved = found != ids
        assert (found - ids).abs().max() == 1
        assert close_to(moved[:, 1:-1].double().mean(), p, moved[:, 1:-1].numel(), independent=0.5) or p == 1.0
        assert p < 1.0 or moved[:, 1:-1].all()
        for end in (0, -1):
            assert close_to(moved[:, end].double().mean(), p / 2, 2000)


def test_swaps_run_along_the_sequence() -> None:
    """Where examples are in axis 1, and where each has several sequences. One token alone has no neighbour."""
    ids = ids_of(6, 12, low=0, high=1000)
    first = drawn(tn.SwapTokens(0.7), ids)
    at = tn.address(seed=0, examples=6)
    assert same(tn.noisy(ids.T, tn.SwapTokens(0.7), at, batch_axis=1).T, first)
    rows = drawn(tn.SwapTokens(1.0), ids.view(6, 3, 4))
    assert same(rows.sort(-1).values, ids.view(6, 3, 4).sort(-1).values)
    assert same(drawn(tn.SwapTokens(1.0), ids[:, 0]), ids[:, 0])
    assert same(drawn(tn.SwapTokens(1.0), ids[:, :1]), ids[:, :1])


# -- jitter ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.7, 30.0, 3e38])
def test_jitter_is_rounded_and_clipped(sigma: float) -> None:
    """x + round(s z), in NumPy, to the last id."""
    ids = ids_of(20, 50, low=0, high=100)
    z = normal(words(tn.address(seed=0, examples=20), 50)).flatten(1)[:, :50].numpy()
    with np.errstate(over="ignore"):
        move = np.rint(np.float32(sigma) * z)
    wanted = np.clip(ids.numpy() + move.astype(np.float64), 0, 99)
    assert drawn(tn.JitterTokens(sigma, vocabulary=100), ids).tolist() == wanted.astype(np.int64).tolist()


def test_cutting_instead_of_rounding_changes_half_of_all_tokens() -> None:
    """The usual line: P(z < 0) = 1/2 of all ids become the one before, whatever sigma is; within 4 sigma.

    Exactly so in float64; in float32, what is nearer to an id than half its last place is lost, a few per cent at 0.03.
    Rounded, the share is 2 Phi(-1 / (2 s)): none of 100,000 at 0.1.
    """
    ids = ids_of(low=1000, high=30_000)
    z = tn.noisy(torch.zeros(ids.shape), tn.Gaussian(1.0), tn.address(seed=0, examples=len(ids)))
    for sigma in (0.1, 0.03):
        changed = (ids + sigma * z.double()).long() - ids
        assert close_to((changed == -1).double().mean(), 0.5, ids.numel())
        assert set(changed.unique().tolist()) == {-1, 0}
        usual = ((ids + sigma * z).long() != ids).double().mean()
        assert 0.45 < float(usual) < 0.5
        assert same(drawn(tn.JitterTokens(sigma, vocabulary=30_522), ids), ids)
    share = 2 * float(torch.special.ndtr(torch.tensor(-1.0)))
    changed = drawn(tn.JitterTokens(0.5, vocabulary=30_522), ids) != ids
    assert close_to(changed.double().mean(), share, ids.numel())


# -- graphs, and other processes ---------------------------------------------------------------------------------------


@kinds
def test_one_graph(kind: Kind) -> None:
    """fullgraph, one graph over steps whose strength moves, the ids and masks of eager mode.

    Broken on purpose: `spare_one` that asks whether there is anything to spare.
    """
    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    ids, mask = padded((9, 12, 5, 7), 12)
    found: list[list[Tensor]] = [[], []]
    for which in (0, 1):
        model = Reader()
        injection = tn.Injection(kind.noise, at=tn.Tokens(special=SPECIAL), when=tn.exponential(1.0, 0.9))
        with tn.attach(model, injection) as noise:
            run = torch.compile(model, backend=counter, fullgraph=True) if which else model
            for _ in range(3):
                found[which] += run(ids, mask)[:2]
                noise.step()
    assert counter.frame_count == 1
    for a, b in zip(*found, strict=True):
        assert same(a, b)


class NothingIsRead(TorchDispatchMode):
    """Refuses what turns a tensor into a number: on a GPU it waits for everything before it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a number was read"
        return func(*args, **(kwargs or {}))


@kinds
def test_no_number_is_read(kind: Kind) -> None:
    """Neither the strength nor ids nor masks. Broken on purpose: a threshold of float(strength)."""
    ids, mask = padded((9, 12, 5, 7), 12)
    static = Static(kind.noise, kind.noise.combine, 0)
    at, strength = tn.address(examples=4), torch.tensor(0.5)
    with NothingIsRead():
        oracle.perturb(ids, static, strength, at, None, mask == 1)
        spare_one(mask == 1, mask == 1, 1)


def test_a_mask_is_made_inside_the_graph() -> None:
    ids = ids_of(4, 30)
    model = Reader()
    with tn.attach(model, tn.Injection(tn.DropTokens(0.4), at=tn.Tokens())) as noise:
        eager = model(ids)[:2]
        noise.examples(torch.arange(4))
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)(ids)[:2]
    assert all(same(a, b) for a, b in zip(eager, compiled, strict=True))


def test_another_process_finds_a_noise_by_its_token() -> None:
    """As a graph that torch.compile kept does; frequencies have to be made there first, and it says so."""
    noises = [k.noise for k in KINDS if k.whole_numbers and k.name != "replace_by_frequency"]
    lost = tn.ReplaceTokens(0.0, frequencies=[1, 2, 3])
    script = f"""
import torchnoise as tn
from torchnoise.operation import noise_of
print([str(noise_of(t)) for t in {[n.token for n in noises]!r}])
try:
    noise_of({lost.token!r})
except TypeError as error:
    print(error)
tn.ReplaceTokens(0.0, frequencies=[1, 2, 3])
print(noise_of({lost.token!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, error, second = done.stdout.splitlines()
    assert first == str([str(dataclasses.replace(n, strength=0.0)) for n in noises])
    assert "frequencies is str" in error
    assert second == str(lost)


# Ids 10 to 25 after every kind of strength 0.9 at one address: frozen with version 1 of the stream
GOLDEN = {
    "bernoulli_ids": [7, 7, 7, 13, 7, 7, 16, 7, 7, 7, 7, 21, 7, 7, 7, 7],
    "replace_tokens": [23, 30, 36, 13, 18, 4, 16, 22, 31, 30, 24, 21, 37, 37, 28, 26],
    "replace_by_frequency": [3, 3, 3, 13, 2, 1, 16, 3, 3, 3, 3, 21, 3, 3, 3, 3],
    "mask_tokens": [3, 3, 3, 13, 3, 3, 16, 3, 3, 3, 3, 21, 3, 3, 3, 3],
    "mask_tokens_bert": [3, 3, 3, 13, 3, 15, 16, 3, 3, 3, 3, 21, 3, 3, 3, 3],
    "drop_tokens": [0, 0, 0, 13, 0, 0, 16, 0, 0, 0, 0, 21, 0, 0, 0, 0],
    "swap_tokens": [11, 10, 13, 12, 15, 14, 16, 17, 19, 18, 21, 20, 23, 22, 25, 24],
    "jitter_tokens": [10, 12, 13, 12, 12, 16, 16, 17, 18, 20, 21, 21, 21, 24, 25, 25],
}


@kinds
def test_golden_ids(kind: Kind) -> None:
    ids = torch.arange(10, 26)[None]
    noise = dataclasses.replace(kind.noise, strength=0.9)
    assert drawn(noise, ids, seed=11)[0].tolist() == GOLDEN[kind.name]


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: tn.ReplaceTokens(1.5, vocabulary=5), "ReplaceTokens: strength is 1.5, allowed: a number from 0 to 1"),
        (lambda: tn.MaskTokens(-0.1, 5), "MaskTokens: strength is -0.1"),
        (lambda: tn.DropTokens(float("nan")), "DropTokens: strength is nan"),
        (lambda: tn.SwapTokens(2), "SwapTokens: strength is 2, allowed"),
        (lambda: tn.JitterTokens(-1.0, vocabulary=5), "JitterTokens: strength is -1.0"),
        (lambda: tn.ReplaceTokens(0.1), "vocabulary is missing, allowed: either vocabulary or frequencies"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=3, frequencies=[1]), "vocabulary is 3 beside frequencies"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=0), "ReplaceTokens: vocabulary is 0, allowed: a whole number from 1"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=2.5), "ReplaceTokens: vocabulary is 2.5, allowed: a whole number"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=True), "vocabulary is True"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=2, never=(0, 1)), "never holds all 2 ids"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=9, never=3), "never is 3, allowed: token ids, such as tokenizer"),
        (lambda: tn.ReplaceTokens(0.1, vocabulary=9, never=[-1]), r"never\[0\] is -1, allowed: a whole number from 0"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=[]), "frequencies is empty"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=[0, 0.0]), "frequencies add up to 0"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=[1e308] * 3), "frequencies add up to inf"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=[1, -2.0]), r"ReplaceTokens: frequencies\[1\] is -2.0, allowed"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=torch.tensor([float("nan")])), r"frequencies\[0\] is nan"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=["a"]), r"frequencies\[0\] is 'a'"),
        (lambda: tn.ReplaceTokens(0.1, frequencies={5: 2}), "frequencies is dict, allowed: a number for each id"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=torch.tensor(3)), "frequencies is Tensor, allowed"),
        (lambda: tn.ReplaceTokens(0.1, frequencies=[0, 1], never=[1]), "never holds all ids that occur"),
        (lambda: tn.MaskTokens(0.1, -5), "MaskTokens: mask_id is -5, allowed"),
        (lambda: tn.MaskTokens(0.1, None), "MaskTokens: mask_id is None, allowed"),
        (lambda: tn.MaskTokens(0.1, 5, keep=1.5), "MaskTokens: keep is 1.5"),
        (lambda: tn.MaskTokens(0.1, 5, keep=0.6, random=0.6, vocabulary=9), "keep is 0.6 beside random=0.6"),
        (lambda: tn.MaskTokens(0.1, 5, random=0.1), "MaskTokens: vocabulary is missing"),
        (lambda: tn.DropTokens(0.1, pad_id=0.0), "DropTokens: pad_id is 0.0, allowed: a whole number"),
        (lambda: tn.JitterTokens(0.1, vocabulary=0), "JitterTokens: vocabulary is 0"),
        (lambda: tn.SwapTokens(0.1, relative_to="rms"), "relative_to is 'rms', allowed: None"),
        (lambda: tn.SwapTokens(0.1, combine="add"), "combine is 'add', allowed: 'replace'"),
        (lambda: tn.Tokens(special=101), "Tokens: special is 101, allowed: token ids"),
        (lambda: tn.Tokens(special=["[CLS]"]), r"Tokens: special\[0\] is '\[CLS\]', allowed: a whole number"),
        (lambda: tn.Injection(tn.DropTokens(0.1), at=tn.Inputs("input_ids")), r"allowed: at=Tokens\('input_ids'\)"),
        (lambda: drawn(tn.ReplaceTokens(0.1, vocabulary=5), torch.zeros(2, 3)), "cannot enter a tensor of float32"),
        (lambda: drawn(tn.MaskTokens(0.1, 5), torch.zeros(2, 3) > 0), "cannot enter a tensor of bool"),
        (lambda: read(tn.DropTokens(0.1), torch.zeros(2, 3)), "cannot enter a tensor of float32; it takes token ids"),
        (lambda: read(tn.SwapTokens(0.1), torch.zeros(2, 3)), r"model \(token\): SwapTokens\(0.1\) cannot enter"),
        (
            lambda: read(tn.DropTokens(0.1), ids_of(2, 3), torch.ones(2, 1, 3, 3, dtype=torch.int64)),
            r"'attention_mask' has shape \(2, 1, 3, 3\), allowed for DropTokens\(0.1\): that of the ids, \(2, 3\)",
        ),
        (
            lambda: read(tn.DropTokens(0.1), ids_of(2, 3), torch.ones(2, 3)),
            "the mask is torch.float32, allowed: bool or whole numbers",
        ),
    ],
)
def test_bad_input(make, line: str) -> None:
    with pytest.raises((ValueError, TypeError), match=line) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_model_that_may_take_a_mask_is_asked_for_one() -> None:
    """Wrappers that pass everything on, and batches in dicts: from outside nobody can tell."""

    class Wrapper(nn.Module):
        def forward(self, *args: Tensor, **kwargs: Tensor) -> dict:
            return kwargs

    class Batched(nn.Module):
        def forward(self, batch: dict) -> dict:
            return batch

    ids = ids_of(2, 3)
    line = r"DropTokens\(0.1\) hides tokens .* forward was given no '(batch.)?attention_mask', allowed: one of the ids'"
    for model, args, kwargs in ((Wrapper(), (), {"input_ids": ids}), (Batched(), ({"input_ids": ids},), {})):
        with (
            tn.attach(model, tn.Injection(tn.DropTokens(0.1), at=tn.Tokens("input_ids"))),
            pytest.raises(LookupError, match=line),
        ):
            model(*args, **kwargs)
    model = Wrapper()
    mask = torch.ones_like(ids)
    with tn.attach(model, tn.Injection(tn.DropTokens(1.0), at=tn.Tokens("input_ids"))):
        assert model(input_ids=ids, attention_mask=mask)["attention_mask"].tolist() == [[1, 0, 0]] * 2
