"""The operation inside torch: its registration, gradients, transforms, autocast, graphs, memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from cases import same
from draws import DTYPES, at, call, slow
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, jacrev, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.library import opcheck

import torchnoise as tn
from torchnoise import operation
from torchnoise.inject import inject
from torchnoise.noise import RandomNoise
from torchnoise.oracle import Static
from torchnoise.streams import Address

NOISES: list[RandomNoise] = [
    tn.Gaussian(0.3),
    tn.Gaussian(0.3, combine="multiply"),
    tn.Gaussian(0.3, combine="replace"),
    tn.Uniform(0.3, combine="multiply"),
    tn.Bernoulli(0.3),
    tn.Bernoulli(0.3, value=2.0),
    tn.Bernoulli(0.3, combine="add", value=0.5),
    tn.Bernoulli(0.3, combine="replace", value=2.0),
]
noises = pytest.mark.parametrize("noise", NOISES, ids=str)
# a factor that is drawn whole has nothing that a scale could scale
scaled = pytest.mark.parametrize("noise", [n for n in NOISES if not (n.has_hits and n.combine == "multiply")], ids=str)


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_inject(x: Tensor, noise: RandomNoise, address: Address, scale: Tensor | None = None, keep=None) -> Tensor:
    static = Static(noise, noise.combine, 0)
    return inject(x, static, torch.tensor(noise.strength), address, scale, keep)


def by_operation(x: Tensor, noise: RandomNoise, address: Address, scale: Tensor | None = None, keep=None) -> Tensor:
    static = Static(noise, noise.combine, 0)
    return operation.inject(x, static, torch.tensor(noise.strength), address, scale, keep)


doors = pytest.mark.parametrize("enter", [by_inject, by_operation], ids=["inject", "operation"])


# -- registration ------------------------------------------------------------------------------------------------------


def arguments(noise: RandomNoise, x: Tensor, scale: Tensor | None, keep: Tensor | None, axis: int | None) -> tuple:
    address = at(1 if axis is None else x.shape[axis])
    return (x, scale, torch.tensor(0.3), keep, *address, noise.token, noise.combine, axis, 0)


@pytest.mark.parametrize("case", ["plain", "gradients", "learned", "masked", "half", "strided", "empty", "no axes"])
def test_opcheck(case: str) -> None:
    """torch's own checks: the schema, that nothing is written to, fake tensors, autograd, tracing by AOTAutograd."""
    multiply = tn.Gaussian(0.3, combine="multiply")
    learned = numbers(5, seed=1).requires_grad_()
    given = {
        "plain": arguments(tn.Gaussian(0.3), numbers(3, 5), None, None, 0),
        "gradients": arguments(tn.Bernoulli(0.3), numbers(3, 5).requires_grad_(), None, None, 0),
        "learned": arguments(multiply, numbers(3, 5).requires_grad_(), learned, None, 0),
        "masked": arguments(multiply, numbers(3, 5).requires_grad_(), None, numbers(3, 1) > 0, None),
        "half": arguments(tn.Uniform(0.3), numbers(3, 5).to(torch.bfloat16).requires_grad_(), None, None, 1),
        "strided": arguments(tn.Gaussian(0.3), numbers(4, 3, 5).transpose(0, 2), None, None, 1),
        "empty": arguments(tn.Gaussian(0.3), numbers(0, 5).requires_grad_(), None, None, 0),
        "no axes": arguments(tn.Gaussian(0.3), numbers().requires_grad_(), None, None, None),
    }
    opcheck(torch.ops.torchnoise.inject.default, given[case])


@noises
def test_the_operation_is_the_same_noise(noise: RandomNoise) -> None:
    """Also for the token of a noise that only its text names."""
    x = numbers(3, 50)
    wanted = slow(call(x, noise))
    assert same(by_inject(x, noise, at(3)), wanted)
    assert same(by_operation(x, noise, at(3)), wanted)
    kind = operation._known.pop(noise.token)
    try:
        assert same(by_operation(x, noise, at(3)), wanted)
    finally:
        operation._known[noise.token] = kind


# -- gradients ---------------------------------------------------------------------------------------------------------


@doors
@noises
def test_gradients(noise: RandomNoise, enter: Callable) -> None:
    """First and second derivatives with respect to x, against differences, in float64.

    Broken on purpose: a backward at another address; "replace" whose gradient is 1 where it replaced.
    """
    x = numbers(3, 5, dtype=torch.float64).requires_grad_()
    for keep in (None, numbers(3, 5, seed=2) > -1):
        run = partial(enter, noise=noise, address=at(3), keep=keep)
        assert gradcheck(run, (x,))
        assert gradgradcheck(run, (x,))


@doors
@scaled
def test_gradients_beside_a_fixed_scale(noise: RandomNoise, enter: Callable) -> None:
    """A scale that was measured, or learned and then frozen, goes into the gradient with respect to x where it counts.

    Broken on purpose: a backward without the scale.
    """
    x = numbers(3, 5, dtype=torch.float64).requires_grad_()
    run = partial(enter, noise=noise, address=at(3), scale=numbers(5, seed=1).abs() + 0.1)
    assert gradcheck(run, (x,))
    assert gradgradcheck(run, (x,))


@doors
@scaled
@pytest.mark.parametrize("shape", [(), (5,), (3, 1), (3, 5)], ids=str)
def test_gradients_of_a_learned_scale(noise: RandomNoise, shape: tuple[int, ...], enter: Callable) -> None:
    """With respect to x and scale, and their second derivatives; also where x needs no gradient.

    Broken on purpose: the gradient of the scale times x under "add"; an erased gradient that depends on the scale.
    """
    x = numbers(3, 5, dtype=torch.float64).requires_grad_()
    scale = (numbers(*shape, seed=1, dtype=torch.float64).abs() + 0.1).requires_grad_()
    for keep in (None, numbers(3, 5, seed=2) > -1):
        run = partial(scaled_first, enter, noise=noise, address=at(3), keep=keep)
        assert gradcheck(run, (scale, x))
        assert gradgradcheck(run, (scale, x))
        assert gradcheck(partial(run, x=x.detach()), (scale,))


def scaled_first(enter: Callable, scale: Tensor, x: Tensor, **more) -> Tensor:
    return enter(x, scale=scale, **more)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@scaled
def test_gradients_of_every_dtype(noise: RandomNoise, dtype: torch.dtype) -> None:
    """Through both doors alike, in x's dtype and in the scale's."""
    found = []
    for enter in (by_inject, by_operation):
        x, scale = numbers(3, 50).to(dtype).requires_grad_(), numbers(50, seed=1).abs().requires_grad_()
        enter(x, noise, at(3), scale).square().sum().backward()
        assert x.grad is not None
        assert scale.grad is not None
        assert (x.grad.dtype, scale.grad.dtype) == (dtype, torch.float32)
        found.append((x.grad, scale.grad))
    assert same(found[0][0], found[1][0])
    assert same(found[0][1], found[1][1])


def test_no_gradient_where_none_is_asked() -> None:
    x = numbers(3, 5).requires_grad_()
    multiply = tn.Gaussian(0.3, combine="multiply")
    with torch.no_grad():
        assert not by_inject(x, multiply, at(3)).requires_grad
        assert not by_inject(x, multiply, at(3), numbers(5).requires_grad_()).requires_grad
    with torch.inference_mode():
        assert same(by_inject(x, multiply, at(3)), slow(call(x.detach(), multiply)))
    out = by_inject(x.detach(), multiply, at(3), numbers(5).requires_grad_())
    assert out.requires_grad


def test_forward_mode_is_right_or_refused() -> None:
    """A tangent must not be lost on the way in silence."""
    noise = tn.Gaussian(0.3, combine="multiply")
    x = numbers(3, 5)
    with forward_ad.dual_level():
        try:
            out = by_inject(forward_ad.make_dual(x, torch.ones(3, 5)), noise, at(3))
        except (NotImplementedError, RuntimeError):
            return
        tangent = forward_ad.unpack_dual(out).tangent
    assert tangent is not None
    assert same(tangent, slow(call(torch.ones(3, 5), noise)))


@pytest.mark.parametrize("what", ["keep", "strength", "step", "key", "examples", "scale"])
def test_what_backward_needs_may_not_change(what: str) -> None:
    """Written to between forward and backward, an operand is refused, or the gradient is still the forward's.

    Broken on purpose: operands kept beside autograd's saved tensors, which would notice.
    """
    noise = tn.Gaussian(0.3, combine="multiply")
    x = torch.ones(3, 5, requires_grad=True)
    address, strength, keep, scale = at(3), torch.tensor(0.3), torch.ones(3, 1, dtype=torch.bool), torch.ones(3, 1)
    out = inject(x, Static(noise, "multiply", 0), strength, address, scale, keep)
    wanted = out.detach().clone()  # the factor, since x is 1
    given = {"keep": keep, "strength": strength, "step": address.step, "key": address.key}
    given |= {"examples": address.examples, "scale": scale}
    given[what].copy_(given[what].logical_not() if what == "keep" else given[what] + 1)
    try:
        out.sum().backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)  # noqa: PT017
    else:
        assert x.grad is not None
        assert same(x.grad, wanted)


# -- torch.func --------------------------------------------------------------------------------------------------------

XS = numbers(4, 3, 5)
MAPPED: dict[str, Tensor] = {
    "key": torch.arange(8).reshape(4, 2),
    "step": torch.arange(4),
    "examples": torch.arange(12).reshape(4, 3),
    "strength": numbers(4, seed=3).abs(),
    "scale": numbers(4, 5, seed=4).abs(),
    "keep": numbers(4, 3, 5, seed=5) > 0,
}


def with_one(noise: RandomNoise, x: Tensor, name: str = "", value: Tensor | None = None) -> Tensor:
    """Noise where one operand is given and the others are the usual ones."""
    given = {"strength": torch.tensor(noise.strength), "scale": None, "keep": None, **at(3)._asdict()}
    if name:
        given[name] = value
    address = Address(given["key"], given["step"], given["examples"])
    static = Static(noise, noise.combine, 0)
    return inject(x, static, given["strength"], address, given["scale"], given["keep"])


@noises
def test_vmap(noise: RandomNoise) -> None:
    """What a loop over the mapped axis gives, whichever axis it is, and nested."""
    loop = torch.stack([with_one(noise, x) for x in XS])
    assert same(vmap(lambda x: with_one(noise, x))(XS), loop)
    assert same(vmap(lambda x: with_one(noise, x), in_dims=2)(XS.movedim(0, 2)), loop)
    assert same(vmap(lambda x: with_one(noise, x), out_dims=1)(XS), loop.movedim(0, 1))
    nested = vmap(vmap(lambda x: with_one(noise, x)))(torch.stack([XS, XS + 1]))
    assert same(nested[0], loop)
    assert same(nested[1], torch.stack([with_one(noise, x) for x in XS + 1]))


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("also_x", [True, False], ids=["x too", "alone"])
def test_vmap_over_any_operand(name: str, also_x: bool) -> None:
    """Such as keys, for several draws of one tensor, along any axis. Broken on purpose: a key's stride forgotten."""
    noise, values = tn.Gaussian(0.3), MAPPED[name]
    xs = XS if also_x else XS[:1].expand(4, 3, 5)
    loop = torch.stack([with_one(noise, x, name, v) for x, v in zip(xs, values, strict=True)])
    for axis in range(values.dim()):
        moved = values.movedim(0, axis).contiguous()
        if also_x:
            found = vmap(lambda x, v: with_one(noise, x, name, v), in_dims=(0, axis))(xs, moved)
        else:
            found = vmap(lambda v: with_one(noise, xs[0], name, v), in_dims=axis)(moved)
        assert same(found, loop)


def test_vmap_over_nothing() -> None:
    """A mapped axis of no entries is refused by torch or gives none."""
    assert vmap(lambda x: with_one(tn.Gaussian(0.3), x))(XS[:0]).shape == (0, 3, 5)


@noises
def test_grad(noise: RandomNoise) -> None:
    """torch.func's gradients are autograd's, and vmap maps over them: per-example gradients."""

    def objective(x: Tensor) -> Tensor:
        return with_one(noise, x).square().sum()

    loop = []
    for x in XS:
        leaf = x.clone().requires_grad_()
        objective(leaf).backward()
        loop.append(leaf.grad)
    assert same(grad(objective)(XS[0]), loop[0])
    assert same(vmap(grad(objective))(XS), torch.stack(loop))


@scaled
def test_grad_of_a_learned_scale(noise: RandomNoise) -> None:
    def objective(scale: Tensor) -> Tensor:
        return with_one(noise, XS[0], "scale", scale).square().sum()

    loop = []
    for scale in MAPPED["scale"]:
        leaf = scale.clone().requires_grad_()
        objective(leaf).backward()
        loop.append(leaf.grad)
    assert same(grad(objective)(MAPPED["scale"][0]), loop[0])
    assert same(vmap(grad(objective))(MAPPED["scale"]), torch.stack(loop))


@noises
def test_jacobians(noise: RandomNoise) -> None:
    """jacrev, and jacrev of grad, against autograd's."""
    x = XS[0]
    wanted = torch.autograd.functional.jacobian(lambda x: with_one(noise, x), x)
    assert same(jacrev(lambda x: with_one(noise, x))(x), wanted)

    def objective(x: Tensor) -> Tensor:
        return with_one(noise, x).pow(3).sum()

    second = torch.autograd.functional.hessian(objective, x)
    torch.testing.assert_close(jacrev(grad(objective))(x), second)


class Inside(nn.Module):
    """A model with noise in the middle of it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 2)
        with torch.no_grad():
            for i, parameter in enumerate(self.parameters()):
                parameter.copy_(numbers(*parameter.shape, seed=10 * seed + i))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(with_one(tn.Gaussian(0.3, combine="multiply"), h))


def test_an_ensemble_in_one_call() -> None:
    """functional_call and vmap over stacked parameters: the loop over models, up to the rounding of batched products.

    The noise itself is compared with bits above. Gradients, too.
    """
    models = [Inside(i) for i in range(3)]
    parameters, buffers = stack_module_state(models)  # type: ignore[arg-type]
    x, base = numbers(3, 4), Inside()

    def run(p: dict, b: dict) -> Tensor:
        return functional_call(base, (p, b), (x,))

    torch.testing.assert_close(vmap(run)(parameters, buffers), torch.stack([m(x) for m in models]))
    found = vmap(grad(lambda p, b: run(p, b).square().sum()))(parameters, buffers)
    for i, model in enumerate(models):
        model(x).square().sum().backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(found[name][i], parameter.grad)


def test_an_ensemble_with_noise_attached() -> None:
    """The same for a model that knows nothing of its noise."""
    models = [nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)) for _ in range(3)]
    for i, model in enumerate(models):
        with torch.no_grad():
            for j, parameter in enumerate(model.parameters()):
                parameter.copy_(numbers(*parameter.shape, seed=10 * i + j))
    parameters, _ = stack_module_state(models)  # type: ignore[arg-type]
    each = [{k: v[i] for k, v in parameters.items()} for i in range(3)]
    x, base = numbers(3, 4), models[0]
    with tn.attach(base, tn.Injection(tn.Gaussian(0.3), at=tn.Activations("1")), seed=3) as noise:

        def run(p: dict) -> Tensor:
            noise.examples(torch.arange(3))  # the same ones again, and not the next of this step
            return functional_call(base, p, (x,))

        loop = torch.stack([run(p) for p in each])
        found = vmap(run)(parameters)
    torch.testing.assert_close(found, loop)
    clean = torch.stack([functional_call(base, p, (x,)) for p in each])
    assert (loop != clean).all()


# -- autocast ----------------------------------------------------------------------------------------------------------


@doors
@noises
def test_autocast(noise: RandomNoise, enter: Callable) -> None:
    """Noise keeps the dtype that it finds, draws what it draws without autocast, and so do its gradients."""
    x, weight = numbers(3, 4), numbers(5, 4, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = nn.functional.linear(x, weight)
        found = enter(h, noise, at(3))
        wide = enter(x, noise, at(3))
    assert h.dtype == torch.bfloat16
    assert same(found, slow(call(h, noise)))
    assert same(wide, slow(call(x, noise)))

    gradients = []
    for enabled in (True, False):
        leaf = h.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            enter(leaf, noise, at(3)).sum().backward()
        gradients.append(leaf.grad)
    assert same(*gradients)


# -- graphs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("noise", [NOISES[0], NOISES[1], NOISES[4]], ids=str)
def test_one_graph(noise: RandomNoise) -> None:
    """fullgraph, one graph whatever the step and strength, outputs and gradients of the same bits.

    Broken on purpose: a step that reaches the operation as a number.
    """
    counter = CompileCounterWithBackend("aot_eager")
    static = Static(noise, noise.combine, 0)

    def run(x: Tensor, strength: Tensor, step: Tensor) -> Tensor:
        return inject(x * 2, static, strength, at(3)._replace(step=step))

    compiled = torch.compile(run, backend=counter, fullgraph=True)
    for step in range(4):
        found = []
        for function in (run, compiled):
            x = numbers(3, 50, seed=step).requires_grad_()
            out = function(x, torch.tensor(0.1 * step), torch.tensor(step))
            out.square().sum().backward()
            found.append((out.detach(), x.grad))
        assert same(found[0][0], found[1][0])
        assert same(found[0][1], found[1][1])
    assert counter.frame_count == 1


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx(mode: str) -> None:
    """One node, and a graph that draws at the address it is given."""
    noise = tn.Gaussian(0.3, combine="multiply")

    def run(x: Tensor, strength: Tensor, *address: Tensor) -> Tensor:
        return inject(x, Static(noise, "multiply", 0), strength, Address(*address))

    traced = make_fx(run, tracing_mode=mode)(numbers(3, 5), torch.tensor(0.1), *at(3))
    targets = [str(n.target) for n in traced.graph.nodes if n.op == "call_function"]
    assert targets == ["torchnoise.inject.default"]
    x = numbers(3, 5, seed=1)
    assert same(traced(x, torch.tensor(0.3), *at(3, (7, 8), 9)), slow(call(x, noise, at(3, (7, 8), 9))))


@noises
def test_fake_tensors(noise: RandomNoise) -> None:
    """Shapes, dtypes and strides without memory, backward included."""
    with FakeTensorMode():
        for dtype in DTYPES:
            x = torch.empty(3, 7, 5, dtype=dtype).transpose(1, 2).requires_grad_()
            out = by_inject(x, noise, at(3))
            assert isinstance(out, FakeTensor)
            assert (out.shape, out.dtype, out.stride()) == (x.shape, dtype, x.stride())
            out.sum().backward()
            assert x.grad is not None
            assert x.grad.shape == x.shape


@noises
def test_strides_of_the_result(noise: RandomNoise) -> None:
    """The operation promises graphs that its result lies as empty_like(x): both forms must keep that."""
    for x in (numbers(3, 7, 5).transpose(1, 2), numbers(3, 1).expand(3, 5), numbers(6, 10)[::2, ::3], numbers(5)):
        for dtype in DTYPES:
            one = call(x.to(dtype), noise)
            for found in (by_inject(one.x, noise, one.address), by_operation(one.x, noise, one.address)):
                assert found.stride() == torch.empty_like(one.x).stride()


def test_strides_of_the_slow_forms_result() -> None:
    """The same for tensors that no kernel takes."""
    ids = torch.arange(30).reshape(5, 6).T
    for x in (ids, ids[::2], ids[:, :1].expand(6, 5)):
        found = by_operation(x, tn.Bernoulli(0.5, combine="replace", value=7), at(x.shape[0]))
        assert found.stride() == torch.empty_like(x).stride()


# -- memory ------------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@doors
def test_64_megabytes_of_multiplicative_noise(enter: Callable) -> None:
    """Less than 1 KB kept for backward, and the process is not larger with the graph than without, up to 8 MB.

    Broken on purpose: a factor that is saved.
    """
    x = torch.ones(16, 1 << 20, requires_grad=True)
    noise = tn.Gaussian(0.1, combine="multiply")
    held: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        held[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    enter(x, noise, at(16)).grad_fn  # noqa: B018  everything loaded that a first call loads
    before = resident() if sys.platform == "linux" else 0
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        node = enter(x, noise, at(16)).grad_fn
    assert node is not None
    assert sum(held.values()) < 1024
    if sys.platform == "linux":
        assert resident() - before < 8 << 20
