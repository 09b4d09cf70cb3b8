"""Compiled loops over the numbers of a matrix that are not 0; what they are for: `sparse.py`.

The entries of x (B, I) lie row after row in `columns` and `values`. Those of row n that stand in
band p of the columns, one band for each part of `x' dy`, are numbers `starts[n, p]` up to
`starts[n, p + 1]`.

Eight rows of W are added to a row of the result at a time, and of the rest four: so the row is read
and written once for eight multiplications of each of its numbers, and not for each. This module
imports Numba.
"""

import numpy as np

from .loop import loop
from .memory import lowest_bit, not_zero


@loop
def count(x, starts, most):  # noqa: ANN001, ANN201
    """Write `starts`; return whether x has at most so many entries, or stop where it has more."""
    zero, parts = x.dtype.type(0), starts.shape[1] - 1
    found = 0
    for n in range(x.shape[0]):
        for p in range(parts):
            starts[n, p] = found
            band = x[n, edge(p, parts, x.shape[1]) : edge(p + 1, parts, x.shape[1])]
            here = np.int32(0)
            for i in range(band.size):
                here += np.int32(band[i] != zero)
            found += int(here)
        starts[n, parts] = found
        if found > most:
            return False
    return True


@loop
def edge(part, parts, size):  # noqa: ANN001, ANN201
    """Where a part of so many rows or columns begins."""
    return part * size // parts


@loop
def _list(row, columns, values):  # noqa: ANN001, ANN202
    """Write the entries of a row."""
    k, data, bytes_each = 0, np.int64(row.ctypes.data), row.itemsize
    whole = row.size // 16 * 16
    for start in range(0, whole, 16):
        bits = not_zero(data + start * bytes_each, row[start])
        while bits != 0:
            i = start + lowest_bit(bits)
            bits &= bits - 1
            columns[k], values[k] = i, row[i]
            k += 1
    for i in range(whole, row.size):
        if row[i] != row.dtype.type(0):
            columns[k], values[k] = i, row[i]
            k += 1


@loop
def _add_rows(total, W, columns, values):  # noqa: ANN001, ANN202
    """Write to `total` the sum of the rows of W with these numbers, each times its value."""
    for o in range(total.size):
        total[o] = 0
    k = 0
    while k + 8 <= columns.size:
        a, b, c, d = W[columns[k]], W[columns[k + 1]], W[columns[k + 2]], W[columns[k + 3]]
        e, f, g, h = W[columns[k + 4]], W[columns[k + 5]], W[columns[k + 6]], W[columns[k + 7]]
        p, q, r, s = values[k], values[k + 1], values[k + 2], values[k + 3]
        t, u, v, w = values[k + 4], values[k + 5], values[k + 6], values[k + 7]
        for o in range(total.size):
            four = total[o] + p * a[o] + q * b[o] + r * c[o] + s * d[o]
            total[o] = four + t * e[o] + u * f[o] + v * g[o] + w * h[o]
        k += 8
    if k + 4 <= columns.size:
        a, b, c, d = W[columns[k]], W[columns[k + 1]], W[columns[k + 2]], W[columns[k + 3]]
        p, q, r, s = values[k], values[k + 1], values[k + 2], values[k + 3]
        for o in range(total.size):
            total[o] = total[o] + p * a[o] + q * b[o] + r * c[o] + s * d[o]
        k += 4
    while k < columns.size:
        row, value = W[columns[k]], values[k]
        for o in range(total.size):
            total[o] += value * row[o]
        k += 1


@loop(reorder=True)
def _unbounded(matrix):  # noqa: ANN001, ANN202
    """0 if all numbers are finite; else NaN, for 0 times infinity is that."""
    zero = matrix.dtype.type(0)
    total = zero
    for i in range(matrix.shape[0]):
        row = matrix[i]
        for j in range(row.size):
            total += zero * row[j]
    return total


@loop
def rows_of_product(part, parts, x, W, y, starts, columns, values, unbounded):  # noqa: ANN001, ANN201
    """List the entries of some rows of x, and write these rows of `y = x W`."""
    unbounded[part] = _unbounded(W[edge(part, parts, len(W)) : edge(part + 1, parts, len(W))])
    for n in range(edge(part, parts, len(x)), edge(part + 1, parts, len(x))):
        here = slice(starts[n, 0], starts[n, parts])
        _list(x[n], columns[here], values[here])
        _add_rows(y[n], W, columns[here], values[here])


@loop
def rows_of_turned(part, parts, dy, dW, starts, columns, values, ends, ns, xs, unbounded):  # noqa: ANN001, ANN201
    """Write some rows of `dW = x' dy`: those of one band of the columns of x.

    The entries of the band are brought into the order of the columns, by counting: row numbers `ns`
    and values `xs`, of which those of column i end before `ends[i]`.
    """
    unbounded[part] = _unbounded(dy[edge(part, parts, len(dy)) : edge(part + 1, parts, len(dy))])
    first, stop = edge(part, parts, len(dW)), edge(part + 1, parts, len(dW))
    for i in range(first, stop):
        ends[i] = 0
    begin = 0
    for n in range(len(dy)):
        begin += starts[n, part] - starts[n, 0]  # the entries of the bands before
        for k in range(starts[n, part], starts[n, part + 1]):
            ends[columns[k]] += 1
    so_far = begin
    for i in range(first, stop):
        here = ends[i]
        ends[i] = so_far
        so_far += here
    for n in range(len(dy)):
        for k in range(starts[n, part], starts[n, part + 1]):
            to = ends[columns[k]]
            ns[to], xs[to] = n, values[k]
            ends[columns[k]] = to + 1
    for i in range(first, stop):
        here = slice(begin, ends[i])
        _add_rows(dW[i], dy, ns[here], xs[here])
        begin = ends[i]
