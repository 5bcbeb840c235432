"""Gaussian noise as a layer: on the signal, or times it."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import nearest
from ..magnitudes import MAGNITUDES
from ..sources import Gaussian
from .draw import check_std, with_noise

_ADD, _MULTIPLY = Gaussian(0.0), Gaussian(0.0, combine="multiply")


class GaussianNoise(nn.Module):
    """Additive Gaussian noise in training, identity in eval.

    Formula: y = x + std m(x) z, z ~ N(0, 1) for each element. m(x) is 1 (relative=False), or what `relative` says;
    True means "abs", |x| element by element, as in the class that many projects copied: its `sigma * x.detach()` has
    the same distribution. No gradient flows through m(x), so dy/dx = 1.

    Args:
        std: the standard deviation, in the unit of x, or in units of m(x). It may be changed between forwards.
        relative: False, True ("abs"), "abs", "rms", "std", or another of torchnoise's magnitudes. Those that are one
            number for each example take axis 0 as examples; a tensor of fewer than two axes is one example.

    Shapes: any. One key for each forward comes from torch's default generator, as for tn.nn.Dropout.

    Raises:
        ValueError: a negative std; an unknown magnitude. TypeError: an x that is not of floating point.

    >>> import torch
    >>> layer, x = GaussianNoise(0.1), torch.ones(3)
    >>> torch.equal(layer(x), x), torch.equal(layer.eval()(x), x)
    (False, True)
    >>> GaussianNoise(0.1, relative=True)
    GaussianNoise(std=0.1, relative='abs')

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7 (1995).
    """

    def __init__(self, std: float, relative: bool | str = False) -> None:
        super().__init__()
        self.std = check_std("GaussianNoise: std", std)
        self._noise = Gaussian(0.0, relative_to=_magnitude(relative))

    @property
    def relative(self) -> str | None:
        """What std is relative to; None where it is absolute."""
        relative = self._noise.relative_to
        assert relative is None or isinstance(relative, str)
        return relative

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.std == 0.0:
            return x
        return with_noise(x, self._noise, self.std, "GaussianNoise", per_example=self.relative is not None)

    def extra_repr(self) -> str:
        return f"std={self.std:g}" + ("" if self.relative is None else f", relative={self.relative!r}")


def _magnitude(relative: bool | str) -> str | None:
    if relative is True or relative is False or relative is None:
        return "abs" if relative else None
    if relative not in MAGNITUDES:
        raise ValueError(
            f"GaussianNoise: relative is {relative!r}; {nearest(str(relative), MAGNITUDES)} (or True, False)"
        )
    return relative


class ActivationNoise(nn.Module):
    """Gaussian noise on activations in training, added or multiplied; identity in eval.

    Formula: y = x + std z (additive), y = x (1 + std z) (multiplicative, also called Gaussian dropout, where std =
    sqrt(p / (1 - p))), z ~ N(0, 1) for each element. dy/dx is 1, or the factor, which backward draws again.

    Args:
        std: in the unit of x, or of the factor. It may be changed between forwards.
        additive: whether noise is added or multiplies.

    Shapes: any.

    Raises:
        ValueError: a negative std. TypeError: an x that is not of floating point.

    >>> import torch
    >>> torch.equal(ActivationNoise(0.1, additive=False)(torch.zeros(3)), torch.zeros(3))
    True

    Source: Srivastava et al., "Dropout", JMLR 15 (2014), section 10, for the multiplicative form.
    """

    def __init__(self, std: float, additive: bool = True) -> None:
        super().__init__()
        self.std = check_std("ActivationNoise: std", std)
        self.additive = bool(additive)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.std == 0.0:
            return x
        return with_noise(x, _ADD if self.additive else _MULTIPLY, self.std, "ActivationNoise")

    def extra_repr(self) -> str:
        return f"std={self.std:g}, additive={self.additive}"
