"""What one rank does for test_distributed.py: it runs, and writes down what it saw; it judges nothing.

Started as `python distributed_worker.py RANK WORLD FOLDER`. The parent imports it too, for the same runs without ranks.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

import torchnoise as tn

SEED = 7
FEATURES = 6
SIZES = (8, 9, 10)  # of the global batches; on 4 ranks the last is 3, 3, 2, 2
FROZEN: dict[str, Any] = {"lr": 0.0}  # parameters stay, so that every step can be compared bit for bit
TRAINING: dict[str, Any] = {"lr": 0.05, "momentum": 0.9}

PLAN = tn.Plan(
    tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()),
    tn.Injection(tn.Gaussian(0.2, relative_to="rms"), at=tn.Activations("stem", "act")),
    tn.Injection(tn.Gaussian(0.1, relative_to="rms"), at=tn.Weights()),
    tn.Injection(tn.Gaussian(1.0), at=tn.Gradients(), when=tn.power_decay(eta=0.01, gamma=0.55)),
)
# What is replaced is the noise alone: its bits can be compared behind products that round differently
BARE = tn.Plan(tn.Injection(tn.Gaussian(1.0, combine="replace"), at=tn.Activations("stem", "act", "third")))
RELATIVE = tn.Plan(tn.Injection(tn.Gaussian(0.5, relative_to="rms"), at=tn.Gradients()))


class Seen(nn.Linear):
    """A Linear that writes down the weight it computes with."""

    def forward(self, x: Tensor) -> Tensor:
        self.used = self.weight.detach().clone()
        return super().forward(x)


class Stem(nn.Module):
    """Exact operations, element by element: the same bits in a batch of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, FEATURES))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.gain).relu()


class Net(nn.Module):
    """6 -> 5 -> 3 -> 1: rows that neither 2 nor 4 ranks share evenly, a single row too, and vectors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = Stem()
        self.first, self.second, self.third = Seen(FEATURES, 5), Seen(5, 3), Seen(3, 1)
        self.act = nn.ReLU()
        self.seen: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        one = self.act(self.first(stem))
        two = self.act(self.second(one))
        out = self.third(two)
        self.seen = {
            k: v.detach().clone() for k, v in {"inputs": x, "stem": stem, "one": one, "two": two, "out": out}.items()
        }
        return out

    def weights(self) -> dict[str, Tensor]:
        """The weights that the last forward computed with."""
        return {n: m.used for n, m in self.named_children() if isinstance(m, Seen)}


def batch(step: int) -> tuple[Tensor, Tensor]:
    """The global batch of a step: x [B, 6], y [B, 1]."""
    g = torch.Generator().manual_seed(100 + step)
    size = SIZES[step % len(SIZES)]
    return torch.randn(size, FEATURES, generator=g), torch.randn(size, 1, generator=g)


def whole(x: Any) -> Tensor:
    """A copy of a tensor, gathered where it is in shards."""
    return (x.full_tensor() if hasattr(x, "full_tensor") else x).detach().clone()


def gradients(net: nn.Module) -> dict[str, Tensor]:
    return {n: whole(p.grad) for n, p in net.named_parameters()}


def run(
    net: Any,
    how: dict[str, Any],
    steps: int,
    *,
    wrap: Any = None,
    before: bool = False,
    rank: int = 0,
    world: int = 1,
    parts: int = 1,
    plan: tn.Plan = PLAN,
) -> dict[str, Any]:
    """Train a net for some steps, and say what was seen in each and which parameters came out.

    wrap: what makes DDP of it, after noise was attached or `before`. A rank takes every world-th example, as
    DistributedSampler does, in so many `parts`, and numbers them; one process leaves that to torchnoise.
    """
    model = wrap(net) if wrap is not None and not before else net
    opt = torch.optim.SGD(net.parameters(), **how)
    noise = tn.attach(model, plan, seed=SEED, optimizer=opt)
    if before:
        model = wrap(net)
    records = []
    for step in range(steps):
        x, y = batch(step)
        mine = torch.arange(len(x))[rank::world]
        seen: list[dict[str, Tensor]] = []
        pieces = mine.chunk(parts)
        for piece in pieces:
            if world > 1:
                noise.examples(piece)
            last = piece is pieces[-1]
            with contextlib.nullcontext() if last or world == 1 else model.no_sync():
                out = model(x[piece])
                # DDP and FSDP take the mean over ranks: so it is the mean over the global batch
                ((out - y[piece]).square().sum() * world / len(x)).backward()
            seen.append(net.seen)
        record = {k: torch.cat([s[k] for s in seen]) for k in seen[0]}
        if how is TRAINING:
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        reduced = gradients(net)
        opt.step()
        records.append(
            {"mine": mine, "seen": record, "weights": net.weights(), "reduced": reduced, "noised": gradients(net)}
        )
        if hasattr(next(net.parameters()), "to_local"):
            records[-1]["local"] = {n: p.grad.to_local().clone() for n, p in net.named_parameters()}
        opt.zero_grad()
    final = {n: whole(p) for n, p in net.named_parameters()}
    noise.detach()
    return {"steps": records, "final": final}


def bare(net: Any, wrap: Any = None, rank: int = 0, world: int = 1) -> dict[str, Any]:
    """The drawn noise itself at three sites, the second of which runs twice."""
    model = wrap(net) if wrap else net
    x, _ = batch(2)
    mine = torch.arange(len(x))[rank::world]
    with torch.no_grad(), tn.attach(model, BARE, seed=SEED) as noise:
        if world > 1:
            noise.examples(mine)
        model(x[mine])
    return {"mine": mine, "seen": net.seen}


def unnumbered(net: Any, wrap: Any) -> list[dict[str, Any]]:
    """Two forwards in each of two steps, of the same examples on every rank, whose numbers nobody gave."""
    model = wrap(net)
    x, _ = batch(0)
    found = []
    plan = tn.Plan(*PLAN.injections[:3])
    with tn.attach(model, plan, seed=SEED) as noise:
        for _ in range(2):
            for _ in range(2):
                model(x)
                found.append({"seen": net.seen, "weights": net.weights()})
            noise.step()
    return found


Early = tuple[nn.Module, tn.Attachment]


def attached_early() -> Early:
    """A model with noise on its inputs, attached while there are no ranks yet."""
    model = nn.Identity()
    return model, tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs()), seed=SEED)


def early_and_resumed(model: nn.Module, noise: tn.Attachment) -> list[Tensor]:
    """The noise of its first step; of the next, in two forwards; of that again after rank 0's state is loaded."""
    x = torch.zeros(4, FEATURES)
    drawn = [model(x)]
    noise.step()
    state = [noise.state_dict()]
    dist.broadcast_object_list(state, src=0)
    drawn += [model(x), model(x)]
    noise.load_state_dict(state[0])
    return [*drawn, model(x)]


# -- shards -----------------------------------------------------------------------------------------------------------


def by_rows(net: Net, mesh: Any) -> Any:
    """FSDP2 as one writes it: the layers, then the model."""
    from torch.distributed.fsdp import fully_shard

    for layer in (net.first, net.second):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def by_columns(net: Net, mesh: Any) -> Any:
    """FSDP2 that shards matrices along their columns, where there are as many for each rank."""
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import Shard

    def place(p: Tensor) -> Any:
        return Shard(1) if p.dim() == 2 and p.shape[1] % mesh.size() == 0 else None

    return fully_shard(net, mesh=mesh, shard_placement_fn=place)


def keys(net: nn.Module) -> list[str]:
    return list(net.state_dict())


def sharded(mesh: Any, rank: int, world: int) -> dict[str, Any]:
    """FSDP2, over the layouts that it offers."""
    share: dict[str, Any] = {"rank": rank, "world": world}
    found: dict[str, Any] = {}
    for name, shard in (("rows", by_rows), ("columns", by_columns)):
        found[name] = {
            "frozen": run(shard(Net(), mesh), FROZEN, 3, **share),
            "training": run(shard(Net(), mesh), TRAINING, 6, **share),
            "relative": run(shard(Net(), mesh), FROZEN, 2, plan=RELATIVE, **share),
        }
    net = by_rows(Net(), mesh)
    clean = net.state_dict()
    values = {n: whole(v) for n, v in clean.items()}
    opt = torch.optim.SGD(net.parameters(), **FROZEN)
    with tn.attach(net, PLAN, seed=SEED, optimizer=opt):
        x, _ = batch(0)
        net(x[rank::world]).sum().backward()
        opt.step()
        attached = net.state_dict()
        found["state"] = {"clean": list(clean), "attached": list(attached), "values": values}
        found["state"]["then"] = {n: whole(v) for n, v in attached.items()}
    found["state"]["detached"] = list(net.state_dict())
    return found


ON_GRADIENTS = {
    "absolute": tn.Plan(tn.Injection(tn.Gaussian(0.5), at=tn.Gradients())),
    "relative": RELATIVE,
    "some dims": tn.Plan(tn.Injection(tn.Gaussian(0.5), at=tn.Gradients("p0"), dims=(0, 3), axis=0)),
    "masked": tn.Plan(tn.Injection(tn.Gaussian(0.5), at=tn.Gradients("p0"), mask=lambda _: torch.eye(5, 6).bool())),
}
SHAPES = ((5, 6), (7,), (1, 3), (8, 4), (3, 2, 3))


def logical(number: int) -> Tensor:
    """The gradient, as one process has it, of parameter `number`."""
    return torch.randn(SHAPES[number], generator=torch.Generator().manual_seed(number))


def layouts() -> dict[str, Any]:
    """Noise on gradients in layouts that FSDP2, HSDP and tensor parallelism make of them, on 4 ranks."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.placement_types import _StridedShard

    line = init_device_mesh("cpu", (4,))
    square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "b"))
    table: dict[str, tuple[Any, list[Any]]] = {
        "rows": (line, [Shard(0)]),
        "columns": (line, [Shard(1)]),
        "replicated": (line, [Replicate()]),
        "partial": (line, [Partial()]),
        "HSDP": (square, [Replicate(), Shard(0)]),
        "rows of rows": (square, [Shard(0), Shard(0)]),
        "blocks": (square, [Shard(0), Shard(1)]),
        "FSDP of TP": (square, [_StridedShard(0, split_factor=2), Shard(0)]),
        "strided rows": (line, [_StridedShard(0, split_factor=2)]),
    }
    found: dict[str, Any] = {}
    for name, (mesh, places) in table.items():
        held = nn.Module()
        axes = max((p.dim for p in places if isinstance(p, Shard)), default=0)
        for i, shape in enumerate(SHAPES):
            if len(shape) <= axes:
                continue
            plain = [Replicate() if isinstance(p, Partial) else p for p in places]
            held.register_parameter(
                f"p{i}", nn.Parameter(distribute_tensor(torch.zeros(shape), mesh, plain, src_data_rank=None))
            )
        for kind, plan in ON_GRADIENTS.items():
            for n, p in held.named_parameters():
                g = logical(int(n[1:]))
                if "partial" in name:  # each rank holds a summand
                    p.grad = DTensor.from_local(g / mesh.size(), mesh, places)
                else:
                    p.grad = distribute_tensor(g, mesh, places, src_data_rank=None)
            opt = torch.optim.SGD(held.parameters(), **FROZEN, foreach=False)
            with tn.attach(held, plan, seed=SEED, optimizer=opt):
                opt.step()
            found[f"{name}, {kind}"] = gradients(held)
    return found


# -- a rank -----------------------------------------------------------------------------------------------------------


def findings(rank: int, world: int, early: Early) -> dict[str, Any]:
    """All that one rank has to tell."""
    ddp = nn.parallel.DistributedDataParallel
    share: dict[str, Any] = {"rank": rank, "world": world}
    found: dict[str, Any] = {
        "frozen": run(Net(), FROZEN, 3, wrap=ddp, **share),
        "training": run(Net(), TRAINING, 6, wrap=ddp, **share),
        "before": run(Net(), TRAINING, 6, wrap=ddp, before=True, **share),
        "parts": run(Net(), FROZEN, 3, wrap=ddp, parts=2, **share),
        "bare": bare(Net(), ddp, **share),
        "unnumbered": unnumbered(Net(), ddp),
        "early": early_and_resumed(*early),
    }
    if world == 2:
        from torch.distributed.device_mesh import init_device_mesh

        found["sharded"] = sharded(init_device_mesh("cpu", (world,)), rank, world)
    else:
        found["layouts"] = layouts()
    return found


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error", tn.NoEffectWarning)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    early = attached_early()
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meet'}",
        rank=rank,
        world_size=world,
        timeout=datetime.timedelta(seconds=60),
    )
    try:
        torch.save(findings(rank, world, early), folder / f"rank{rank}.pt")
        dist.barrier()
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
