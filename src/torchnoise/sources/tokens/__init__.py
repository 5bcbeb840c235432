"""Noise on token ids. Use them at `Tokens(special=...)`, which spares special tokens and padding."""

from .drop import DropTokens as DropTokens
from .jitter import JitterTokens as JitterTokens
from .mask import MaskTokens as MaskTokens
from .replace import ReplaceTokens as ReplaceTokens
from .swap import SwapTokens as SwapTokens
