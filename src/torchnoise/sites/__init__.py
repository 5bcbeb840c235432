"""WHERE noise enters: values that find their places in a model its author never prepared for it."""

from .activation import Activations as Activations
from .activation import Embeddings as Embeddings
from .gradient import Gradients as Gradients
from .input import Inputs as Inputs
from .input import Tokens as Tokens
from .weight import Weights as Weights
