"""Selectors by a class's name: what files have in place of types."""

from __future__ import annotations

import pytest
from cases import net
from torch import nn
from torch.nn.utils import parametrizations

import torchnoise as tn
from torchnoise.sites.select import TypeName, as_selectors, select


class Block(nn.Sequential):
    """A class of a user's own, with a base of torch's."""


def chosen(model: nn.Module, *names: str, exclude: tuple = ()) -> list[str]:
    rows = ((n, m, m) for n, m in model.named_modules())
    return [n for n, _, _ in select(rows, tuple(map(TypeName, names)), exclude, "Activations()")]


def test_modules_by_their_class_or_a_base() -> None:
    """Broken on purpose: the class's own name alone (Sequential no longer finds Block)."""
    model = nn.Sequential(Block(nn.Linear(2, 2)), nn.Linear(2, 2), nn.ReLU())
    assert chosen(model, "Linear") == ["0.0", "1"]
    assert chosen(model, "Block") == ["0"]
    assert chosen(model, "Sequential") == ["", "0"]
    assert chosen(model, "ReLU", "Block", exclude=("2",)) == ["0"]
    assert chosen(model, "Linear", exclude=(TypeName("Block"), "1")) == ["0.0"]


def test_a_parametrised_module_keeps_its_name() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2)))
    assert chosen(model, "Linear") == ["0"]


def test_weights_by_the_type_of_their_owner() -> None:
    by_type = tn.Injection(tn.Gaussian(0.1), at=tn.Weights(nn.Linear))
    by_name = tn.Injection(tn.Gaussian(0.1), at=tn.Weights(TypeName("Linear")))
    found = []
    for injection in (by_type, by_name):
        with tn.attach(net(), injection) as noise:
            found.append([row.site for row in noise.report().rows])
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_what_is_not_there_names_the_types_that_are() -> None:
    with pytest.raises(LookupError, match="nothing matches 'Liner'; did you mean 'Linear'"):
        chosen(net(), "Liner")


def test_it_is_a_selector() -> None:
    assert as_selectors(TypeName("ReLU")) == (TypeName("ReLU"),)
    assert as_selectors(["a", TypeName("ReLU")]) == ("a", TypeName("ReLU"))
    assert str(tn.Activations(TypeName("ReLU"))) == "Activations(TypeName('ReLU'))"


@pytest.mark.parametrize("name", ["nn.ReLU", "", "a b", 3, None])
def test_names_that_no_class_has(name: object) -> None:
    with pytest.raises(ValueError, match="is not the name of a class"):
        TypeName(name)  # type: ignore[arg-type]
