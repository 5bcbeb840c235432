"""FGSM: against gradients by hand and the library's own noise, on inputs and on embeddings; and it leaves no trace."""

import pytest
import torch
from lab.measures.toys import Bag, Toy, images, mlp, table, texts, trained
from torch import nn

import torchnoise as tn
from torchnoise.lab.data import Data, Part
from torchnoise.lab.measures import outputs
from torchnoise.lab.measures.fgsm import OF_IMAGES, OF_RMS, attacked, fgsm_line
from torchnoise.lab.measures.places import AtEmbedding, AtInput, embedding_of


def test_a_linear_model_by_hand():
    """dL/dx of cross-entropy is W' (p - onehot), and x + eps rms sign of it is what the model must see."""
    data, test = table(features=4)
    model = Toy(lambda: nn.Linear(4, 3))
    net = model.build(0)
    weight, bias = net.weight.detach(), net.bias.detach()
    rms = float(data.train.x.square().mean().sqrt())
    line = fgsm_line(net, model, data, test)
    assert line.x == list(OF_RMS)
    for epsilon, score in zip(OF_RMS, line.y, strict=True):
        p = (test.x @ weight.T + bias).softmax(1)
        gradient = (p - nn.functional.one_hot(test.y, 3)) @ weight
        moved = test.x + epsilon * rms * gradient.sign()
        right = ((moved @ weight.T + bias).argmax(1) == test.y).double().mean()
        assert score == pytest.approx(float(right))
    assert line.y[-1] < line.y[0]


def test_a_number_by_hand():
    """The squared error's gradient points away from y; the attacked error is (|e| + eps |w|_1)^2."""
    data, test = table(features=4, classes=None)
    model = Toy(lambda: nn.Linear(4, 1))
    net = model.build(0)
    error = (net(test.x)[:, 0] - test.y).detach()
    push = float(net.weight.detach().abs().sum()) * float(data.train.x.square().mean().sqrt())
    for epsilon, score in zip(OF_RMS, fgsm_line(net, model, data, test).y, strict=True):
        wrong = (error.abs() + epsilon * push).square().mean()
        assert score == pytest.approx(1 - float(wrong / test.y.var(correction=0)), abs=1e-4)


def test_the_librarys_own_fgsm_finds_the_same():
    data, test = table()
    model = mlp(5, 3)
    net = trained(model, data)
    place = AtInput(net, model, 1.0, None)
    for epsilon in (0.1, 0.5):
        ours = attacked(place, data, test.x, test.y, [epsilon])[0]
        with tn.attach(net, tn.Injection(tn.FGSM(epsilon), at=tn.Inputs())) as noise, tn.active(net):
            noise.ascend(data.task.loss(net(test.x), test.y))
            theirs = net(test.x).detach()
        torch.testing.assert_close(ours, theirs)


def test_images_move_by_epsilon_itself_and_stay_between_0_and_1():
    data, test = images()
    seen = []

    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(80, 2)

        def forward(self, x):
            seen.append(x.detach().clone())
            return self.layer(x.flatten(1))

    model = Toy(Watch)
    line = fgsm_line(model.build(0), model, data, test)
    assert line.x == list(OF_IMAGES)
    first, *moved = seen
    for epsilon, x in zip(OF_IMAGES, moved, strict=True):
        assert 0 <= float(x.min()) <= float(x.max()) <= 1
        change = (x - first).abs()
        inside = (first > epsilon) & (first < 1 - epsilon)
        torch.testing.assert_close(change[inside], torch.full_like(change[inside], epsilon))
        assert float(change.max()) <= epsilon + 1e-6
    assert torch.equal(moved[0], test.x)


def test_embeddings_by_hand_and_padding_gets_none():
    """The bag's logits are head(sum of embeddings), so that the gradient at each token is W' (p - onehot)."""
    data, test = texts()
    model = Toy(Bag)
    net = model.build(0)
    with torch.no_grad():
        net.embedding.weight[0] = 5.0  # padding's own vector is large, so that it would be noticed
    table_of, head = net.embedding.weight.detach(), net.head
    real = data.train.x != 0
    rms = float(table_of[data.train.x[real]].square().mean().sqrt())
    assert (~real).any()
    line = fgsm_line(net, model, data, test)
    with torch.no_grad():
        p = net(test.x).softmax(1)
        sign = ((p - nn.functional.one_hot(test.y, 2)) @ head.weight).sign()
        count = (test.x != 0).sum(1, keepdim=True)
        base = (table_of[test.x] * (test.x != 0)[..., None]).sum(1)
        for epsilon, score in zip(OF_RMS, line.y, strict=True):
            logits = head(base + epsilon * rms * count * sign)
            assert score == pytest.approx(float((logits.argmax(1) == test.y).double().mean()))


class Positions(nn.Module):
    """Every position counts here, padding too."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 3)

    def forward(self, ids):
        out = self.embedding(ids)
        self.seen = out.detach().clone()
        return out.sum(1)[:, :2]


def test_padding_stays_as_it_is_even_where_the_model_looks_at_it():
    net = Positions()
    model = Toy(Positions)
    ids = torch.tensor([[5, 6, 0, 0], [7, 0, 0, 0]])
    place = AtEmbedding(net, model, net.embedding)
    delta = torch.ones(2, 4, 3)
    place.moved(ids, [delta])
    expected = net.embedding(ids).detach() + (ids != 0)[..., None]
    torch.testing.assert_close(net.seen, expected)


def test_hooks_go_after_exceptions_and_gradients_are_nobodys():
    data, test = texts()
    model = Toy(Bag)
    net = model.build(0)
    modes = [m.training for m in net.modules()]
    assert fgsm_line(net, model, data, test) is not None
    assert all(p.grad is None for p in net.parameters())
    assert [m.training for m in net.modules()] == modes
    assert not net.embedding._forward_hooks

    class Broken(Toy):
        def outputs(self, model, x):
            model.embedding(x)
            raise KeyboardInterrupt

    for call in ("look", "moved"):
        place = AtEmbedding(net, Broken(Bag), net.embedding)
        with pytest.raises(KeyboardInterrupt):
            getattr(place, call)(*((test.x,) if call == "look" else (test.x, [torch.zeros(*test.x.shape, 6)])))
        assert not net.embedding._forward_hooks


def test_chunks_change_nothing(monkeypatch):
    data, test = table()
    model = mlp(5, 3)
    net = trained(model, data)
    whole = fgsm_line(net, model, data, test)
    monkeypatch.setattr(
        "torchnoise.lab.measures.fgsm.limits", lambda net, tokens=False: outputs.Limits(1000, 1000, 7, 1)
    )
    assert fgsm_line(net, model, data, test) == whole


class Rounds(nn.Module):
    """Its outputs have no gradient by the input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x.detach().round())


class Frozen(Rounds):
    def forward(self, x):
        with torch.no_grad():
            return self.layer(x)


class Sums(nn.Module):
    """Takes ids, and has no embedding."""

    def forward(self, ids):
        return torch.stack([ids.sum(1), ids.sum(1)], 1).float()


@pytest.mark.parametrize("make", [Rounds, Frozen])
def test_no_gradient_no_line(make):
    data, test = table()
    assert fgsm_line(make(), Toy(make), data, test) is None


def test_ids_without_an_embedding_no_line():
    data, test = texts()
    assert fgsm_line(Sums(), Toy(Sums), data, test) is None


def test_outputs_that_are_not_finite_count_as_wrong():
    data, test = table()
    model = mlp(5, 3)
    net = model.build(0)
    nn.init.constant_(net[1].weight, float("nan"))
    assert fgsm_line(net, model, data, test).y == [0.0] * len(OF_RMS)
    data, test = table(classes=None)
    model = mlp(5, 1)
    net = model.build(0)
    nn.init.constant_(net[1].weight, float("nan"))
    assert fgsm_line(net, model, data, test).y == [None] * len(OF_RMS)


def test_the_embedding_is_the_one_that_the_model_calls_its_own():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions, self.words = nn.Embedding(9, 2), nn.Embedding(50, 2)

        def get_input_embeddings(self):
            return self.words

    net = nn.Sequential(Two())
    assert embedding_of(net) is net[0].words
    assert embedding_of(Bag()) is not None
    assert embedding_of(nn.Linear(1, 1)) is None


def test_a_recurrent_network_has_its_backward_in_eval():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(40, 4, padding_idx=0), nn.GRU(4, 2, batch_first=True)

        def forward(self, ids):
            return self.rnn(self.embedding(ids))[1][0]

    data, test = texts()
    model = Toy(Reader)
    assert fgsm_line(model.build(0), model, data, test) is not None


def test_the_unit_is_the_training_parts():
    data, test = table()
    model = Toy(lambda: nn.Linear(5, 3))
    net = model.build(0)
    larger = Data(data.name, data.kind, data.task, Part(100 * data.train.x, data.train.y), data.validation)
    assert fgsm_line(net, model, larger, test).y[1] < fgsm_line(net, model, data, test).y[1]
