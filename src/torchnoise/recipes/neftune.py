"""NEFTune: uniform noise on a language model's embeddings while it is fine-tuned."""

from __future__ import annotations

from ..plan import Injection
from ..sites import Embeddings
from ..sources import Uniform


def neftune(alpha: float = 5.0) -> Injection:
    """Uniform noise on the input embeddings, smaller for longer sequences.

    Formula: e + alpha / sqrt(L d) u, with u ~ U(-1, 1) for each element, L the number of the example's tokens that its
    attention mask keeps, d the embedding's width. Its norm is about alpha / sqrt(3), whatever L and d.

    The paper tries alpha = 5, 10, 15. It takes true lengths, as its authors' training code does and as here; the
    Trainer's own neftune_noise_alpha takes the padded length and noises padding too.

    >>> print(neftune(alpha=10.0))
    Uniform(10, relative_to='size') at Embeddings()

    Source: Jain et al., "NEFTune: noisy embeddings improve instruction finetuning", ICLR 2024, algorithm 1.
    """
    return Injection(Uniform(alpha, relative_to="size"), at=Embeddings())
