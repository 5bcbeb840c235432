"""Scalar functions (scalar.py) as Triton functions: the same source text, with Triton's words in place of NumPy's.

Triton reads the source of a function, not its bytecode, and its constants have no types. So the text is parsed, each
NumPy constant is written out with its type, words become Triton's or their twins in gpu_kernel.py, and the result is
compiled under a file name of its own that `linecache` knows, which is where Triton looks for it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from . import scalar

_CONSTANT = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)


@cache
def translate(function: Callable) -> Any:
    """The Triton function of a scalar function, and of all that it calls. Raises where there is none."""
    import triton

    writer = _Writer(function)
    tree = writer.visit(ast.parse(textwrap.dedent(inspect.getsource(function))))
    source = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    code = function.__code__
    file = f"<triton of {function.__qualname__} in {code.co_filename}:{code.co_firstlineno}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), writer.place)
    return triton.jit(writer.place[function.__name__])


# Triton's own names for things. Loops are unrolled, because a variable's type may change in the first round.
_NAMES = {range: "tl.static_range", scalar.select: "tl.where"}


@cache
def _twins() -> dict[Any, Any]:
    from . import gpu_kernel

    return {
        scalar.bits_of: gpu_kernel.bits_of,
        scalar.float_of: gpu_kernel.float_of,
        np.sqrt: gpu_kernel.sqrt,
    }


class _Writer(ast.NodeTransformer):
    """Rewrites one function; `place` collects the globals of the result."""

    def __init__(self, function: Callable) -> None:
        import triton.language

        names = inspect.getclosurevars(function)
        self.function = function
        self.locals = set(function.__code__.co_varnames)
        self.known = {**vars(builtins), **names.globals, **names.nonlocals}
        self.place: dict[str, Any] = {"tl": triton.language, "__name__": function.__module__}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        body = node.body[ast.get_docstring(node) is not None :]
        node.decorator_list, node.returns = [], None
        for argument in node.args.args:
            argument.annotation = None
        node.body = [self.visit(statement) for statement in body]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        kind = self._value(node.func)
        if not (isinstance(kind, type) and issubclass(kind, np.generic)):
            return self.generic_visit(node)
        if all(isinstance(n, _CONSTANT) for n in ast.walk(node.args[0])):
            return _typed(eval(ast.unparse(node), self.known))
        return _parsed(f"({ast.unparse(self.visit(node.args[0]))}).to(tl.{np.dtype(kind).name})")

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._twin(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in self.locals else self._twin(node)

    def _value(self, node: ast.AST) -> Any:
        """What a name from outside, or an attribute of a module, stands for."""
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            return getattr(owner, node.attr) if isinstance(owner, ModuleType) else None
        return self.known.get(node.id) if isinstance(node, ast.Name) and node.id not in self.locals else None

    def _twin(self, node: ast.Name | ast.Attribute) -> ast.AST:
        value = self._value(node)
        if isinstance(value, np.generic):
            return _typed(value)
        if callable(value) and value in _NAMES:
            return _parsed(_NAMES[value])
        if callable(value) and value in _twins():
            found = _twins()[value]
        elif scalar.is_scalar(value):
            found = translate(value)
        else:
            raise NotImplementedError(f"{self.function.__qualname__}: {ast.unparse(node)} has no form in Triton")
        name = ast.unparse(node).replace(".", "_")
        self.place[name] = found
        return ast.Name(name, ast.Load())


def _typed(value: np.generic) -> ast.AST:
    """A constant with its type."""
    number = value.item()
    text = repr(number) if np.isfinite(number) else f"float('{number}')"
    return _parsed(f"tl.full((), {text}, tl.{value.dtype.name})")


def _parsed(expression: str) -> ast.AST:
    return ast.parse(expression, mode="eval").body
