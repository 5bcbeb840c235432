"""One file per source. A new one: a subclass of RandomNoise with a `draw`, a line here, a row in tests/cases.py."""

from .bernoulli import Bernoulli as Bernoulli
from .colored import Colored as Colored
from .custom import Custom as Custom
from .gaussian import Gaussian as Gaussian
from .gaussian_dropout import GaussianDropout as GaussianDropout
from .gaussian_dropout import Speckle as Speckle
from .laplace import Laplace as Laplace
from .log_normal import LogNormal as LogNormal
from .poisson import Poisson as Poisson
from .rademacher import Rademacher as Rademacher
from .salt_and_pepper import SaltAndPepper as SaltAndPepper
from .student_t import StudentT as StudentT
from .tokens import DropTokens as DropTokens
from .tokens import JitterTokens as JitterTokens
from .tokens import MaskTokens as MaskTokens
from .tokens import ReplaceTokens as ReplaceTokens
from .tokens import SwapTokens as SwapTokens
from .uniform import Uniform as Uniform
