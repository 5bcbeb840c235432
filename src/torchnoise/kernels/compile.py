"""From scalar functions to machine code: Numba translates, LLVM fits it to this processor, and no compiler is needed.

A piece is compiled into one object file with one symbol, `piece`, and nothing of Python in it: no exceptions, no
reference counts. Loading an object file needs llvmlite alone, so that a cached piece costs milliseconds (store.py).
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from .scalar import is_scalar


def substitute(function: Callable, names: dict[str, Any], memo: dict[Callable, Any]) -> FunctionType:
    """The function with other global names, and with every scalar function that it calls compiled by Numba."""
    from numba import njit

    inlined: Any = {"error_model": "numpy", "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def compiled(thing: Any) -> Any:
        if not is_scalar(thing):
            return thing
        if thing not in memo:
            memo[thing] = njit(substitute(thing, names, memo), **inlined)
        return memo[thing]

    place = {**function.__globals__, **names}
    for name in _names(function.__code__):
        if name in place:
            place[name] = compiled(place[name])
    return FunctionType(function.__code__, place, function.__name__)


def _names(code: Any) -> set[str]:
    return set(code.co_names).union(*(_names(c) for c in code.co_consts if hasattr(c, "co_names")))


def to_object_code(template: Callable, argument_types: tuple, names: dict[str, Any], symbol: str) -> bytes:
    """An object file with one function, `symbol`, which takes the arguments as C would."""
    from llvmlite import ir
    from numba.core import types
    from numba.core.compiler import Flags, compile_extra
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    from .instructions import INSTRUCTIONS

    with global_compiler_lock:
        flags: Any = Flags()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        flags.error_model = "numpy"
        # Operands either are the same tensor element for element, or do not meet (launch.py sees to it). For loops over
        # one element at a time both are as good as no alias, and without the promise LLVM would not vectorise in place.
        flags.noalias = True
        context = cpu_target.target_context
        function = substitute(template, names, dict(INSTRUCTIONS))
        result = compile_extra(cpu_target.typing_context, context, function, argument_types, types.void, flags, {})

        library = context.codegen().create_library(symbol)
        module = library.create_ir_module(symbol)
        inner = context.declare_function(module, result.fndesc)
        kinds = [context.get_value_type(t) for t in argument_types]
        piece = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), symbol)
        builder = ir.IRBuilder(piece.append_basic_block())
        context.call_conv.call_function(builder, inner, types.void, argument_types, piece.args)
        builder.ret_void()
        library.enable_object_caching()
        library.add_ir_module(module)
        library.add_linking_library(result.library)
        library.finalize()
        return bytes(library._get_compiled_object())
