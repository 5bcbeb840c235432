"""What Numba has no word for, as single instructions: addresses, memory on the stack, calls by address, bits of floats.

Only loops.py and compile.py import this module: it loads Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from . import scalar

intrinsic: Any = extending.intrinsic


@intrinsic
def widest_vectors(typing: Any) -> Any:
    """Let LLVM use 512-bit vectors, where the processor has them, in the function that says this."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        attributes = builder.function.attributes
        attributes._known = attributes._known | {'"prefer-vector-width"="512"'}
        attributes.add('"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def at(typing: Any, address: Any, kind: Any) -> Any:
    """The pointer with this address."""
    pointer = kind.instance_type

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(types.int64, kind), generate


@intrinsic
def address(typing: Any, pointer: Any, index: Any) -> Any:
    """The address of element `index` behind a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(builder.gep(arguments[0], [arguments[1]]), ir.IntType(64))

    return types.int64(pointer, types.int64), generate


@intrinsic(prefer_literal=True)
def stack(typing: Any, size: Any) -> Any:
    """The address of so many bytes on the stack."""
    count = size.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        with builder.goto_entry_block():
            memory = builder.alloca(ir.ArrayType(ir.IntType(8), count))
            memory.align = 64
        return builder.ptrtoint(memory, ir.IntType(64))

    return types.int64(size), generate


@intrinsic
def call(typing: Any, address: Any, arguments: Any) -> Any:
    """Call the piece at this address with a tuple of arguments."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given = cgutils.unpack_tuple(builder, values[1])
        kind = ir.FunctionType(ir.VoidType(), [v.type for v in given])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate


@intrinsic(prefer_literal=True)
def prefetch(typing: Any, address: Any, for_writing: Any) -> Any:
    """Ask for the cache line at this address, and go on. for_writing: 0 or 1."""
    write = for_writing.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, integer, integer, integer])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        nearest, data = ir.Constant(integer, 3), ir.Constant(integer, 1)
        builder.call(function, [builder.inttoptr(arguments[0], pointer), ir.Constant(integer, write), nearest, data])
        return context.get_dummy_value()

    return types.void(types.int64, for_writing), generate


@intrinsic
def bits_of(typing: Any, x: Any) -> Any:
    """scalar.bits_of."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float_of(typing: Any, bits: Any) -> Any:
    """scalar.float_of."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """scalar.select."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(types.boolean, yes, yes), generate


# for these a kernel calls no function: Numba takes long to compile one, however small
INSTRUCTIONS: dict[Any, Any] = {
    scalar.bits_of: bits_of,
    scalar.float_of: float_of,
    scalar.select: select,
}
