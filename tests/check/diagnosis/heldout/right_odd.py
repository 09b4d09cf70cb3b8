"""Right code that is odd: unknown functions, views, steep and flat places, extreme numbers."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, right


def wave(x, w):
    return x**2 * np.sin(w), {"x": x, "w": w}


@right(wave, normal(x=(3, 4), w=(3, 4)))
def wave_product(dy, c):
    return 2 * c["x"] * np.sin(c["w"]) * dy, dy * c["x"] ** 2 * np.cos(c["w"])


def bilinear(u, A, v):
    return ((u @ A) * v).sum(axis=1), (u, A, v)


@right(bilinear, normal(u=(4, 3), A=(3, 3), v=(4, 3)))
def bilinear_square(dy, cache):
    u, A, v = cache
    g = dy[:, None]
    return g * (v @ A.T), np.einsum("b,bi,bj->ij", dy, u, v), g * (u @ A)


def running_sum(x):
    return np.cumsum(x, axis=0), None


@right(running_sum, normal(x=(5, 2)))
def running_sum_from_behind(dy, cache):
    return np.cumsum(dy[::-1], axis=0)[::-1]


def outer(a, b):
    return np.outer(a, b), (a, b)


@right(outer, normal(a=(3,), b=(5,)))
def outer_product(dM, cache):
    a, b = cache
    return dM @ b, a @ dM


def transpose(x):
    return x.T, None


@right(transpose, normal(x=(3, 5)))
def transpose_returns_a_view(dy, cache):
    return dy.T


def broadcast(x):
    return x.sum(), x.shape


@right(broadcast, normal(x=(3, 4)))
def sum_returns_a_read_only_view(dy, shape):
    return np.broadcast_to(np.asarray(dy), shape)


def every_other(x):
    return x[:, ::2].T, x.shape


@right(every_other, normal(x=(3, 7)))
def strided_view(dy, shape):
    dx = np.zeros(shape, dy.dtype)
    dx[:, ::2] = dy.T
    return dx


def sort(x):
    order = np.argsort(x, axis=1)
    return np.take_along_axis(x, order, 1), order


@right(sort, normal(x=(3, 6)))
def sorted_rows(dy, order):
    dx = np.empty_like(dy)
    np.put_along_axis(dx, order, dy, axis=1)
    return dx


def largest(x):
    return x.max(axis=1), (x, x.argmax(axis=1))


@right(largest, normal(x=(4, 5)))
def largest_of_a_row(dy, cache):
    x, at = cache
    dx = np.zeros_like(x)
    dx[np.arange(len(x)), at] = dy
    return dx


def rounded(x):
    return np.round(x) * 3, x


@right(rounded, lambda rng: {"x": np.arange(12).reshape(3, 4) + rng.uniform(0.1, 0.4, (3, 4))})
def steps_are_flat(dy, x):
    return np.zeros_like(x)


def norm(x):
    length = np.sqrt((x**2).sum(axis=1, keepdims=True))
    return x / length, (x, length)


@right(norm, normal(x=(4, 3)))
def unit_vectors(dy, cache):
    x, length = cache
    u = x / length
    return (dy - u * (dy * u).sum(1, keepdims=True)) / length


def log_determinant(A):
    return np.linalg.slogdet(A)[1], A


@right(log_determinant, lambda rng: {"A": rng.standard_normal((3, 3)) + 3 * np.eye(3)})
def inverse_transposed(dy, A):
    return dy * np.linalg.inv(A).T


def distances(p, q):
    return ((p[:, None] - q[None]) ** 2).sum(-1), (p, q)


@right(distances, normal(p=(4, 2), q=(3, 2)))
def distances_both_ways(dy, cache):
    p, q = cache
    d = 2 * dy[..., None] * (p[:, None] - q)
    return d.sum(1), -d.sum(0)


def power(x, exponent):
    return x**exponent, (x, exponent)


@right(power, lambda rng: {"x": rng.uniform(0.5, 2, (3, 4)), "exponent": 3})
def power_of_an_integer(dy, cache):
    x, n = cache
    return n * x ** (n - 1) * dy


def logarithm(x):
    return np.log(x), x


@right(logarithm, lambda rng: {"x": rng.uniform(1e-4, 1, (3, 4))})
def logarithm_near_zero(dy, x):
    return dy / x


def square_root(x):
    return np.sqrt(x), x


@right(square_root, lambda rng: {"x": rng.uniform(1e4, 1e6, (3, 3))})
def root_of_large_numbers(dy, x):
    return 0.5 * dy / np.sqrt(x)


def steep(x):
    return np.tanh(200 * x), x


@right(steep, lambda rng: {"x": 0.01 * rng.standard_normal((3, 4))})
def steep_slope(dy, x):
    return 200 * dy * (1 - np.tanh(200 * x) ** 2)


def small_numbers(x):
    return 1e-6 * np.sin(x), x


@right(small_numbers, normal(x=(3, 4)))
def small_gradient(dy, x):
    return 1e-6 * np.cos(x) * dy


def large_numbers(x):
    return 1e6 * np.cos(x), x


@right(large_numbers, normal(x=(3, 4)))
def large_gradient(dy, x):
    return -1e6 * np.sin(x) * dy


@right(large_numbers, normal(x=(3, 4)), dtype="float32")
def large_gradient_float32(dy, x):
    return -np.float32(1e6) * np.sin(x) * dy


def mixed_sizes(x, scale):
    return x * scale, (x, scale)


@right(mixed_sizes, lambda rng: {"x": rng.standard_normal((3, 4)), "scale": np.logspace(-6, 4, 4)})
def columns_of_all_sizes(dy, cache):
    x, scale = cache
    return dy * scale, (dy * x).sum(axis=0)


def offset(x):
    """A large constant that hides the small part."""
    return 1e8 + x**2, x


@right(offset, normal(x=(3, 4)))
def large_offset(dy, x):
    return 2 * x * dy


def table_rows(table, index):
    return table[index], (table.shape, index)


@right(
    table_rows,
    lambda rng: {"table": rng.standard_normal((5, 3)), "index": np.array([4, 0, 4, 2])},
)
def table_added_at(dy, cache):
    shape, index = cache
    dtable = np.zeros(shape, dy.dtype)
    np.add.at(dtable, index, dy)
    return dtable


def codebook(z, codes, index):
    return z - codes[index], (codes.shape, index)


@right(
    codebook,
    lambda rng: {
        "z": rng.standard_normal((4, 2)),
        "codes": rng.standard_normal((3, 2)),
        "index": np.array([2, 2, 0, 1]),
    },
)
def codebook_one_hot(dy, cache):
    (K, _), index = cache
    return dy, -np.eye(K)[index].T @ dy


def flag(x, negate):
    return (-x if negate else x) ** 3, (x, negate)


@right(flag, lambda rng: {"x": rng.standard_normal((3, 3)), "negate": True})
def option_that_is_a_flag(dy, cache):
    x, negate = cache
    return dy * 3 * x**2 * (-1 if negate else 1)


def named(x, mode):
    return {"sin": np.sin, "cos": np.cos}[mode](x), x


@right(named, lambda rng: {"x": rng.standard_normal((2, 3)), "mode": "sin"})
def option_that_is_a_word(dy, x):
    return dy * np.cos(x)


def closure(x):
    y = np.exp(x)
    return y, lambda dy: dy * y


@right(closure, normal(x=(3, 4)))
def cache_that_is_a_function(dy, back):
    return back(dy)


def from_lists(x, w):
    return np.asarray(x) * np.asarray(w), (x, w)


@right(from_lists, lambda rng: {"x": [1.0, -2.0, 0.5], "w": [0.3, 0.7, -1.1]})
def arguments_that_are_lists(dy, cache):
    x, w = cache
    return dy * w, dy * x


def weights_only(x, w):
    return x @ w, (x, w)


@right(weights_only, lambda rng: {"x": rng.integers(-3, 4, (5, 3)), "w": rng.standard_normal(3)})
def data_of_integers(dy, cache):
    x, _ = cache
    return {"w": x.T @ dy}


def huge(x, w):
    return x * w, (x, w)


@right(huge, normal(x=(20, 30), w=(30,)))
def more_entries_than_are_compared(dy, cache):
    x, w = cache
    return dy * w, (dy * x).sum(0)


def columns(x):
    return np.asfortranarray(np.exp(x)), x


@right(columns, lambda rng: {"x": np.asfortranarray(rng.standard_normal((4, 3)))})
def columns_first_in_memory(dy, x):
    return np.asfortranarray(dy * np.exp(x))


def empty_part(x, w):
    return x @ w, (x, w)


@right(empty_part, normal(x=(4, 3), w=(3, 0)), wrt="x w")
def no_outputs_at_all(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy
