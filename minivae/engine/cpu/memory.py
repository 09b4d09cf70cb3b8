"""What Numba lacks: reading, writing and calling at an address, from compiled code.

Each function here is a line or two of LLVM's language: an atomic load, a store, a compare-and-swap,
a call. What they are for is told in `slots.py`; the last two are for `entries.py`. This module
imports Numba.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

IDLE, POSTED, TAKEN, DONE = range(4)


ENDED, UNDER_WAY, FUNCTION, ARGUMENTS, WORDS = 1, 2, 8, 16, 128
"""Where in a slot they begin, and its length, in words of 8 bytes."""


_WORD = ir.IntType(64)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def read(typing: Any, address: Any) -> tuple:
    """Word at an address; what the other thread wrote before it, is seen after it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0], _WORD), "acquire", 8)

    return types.int64(types.int64), code


@intrinsic
def write(typing: Any, address: Any, word: Any) -> tuple:
    """Write a word to an address, after all that was written before it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where, what = arguments
        builder.store_atomic(what, _pointer(builder, where, _WORD), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@intrinsic
def swap(typing: Any, address: Any, old: Any, new: Any) -> tuple:
    """Turn the word at an address from `old` to `new`; whether it was `old`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where, old, new = arguments
        pointer = _pointer(builder, where, _WORD)
        return builder.extract_value(builder.cmpxchg(pointer, old, new, "acq_rel", "acquire"), 1)

    return types.boolean(types.int64, types.int64, types.int64), code


@intrinsic
def save(typing: Any, address: Any, values: Any) -> tuple:
    """Write a tuple as it lies in memory; an array as its address and shape."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where, what = arguments
        assert context.get_abi_sizeof(what.type) <= 8 * (WORDS - ARGUMENTS)
        builder.store(what, _pointer(builder, where, what.type))
        return context.get_dummy_value()

    return types.void(types.int64, values), code


@intrinsic
def restore(typing: Any, address: Any, kind: Any) -> tuple:
    """Read a tuple of that type that `save` has written."""
    result = kind.instance_type

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(builder, arguments[0], context.get_value_type(result))
        return impl_ret_borrowed(context, builder, result, builder.load(pointer))

    return result(types.int64, kind), code


@intrinsic
def call(typing: Any, function: Any, address: Any) -> tuple:
    """Call the C function at an address with the address of its arguments."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_WORD])
        builder.call(_pointer(builder, arguments[0], kind), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@intrinsic
def call_with(typing: Any, function: Any, values: Any) -> tuple:
    """Call the C function at an address with a tuple as arguments, which `save` need not write."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_WORD])
        where = cgutils.alloca_once_value(builder, arguments[1])
        builder.call(_pointer(builder, arguments[0], kind), [builder.ptrtoint(where, _WORD)])
        return context.get_dummy_value()

    return types.void(types.int64, values), code


@intrinsic
def give_way(typing: Any, function: Any) -> tuple:
    """Call the C function `int f(void)` at an address: the system's `sched_yield`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(_pointer(builder, arguments[0], kind), [])
        return context.get_dummy_value()

    return types.void(types.int64), code


@intrinsic
def nap(typing: Any, function: Any, microseconds: Any) -> tuple:
    """Call the C function `int f(unsigned)` at an address: the system's `usleep`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        unsigned = ir.IntType(32)
        kind = ir.FunctionType(unsigned, [unsigned])
        function = _pointer(builder, arguments[0], kind)
        builder.call(function, [builder.trunc(arguments[1], unsigned)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


def _product(builder: Any, arguments: Any, factor: int) -> None:
    """Call `cblas_?gemm` for out = a b + factor out; see `gemm`."""
    function, numbers, one = arguments
    word = [builder.extract_value(numbers, i) for i in range(11)]
    a_order, b_order = (builder.trunc(w, ir.IntType(32)) for w in word[:2])
    m, n, k, a, lda, b, ldb, out, ldo = word[2:]
    row_major, factor = ir.Constant(ir.IntType(32), 101), ir.Constant(one.type, factor)
    given = [row_major, a_order, b_order, m, n, k, one, a, lda, b, ldb, factor, out, ldo]
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
    builder.call(_pointer(builder, function, kind), given)


@intrinsic
def gemm(typing: Any, function: Any, numbers: Any, one: Any) -> tuple:
    """Call `cblas_?gemm` at an address for out = a b, with the 11 words that `multiply` makes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _product(builder, arguments, 0)
        return context.get_dummy_value()

    return types.void(types.int64, numbers, one), code


@intrinsic
def gemm_add(typing: Any, function: Any, numbers: Any, one: Any) -> tuple:
    """Call `cblas_?gemm` at an address for out = a b + out; as `gemm`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _product(builder, arguments, 1)
        return context.get_dummy_value()

    return types.void(types.int64, numbers, one), code


@intrinsic
def not_zero(typing: Any, address: Any, like: Any) -> tuple:
    """Which of 16 numbers at an address are not 0: a bit for each, 1 for NaN too.

    All 16 are compared at once, by two or four instructions of the processor.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = arguments[1].type
        sixteen = ir.VectorType(number, 16)
        pointer = _pointer(builder, arguments[0], sixteen)
        numbers = builder.load(pointer, align=context.get_abi_sizeof(number))
        differ = builder.fcmp_unordered("!=", numbers, ir.Constant(sixteen, None))
        return builder.zext(builder.bitcast(differ, ir.IntType(16)), _WORD)

    return types.int64(types.int64, like), code


@intrinsic
def lowest_bit(typing: Any, word: Any) -> tuple:
    """Place of the lowest bit of a word that is 1; the word must not be 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), code
