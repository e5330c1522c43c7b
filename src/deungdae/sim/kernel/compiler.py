"""How the kernel is compiled: Numba's ways, bent where they would take minutes.

Only imported where it is compiled.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def, misc, no-untyped-call, no-any-return"
from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from llvmlite.binding import Linkage  # type: ignore[import-untyped]
from numba.core import cgutils, datamodel, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.imputils import lower_getattr_generic, lower_setattr_generic
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import IRProcessing
from numba.extending import intrinsic, overload, register_jitable
from numba.np.arrayobj import record_getattr

F = TypeVar("F", bound=Callable[..., Any])

# No reference is counted: the tables outlive every call. A division by 0 gives no exception.
_INSIDE = {"nogil": True, "_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}
_rare: set[str] = set()
_codes: list[CodeType] = []  # of everything compiled


def fingerprint(*constants: object) -> str:
    """Return a hash of all functions that are compiled, and of the constants that they use.

    What Numba keeps on disk hangs on the source of the entry alone; with this in its closure it
    hangs on all.
    """
    digest = hashlib.blake2b(repr((constants, sorted(_rare), _INSIDE)).encode())
    for code in _codes:
        plain = [each for each in code.co_consts if not isinstance(each, CodeType)]
        digest.update(repr((code.co_name, code.co_code, code.co_names, plain)).encode())
    return digest.hexdigest()


def inlined(function: F) -> F:
    """Compile a function into each of its callers."""
    _codes.append(function.__code__)
    return register_jitable(forceinline=True, **_INSIDE)(function)


def called(function: F) -> F:
    """Compile a function that stays one of its own."""
    _codes.append(function.__code__)
    # said, for else a function that is first called by an inlined one is inlined as well
    return register_jitable(forceinline=False, **_INSIDE)(function)


def rare(function: F) -> F:
    """Compile a function that is seldom called: it stays out of the way of the others."""
    _rare.add(function.__qualname__)
    return called(function)


def entry(function: F) -> F:
    """Compile a function that Python calls, and keep it on disk."""
    options = {"nogil": True, "error_model": "numpy", "pipeline_class": Whole}
    return numba.njit(cache=True, **options)(function)


class Draft(JITCodeLibrary):
    """Code that only becomes part of a larger whole: neither optimised nor made executable."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        if self.name in _rare:
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == Linkage.external:
                    function.add_function_attribute("noinline")
                    function.add_function_attribute("cold")
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0


@register_pass(mutates_CFG=False, analysis_only=True)
class Sketch(AnalysisPass):
    """From here on, functions are drafts."""

    _name = "deungdae_sketch"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        codegen = state.targetctx.codegen()
        codegen._library_class = Draft
        codegen.set_env = lambda name, environment: None
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class Finish(AnalysisPass):
    """From here on, they are no longer."""

    _name = "deungdae_finish"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        _no_drafts(state)
        return False


def _no_drafts(state: Any) -> None:
    codegen = state.targetctx.codegen()
    codegen._library_class = JITCodeLibrary
    vars(codegen).pop("set_env", None)


class Whole(CompilerBase):
    """A compiler that optimises a function and all that it calls together, once.

    Numba else optimises each of them with all that it calls, over and over: for this engine
    that takes a minute and a half, and the result is no faster.
    """

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(Sketch, IRProcessing)
        passes.add_pass_after(Finish, NopythonTypeInference)
        passes.finalize()
        return [passes]

    def compile_extra(self, function: Any) -> Any:
        try:
            return super().compile_extra(function)
        finally:
            _no_drafts(self.state)


class RowType(types.Record):
    """A record that is known by a short name: its fields would make names of thousands."""

    def __init__(self, name: str, record: Any) -> None:
        fields = [(each, field._asdict()) for each, field in record.fields.items()]
        super().__init__(fields, record.size, record.aligned)
        self.name = name


datamodel.register_default(RowType)(datamodel.models.RecordModel)


@lower_getattr_generic(RowType)
def _read(context: Any, builder: Any, row: Any, pointer: Any, field: str) -> Any:
    """Read a field, and say which: so it is known that no other field's change concerns it."""
    kind = row.typeof(field)
    if isinstance(kind, types.NestedArray):
        return record_getattr(context, builder, row, pointer, field)
    value = builder.load(_place(context, builder, row, pointer, field), align=8)
    value.set_metadata("tbaa", _tag(builder.module, row, field))
    return value


@lower_setattr_generic(RowType)
def _write(context: Any, builder: Any, signature: Any, arguments: Any, field: str) -> None:
    """Write a field, and say which."""
    row, given = signature.args
    value = context.cast(builder, arguments[1], given, row.typeof(field))
    place = _place(context, builder, row, arguments[0], field)
    builder.store(value, place, align=8).set_metadata("tbaa", _tag(builder.module, row, field))


def _place(context: Any, builder: Any, row: Any, pointer: Any, field: str) -> Any:
    kind = context.get_data_type(row.typeof(field))
    return cgutils.get_record_member(builder, pointer, row.offset(field), kind)


def _tag(module: Any, row: Any, field: str) -> Any:
    """Return the type-based alias tag of a field (LLVM Language Reference, `tbaa`)."""
    root = module.add_metadata([ir.MetaDataString(module, "deungdae")])
    name = ir.MetaDataString(module, f"{row.name}.{field}")
    kind = module.add_metadata([name, root, ir.IntType(64)(0)])
    return module.add_metadata([kind, kind, ir.IntType(64)(0)])


def rows_of(table: str, row: type, shape: np.dtype[Any]) -> Any:
    """Return a compiled function (w, n) that gives row n of a table of the world w.

    The world holds the address of each table. It does not change while compiled code runs, which
    the code may rely on.
    """
    record = RowType(row.__name__, numba.from_dtype(shape))

    @intrinsic
    def row_at(context: Any, w: Any, n: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            integer = context.get_value_type(types.int64)
            byte = builder.bitcast(arguments[0], context.get_value_type(types.voidptr))
            place = builder.gep(byte, [integer(w.offset(table))])
            address = builder.load(builder.bitcast(place, integer.as_pointer()))
            address.set_metadata("invariant.load", builder.module.add_metadata([]))
            offset = builder.mul(arguments[1], integer(shape.itemsize))
            pointer = context.get_value_type(record)
            return builder.inttoptr(builder.add(address, offset), pointer)

        return record(w, types.int64), generate

    return row_at


def first_of(row: type, shape: np.dtype[Any]) -> Any:
    """Return a compiled function that gives the one row of an array."""
    record = RowType(row.__name__, numba.from_dtype(shape))

    @intrinsic
    def first(context: Any, array: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(array)(context, builder, value=arguments[0]).data
            return builder.bitcast(data, context.get_value_type(record))

        return record(array), generate

    return first


def word(number):
    return np.uint64(number & 0xFFFFFFFFFFFFFFFF)


@overload(word)
def _word(number):
    return lambda number: np.uint64(number)  # noqa: PLW0108 - Numba wants a function


@inlined
def plus(a, b):
    return a + b


@inlined
def times(a, b):
    return a * b


@inlined
def mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def odd(z):
    z = mix(z) | np.uint64(1)
    rest = z ^ (z >> np.uint64(1))
    changes = 0
    while rest:
        rest &= rest - np.uint64(1)
        changes += 1
    return z ^ np.uint64(0xAAAAAAAAAAAAAAAA) if changes < 24 else z


@called
def restore(to, world):
    for k in range(len(to)):
        to[k] = world[k]


@inlined
def unit(z):
    return (float(z >> np.uint64(12)) + 0.5) * 2.220446049250313e-16
