"""What a thread of the team (`threads.py`) runs: compiled code that hands work on and waits for it.

A **slot** is a row of memory that the calling thread shares with one thread of the team:

    word 0            state: IDLE, POSTED, TAKEN or DONE
    word 1            not 0 if the thread is to end
    word 2            not 0 while a step is under way
    word 8            address of the function to call
    words 16 to 127   its arguments, as they lie in memory

The caller writes function and arguments and turns the state to POSTED; the thread that sees this
turns it to TAKEN, calls the function, and turns it to DONE. Both turn POSTED into something else by
compare-and-swap, which only one of them can win: so when the caller has done its own part and finds
its order still POSTED, it takes the order back and does that part too. Nobody waits for a thread
that sleeps, or that the operating system has set aside for somebody else.

This module imports Numba, so only `threads.py` imports it, when the first step is taken.
"""

from numba import int64

from .loop import loop
from .memory import (
    ARGUMENTS,
    DONE,
    ENDED,
    FUNCTION,
    IDLE,
    POSTED,
    TAKEN,
    UNDER_WAY,
    call,
    call_with,
    gemm,
    give_way,
    nap,
    read,
    restore,
    save,
    swap,
    write,
)


@loop
def serve(slot, sched_yield, usleep, looks, naps):  # noqa: ANN001, ANN201
    """Do what is posted in this slot, until no step is under way and nothing has come for a while.

    At first the thread looks without a pause, then after naps of 0.1 ms.
    """
    idle = 0
    while idle < looks + naps or read(slot + 8 * UNDER_WAY) != 0:
        if read(slot + 8 * ENDED) != 0:
            break
        if read(slot) == POSTED and swap(slot, POSTED, TAKEN):
            call(read(slot + 8 * FUNCTION), slot + 8 * ARGUMENTS)
            write(slot, DONE)
            idle = 0
            continue
        idle += 1
        if idle > looks:
            nap(usleep, 100)
        elif idle % 32 == 0:
            give_way(sched_yield)


@loop
def post(slot, function):  # noqa: ANN001, ANN201
    """Order a call of this function; its arguments have been saved."""
    write(slot + 8 * FUNCTION, function)
    write(slot, POSTED)


@loop
def collect(slot, sched_yield):  # noqa: ANN001, ANN201
    """Wait until the order is done, or take it back and do it here."""
    if swap(slot, POSTED, IDLE):
        call(read(slot + 8 * FUNCTION), slot + 8 * ARGUMENTS)
        return
    waited = 0
    while read(slot) != DONE:
        waited += 1
        if waited % 1024 == 0:
            give_way(sched_yield)


@loop
def f(*arguments):  # noqa: ANN002, ANN201
    """What `using` puts another loop in the place of."""


kind = None
"""What `threads.py` puts the type of the arguments in the place of."""


def job(arguments):  # noqa: ANN001, ANN201
    """Call the loop f with the arguments that lie at an address; becomes a C function."""
    f(*restore(arguments, kind))


@loop
def share(slots, function, sched_yield, parts):  # noqa: ANN001, ANN201
    """Call the loop f with several tuples of arguments, in rounds of one for each thread."""
    left = len(parts)
    while left > 0:
        posted = min(left - 1, len(slots))
        for i in range(posted):
            slot = int64(slots[i].ctypes.data)
            save(slot + 8 * ARGUMENTS, parts[left - 1 - i])
            post(slot, function)
        left -= posted + 1
        f(*parts[left])
        for i in range(posted):
            collect(int64(slots[i].ctypes.data), sched_yield)


@loop
def in_parts(slots, job, sched_yield, parts, *given):  # noqa: ANN001, ANN002, ANN201
    """Call the C function at `job` with (part, parts, *given) for each part, in rounds as above.

    It is compiled once, and called at its address by this thread too.
    """
    threads = len(slots) + 1
    for part in range(parts - 1, -1, -1):
        arguments = (int64(part), int64(parts), *given)
        if part % threads > 0:
            slot = int64(slots[part % threads - 1].ctypes.data)
            save(slot + 8 * ARGUMENTS, arguments)
            post(slot, job)
        else:
            call_with(job, arguments)
            for other in range(min(threads, parts - part) - 1):
                collect(int64(slots[other].ctypes.data), sched_yield)


@loop
def one_product(function, numbers, one):  # noqa: ANN001, ANN201
    """Matrix product by BLAS."""
    gemm(function, numbers, one)


@loop
def order(matrix):  # noqa: ANN001, ANN201
    """How BLAS is to read a matrix, and how far apart its rows or columns begin.

    111 if the entries of a row lie side by side, 112 if those of a column do, 0 if neither.
    """
    size = matrix.itemsize
    if matrix.strides[0] % size != 0 or matrix.strides[1] % size != 0:
        return 0, 0  # a field of records
    across, down = matrix.strides[1] // size, matrix.strides[0] // size
    if across == 1 and down >= matrix.shape[1]:
        return 111, down
    if down == 1 and across >= matrix.shape[0]:
        return 112, across
    return 0, 0


@loop
def multiply(slots, function, sched_yield, cblas, a, b, out, parts, by_rows):  # noqa: ANN001, ANN201
    """Compute `out = a b`, in parts of whole rows or columns of `out`, a round of one a thread.

    Returns whether the three fit together, in shape and in memory; else nothing is done.
    """
    m, n = out.shape
    k = a.shape[1]
    (a_order, lda), (b_order, ldb), (o_order, ldo) = order(a), order(b), order(out)
    if a.shape[0] != m or b.shape != (k, n) or a_order * b_order == 0 or o_order != 111:
        return False
    size, one = out.itemsize, out.dtype.type(1)
    # As signed numbers: Numba makes the sum of an unsigned and a signed one a float.
    a_data, b_data, out_data = int64(a.ctypes.data), int64(b.ctypes.data), int64(out.ctypes.data)
    whole, threads = m if by_rows else n, len(slots) + 1
    # Parts of columns begin where a cache line of `out` does.
    width = -(-whole // parts) if by_rows else -(-whole // (16 * parts)) * 16
    for i in range(parts - 1, -1, -1):
        start = min(i * width, whole)
        count = min(width, whole - start)
        rows, columns = (count, n) if by_rows else (m, count)
        a_start, b_start, out_start = 0, 0, start
        if by_rows:
            a_start, out_start = start * a.strides[0], start * ldo
        else:
            b_start = start * b.strides[1]
        numbers = (
            a_order,
            b_order,
            rows,
            columns,
            k,
            a_data + a_start,
            lda,
            b_data + b_start,
            ldb,
            out_data + out_start * size,
            ldo,
        )
        if i % threads > 0:
            slot = int64(slots[i % threads - 1].ctypes.data)
            save(slot + 8 * ARGUMENTS, (cblas, numbers, one))
            post(slot, function)
        else:  # the first part of a round is this thread's
            gemm(cblas, numbers, one)
            for j in range(min(threads, parts - i) - 1):
                collect(int64(slots[j].ctypes.data), sched_yield)
    return True


@loop
def one_turned(function, numbers, one, turned, out):  # noqa: ANN001, ANN201
    """Matrix product by BLAS into memory whose transpose is then written to `out`."""
    gemm(function, numbers, one)
    # In squares of 16 by 16: a row of such a square is what one cache line holds.
    for i in range(0, out.shape[0], 16):
        for j in range(0, out.shape[1], 16):
            square, source = out[i : i + 16, j : j + 16], turned[j : j + 16, i : i + 16]
            for u in range(square.shape[0]):
                for v in range(square.shape[1]):
                    square[u, v] = source[v, u]


@loop
def multiply_turned(slots, function, sched_yield, cblas, a, b, out, parts, turned):  # noqa: ANN001, ANN201
    """Compute `out = a b` as the transpose of `turned = b' a'`, in parts of its rows.

    Returns whether the three fit together, in shape and in memory; else nothing is done.
    """
    m, k = a.shape
    n = b.shape[1]
    (a_order, lda), (b_order, ldb) = order(a), order(b)
    if b.shape[0] != k or out.shape != (m, n) or a_order != 111 or b_order != 112:
        return False
    size, one = out.itemsize, out.dtype.type(1)
    a_data, b_data = int64(a.ctypes.data), int64(b.ctypes.data)
    turned_data = int64(turned.ctypes.data)
    width, threads = -(-n // (16 * parts)) * 16, len(slots) + 1
    for i in range(parts - 1, -1, -1):
        start = min(i * width, n)
        stop = min(start + width, n)
        b_part, turned_part = b_data + start * ldb * size, turned_data + start * m * size
        numbers = (111, 112, stop - start, m, k, b_part, ldb, a_data, lda, turned_part, m)
        part = (cblas, numbers, one, turned[start:stop], out[:, start:stop])
        if i % threads > 0:
            slot = int64(slots[i % threads - 1].ctypes.data)
            save(slot + 8 * ARGUMENTS, part)
            post(slot, function)
        else:
            one_turned(*part)
            for j in range(min(threads, parts - i) - 1):
                collect(int64(slots[j].ctypes.data), sched_yield)
    return True
