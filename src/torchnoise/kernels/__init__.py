"""Kernels: noise at the price of reading memory, with the same bits as the pure-torch form."""

from .launch import Together as Together
from .pieces import Kernel as Kernel
