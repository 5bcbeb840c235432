"""WHICH random numbers: a pure function of an address."""

from .address import Address as Address
from .address import subkey as subkey
from .address import words as words
from .normal import normal as normal
from .philox import philox as philox
