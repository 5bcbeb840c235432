"""Law 8 on several ranks: DDP and FSDP2 draw the noise of one process, bit for bit where nothing is summed.

Real ranks, gloo on the CPU. distributed_worker.py runs and writes down what it saw; here it is compared with the same
runs in one process. Sums over ranks round otherwise than one process' sums: what lies behind one is compared to CLOSE,
a hundredth of a percent of the noise; all else has to have the same bits.

Each test was seen red once, with the sabotage that its docstring names done to a copy of torchnoise.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from laws import distributed_worker as worker
from torch import Tensor

import torchnoise as tn

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
SECONDS = 90.0

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")

worlds = pytest.mark.parametrize("world", [2, 4])
layouts = pytest.mark.parametrize("layout", ["rows", "columns"])


def run_ranks(world: int, folder: Path) -> str:
    """Run all ranks of a world until they have written their findings; what they said, where one of them failed."""
    source = str(Path(tn.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    running: list[subprocess.Popen] = []
    try:
        for rank in range(world):
            command = [sys.executable, worker.__file__, str(rank), str(world), str(folder)]
            with (folder / f"rank{rank}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log, env=env))
        end = time.monotonic() + SECONDS
        while None in (codes := [p.poll() for p in running]) and not any(codes) and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        for process in running:
            process.kill()
            process.wait()
    if not any(codes) and None not in codes:
        return ""
    logs = [f"--- rank {r}\n{(folder / f'rank{r}.log').read_text()[-3000:]}" for r in range(world)]
    return "\n".join([f"{world} ranks ended with {codes} (None: stopped from here)", *logs])


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """world -> what each of its ranks found; every world is started once."""

    @functools.cache
    def run(world: int) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp(f"world{world}")
        return run_ranks(world, folder), folder

    @functools.cache
    def load(path: Path) -> dict[str, Any]:
        return torch.load(path, weights_only=True)

    def found(world: int) -> list[dict[str, Any]]:
        problem, folder = run(world)
        if problem:
            pytest.fail(problem, pytrace=False)
        return [load(folder / f"rank{r}.pt") for r in range(world)]

    return found


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The same runs in one process with the whole batch, whose examples torchnoise numbers by itself.

    "quiet" is without noise on gradients, so that those that reach the optimizer are seen without it.
    """
    return {
        "frozen": worker.run(worker.Net(), worker.FROZEN, 3),
        "training": worker.run(worker.Net(), worker.TRAINING, 6),
        "quiet": worker.run(worker.Net(), worker.FROZEN, 3, plan=tn.Plan(*worker.PLAN.injections[:3])),
        "bare": worker.bare(worker.Net()),
    }


def noised_alone(gradients: list[dict[str, Tensor]], plan: tn.Plan) -> list[dict[str, Tensor]]:
    """What one process makes of these gradients, step by step, at the optimizer."""
    net = worker.Net()
    opt = torch.optim.SGD(net.parameters(), **worker.FROZEN)
    made = []
    with tn.attach(net, plan, seed=worker.SEED, optimizer=opt):
        for of_step in gradients:
            for n, p in net.named_parameters():
                p.grad = of_step[n].clone()
            opt.step()
            made.append(worker.gradients(net))
    return made


def drawn_on_gradients(steps: int) -> list[dict[str, Tensor]]:
    """The noise on gradients of PLAN, which is what one process makes of zero gradients."""
    zero = {n: torch.zeros_like(p) for n, p in worker.Net().named_parameters()}
    drawn = noised_alone([zero] * steps, tn.Plan(worker.PLAN.injections[3]))
    everything = torch.cat([v.flatten() for step in drawn for v in step.values()])
    assert 0.07 < everything.std().item() < 0.11  # 0.1, 0.083, 0.074 in steps 0, 1, 2
    return drawn


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    """The same names with the same bits."""
    assert ours.keys() == theirs.keys()
    differ = [n for n in ours if not torch.equal(ours[n], theirs[n])]
    assert not differ


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for n in ours:
        torch.testing.assert_close(ours[n], theirs[n], msg=f"{n}: {ours[n]} is not close to {theirs[n]}", **CLOSE)


# -- DDP --------------------------------------------------------------------------------------------------------------


@worlds
@pytest.mark.parametrize("kind", ["frozen", "parts"])
def test_numbered_examples_have_the_noise_of_one_process(ranks: Any, alone: Any, world: int, kind: str) -> None:
    """The same ids draw the same noise on inputs and activations, in any layout over ranks (10 on 4: 3, 3, 2, 2) and
    micro-batches; "stem" is exact, its rms included, "one" and "two" lie behind matrix products.

    Red: numbering by the place in the rank's own batch instead of the ids.
    """
    sizes = [[len(s["mine"]) for s in found[kind]["steps"]] for found in ranks(world)]
    assert [sum(one) for one in zip(*sizes, strict=True)] == list(worker.SIZES)
    if world == 4:
        assert [one[-1] for one in sizes] == [3, 3, 2, 2]
    for found in ranks(world):
        for here, there in zip(found[kind]["steps"], alone["frozen"]["steps"], strict=True):
            mine = {k: v[here["mine"]] for k, v in there["seen"].items()}
            assert_equal({k: here["seen"][k] for k in ("inputs", "stem")}, {k: mine[k] for k in ("inputs", "stem")})
            assert_close(here["seen"], mine)


@worlds
def test_the_drawn_noise_has_the_bits_of_one_process_behind_products_too(ranks: Any, alone: Any, world: int) -> None:
    """Noise that replaces what it meets shows its own bits, at every site and in both calls of a module.

    Red: the numbers of examples moved by the rank, although they were given.
    """
    whole = alone["bare"]["seen"]
    assert not torch.equal(whole["one"][:, :3], whole["two"])  # two calls of one module
    for found in ranks(world):
        here, names = found["bare"], ("stem", "one", "two", "out")
        assert_equal({k: here["seen"][k] for k in names}, {k: whole[k][here["mine"]] for k in names})


@worlds
def test_weight_noise_is_that_of_one_process_on_every_rank(ranks: Any, alone: Any, world: int) -> None:
    """One draw a step, whatever part of the batch a rank has.

    Red: the place of weights in the stream moved by the rank; the step left out of their address.
    """
    clean = {n: m.weight.detach() for n, m in worker.Net().named_children() if isinstance(m, worker.Seen)}
    steps = alone["frozen"]["steps"]
    for n in clean:
        assert not torch.equal(steps[0]["weights"][n], clean[n])
        assert not torch.equal(steps[0]["weights"][n], steps[1]["weights"][n])
    for found in ranks(world):
        for here, there in zip(found["frozen"]["steps"], steps, strict=True):
            assert_equal(here["weights"], there["weights"])


@worlds
def test_gradient_noise_comes_once_and_after_the_reduction(ranks: Any, alone: Any, world: int) -> None:
    """What arrives from DDP is the clean mean; what the optimizer gets is that plus one process' noise, bit for bit,
    equal on all ranks: so its variance is not divided by their number.

    Red: noise added by hooks on the parameters' gradients, which fire before the reduction.
    """
    drawn = drawn_on_gradients(3)
    for found in ranks(world):
        for step, here in enumerate(found["frozen"]["steps"]):
            assert_close(here["reduced"], alone["quiet"]["steps"][step]["reduced"])
            assert_equal(here["noised"], {n: g + drawn[step][n] for n, g in here["reduced"].items()})
            assert_equal(here["noised"], ranks(world)[0]["frozen"]["steps"][step]["noised"])


@worlds
def test_training_ends_with_equal_ranks_at_the_parameters_of_one_process(ranks: Any, alone: Any, world: int) -> None:
    """Six steps of SGD with momentum and clipping, on batches of 8, 9 and 10.

    Red: the place of weights in the stream moved by the rank; examples numbered by their place in the rank's batch.
    """
    clean = worker.run(worker.Net(), worker.TRAINING, 6, plan=tn.Plan())
    for n, v in alone["training"]["final"].items():
        assert (v - clean["final"][n]).abs().max() > 1000 * CLOSE["atol"], "the noise is too weak to be missed"
    for found in ranks(world):
        assert_equal(found["training"]["final"], ranks(world)[0]["training"]["final"])
        assert_close(found["training"]["final"], alone["training"]["final"])


@worlds
def test_attached_before_and_after_wrapping_is_the_same(ranks: Any, world: int) -> None:
    """DistributedDataParallel is looked through: neither names nor the noise's place change with the order.

    Red: unwrap() that stops at DistributedDataParallel: names begin with "module.", and no rank gets past attach().
    """
    for found in ranks(world):
        assert_equal(found["before"]["final"], found["training"]["final"])
        for here, there in zip(found["before"]["steps"], found["training"]["steps"], strict=True):
            assert_equal(here["seen"], there["seen"])
            assert_equal(here["noised"], there["noised"])


@worlds
def test_without_ids_ranks_draw_their_own_noise(ranks: Any, world: int) -> None:
    """Ranks that were given the same examples without numbers, or one rank twice in one step, draw different noise on
    inputs and activations; noise on weights stays one draw a step on all ranks.

    Red: every rank numbering its examples from 0.
    """
    everyone = [found["unnumbered"] for found in ranks(world)]
    draws = [forward["seen"]["inputs"] for found in everyone for forward in found]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert (one == other).float().mean() < 0.01
    stems = [found[0]["seen"]["stem"] for found in everyone]
    assert all(not torch.equal(one, other) for i, one in enumerate(stems) for other in stems[:i])
    for found in everyone:
        for here, there in zip(found, everyone[0], strict=True):
            assert_equal(here["weights"], there["weights"])
        assert_equal(found[0]["weights"], found[1]["weights"])
        assert not torch.equal(found[1]["weights"]["first"], found[2]["weights"]["first"])


@worlds
def test_ranks_keep_their_own_noise_when_attached_early_and_when_resumed(ranks: Any, world: int) -> None:
    """Attached before init_process_group, and with the state that rank 0 saved, ranks still draw their own noise; and a
    resumed step draws what it drew.

    Red, as it was at first: the rank was asked for when the step began, and its place was stored with the run.
    """
    everyone = [found["early"] for found in ranks(world)]
    for step in range(4):
        draws = [drawn[step] for drawn in everyone]
        assert all(not torch.equal(one, other) for i, one in enumerate(draws) for other in draws[:i])
    for drawn in everyone:
        assert torch.equal(drawn[1], drawn[3])
        assert not torch.equal(drawn[1], drawn[2])


# -- FSDP2 ------------------------------------------------------------------------------------------------------------


@layouts
def test_sharded_weights_get_the_noise_of_one_process(ranks: Any, alone: Any, layout: str) -> None:
    """The gathered weights that a forward computes with have one process' noise, in shards of rows and of columns; the
    noise on inputs and activations is one process' too.

    Red: the place of weights in the stream moved by the rank.
    """
    for found in ranks(2):
        steps = found["sharded"][layout]["frozen"]["steps"]
        for here, there in zip(steps, alone["frozen"]["steps"], strict=True):
            assert_equal(here["weights"], there["weights"])
            mine = {k: v[here["mine"]] for k, v in there["seen"].items()}
            assert_equal({k: here["seen"][k] for k in ("inputs", "stem")}, {k: mine[k] for k in ("inputs", "stem")})
            assert_close(here["seen"], mine)


def cut(whole: Tensor, name: str, layout: str, rank: int) -> Tensor:
    """The part of a tensor that FSDP2 gives to one rank of two: chunks of rows, or of columns where it may."""
    axis = 1 if layout == "columns" and name == "first.weight" else 0
    parts = whole.chunk(2, axis)
    return parts[rank] if rank < len(parts) else whole[:0]


@layouts
def test_gradient_noise_on_a_shard_is_its_slice_of_the_logical_noise(ranks: Any, alone: Any, layout: str) -> None:
    """Each rank's shard has the noise of its own rows (columns) of the parameter: 5, 3 and 1 rows on 2 ranks, vectors,
    and a rank without any row, which is not told that no noise entered.

    Red: `first` ignored, so that every shard begins at element 0; `first` counted in rows instead of elements;
    a rank that takes its empty shard for a site that never ran, and stops on the warning.
    """
    drawn = drawn_on_gradients(3)
    empty = 0
    for rank, found in enumerate(ranks(2)):
        for step, here in enumerate(found["sharded"][layout]["frozen"]["steps"]):
            assert_close(here["reduced"], alone["quiet"]["steps"][step]["reduced"])
            expected = {n: g + drawn[step][n] for n, g in here["reduced"].items()}
            assert_equal(here["local"], {n: cut(v, n, layout, rank) for n, v in expected.items()})
            assert_equal(here["noised"], expected)
            empty += sum(v.numel() == 0 for v in here["local"].values())
    assert empty, "no rank has an empty shard"


@layouts
def test_magnitudes_of_the_whole_tensor_are_measured_over_all_shards(ranks: Any, layout: str) -> None:
    """relative_to="rms" on sharded gradients is relative to the rms of the whole parameter's gradient, to the bit.

    Red: shards injected on their own, each with its own rms.
    """
    for rank, found in enumerate(ranks(2)):
        steps = found["sharded"][layout]["relative"]["steps"]
        expected = noised_alone([s["reduced"] for s in steps], worker.RELATIVE)
        for here, there in zip(steps, expected, strict=True):
            assert any(not torch.equal(here["reduced"][n], here["noised"][n]) for n in there)
            assert_equal(here["noised"], there)
            assert_equal(here["local"], {n: cut(v, n, layout, rank) for n, v in there.items()})


@layouts
def test_sharded_training_ends_at_the_parameters_of_one_process(ranks: Any, alone: Any, layout: str) -> None:
    """Six steps of SGD with momentum and clipping under fully_shard, compared as gathered parameters.

    Red: `first` ignored on shards; the place of weights in the stream moved by the rank.
    """
    for found in ranks(2):
        final = found["sharded"][layout]["training"]["final"]
        assert_close(final, alone["training"]["final"])
        assert_equal(final, ranks(2)[0]["sharded"][layout]["training"]["final"])


def test_a_sharded_model_keeps_its_state_dict(ranks: Any) -> None:
    """Attached, trained and detached, the model has the keys and values that fully_shard gave it (law 2 on shards).

    Red: the noisy weight registered as a buffer of its module.
    """
    for found in ranks(2):
        state = found["sharded"]["state"]
        assert state["clean"] == state["attached"] == state["detached"] == worker.keys(worker.Net())
        assert_equal(state["values"], state["then"])


def test_every_layout_of_a_gradient_gets_the_same_noise(ranks: Any) -> None:
    """Rows, columns, replicas, summands, HSDP, blocks, FSDP of tensor-parallel rows, strided rows, on 4 ranks; noise
    that is absolute, relative to the whole, on some dims, and masked.

    Red, as they were at first: summands were each given the whole gradient, which came out four times too large;
    strided rows were given their neighbours' gradients; a mask was held against a shard; of empty shards it was said
    that no noise entered. Red too: `first` ignored.
    """
    held = torch.nn.Module()
    expected = {}
    for i, shape in enumerate(worker.SHAPES):
        held.register_parameter(f"p{i}", torch.nn.Parameter(torch.zeros(shape)))
    opt = torch.optim.SGD(held.parameters(), **worker.FROZEN)
    for kind, plan in worker.ON_GRADIENTS.items():
        for i, p in enumerate(held.parameters()):
            p.grad = worker.logical(i)
        with tn.attach(held, plan, seed=worker.SEED, optimizer=opt) as noise:
            noise.gradients()
        expected[kind] = worker.gradients(held)
    for found in ranks(4):
        assert len(found["layouts"]) == 9 * len(expected)
        for name, given in found["layouts"].items():
            kind = name.rpartition(", ")[2]
            wrong = [n for n, g in given.items() if not torch.equal(g, expected[kind][n])]
            assert not wrong, f"{name}: {wrong}"
