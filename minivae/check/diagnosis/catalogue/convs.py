"""Convolution (as cross-correlation), pooling and upsampling of images, as plain loops."""

from collections.abc import Callable

import numpy as np

from ..operations.known import Known, Mutant, Values, mutants, only

Turn = Callable[[np.ndarray], np.ndarray]


def _pad(x: np.ndarray, p: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))


def _correlate(x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    """X (B, H, W, C) with w (R, S, C, F) -> y (B, H', W', F)."""
    R, S = w.shape[:2]
    x = _pad(x, pad)
    height, width = (x.shape[1] - R) // stride + 1, (x.shape[2] - S) // stride + 1
    y = np.zeros((len(x), height, width, w.shape[3]), np.result_type(x, w))
    for r in range(R):
        for s in range(S):
            y += x[:, r : r + stride * height : stride, s : s + stride * width : stride] @ w[r, s]
    return y


def _back_x(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int, pad: int, add: bool = True
) -> np.ndarray:
    R, S = w.shape[:2]
    dx = np.zeros(_pad(x, pad).shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = np.einsum("bf,rscf->brsc", dy[:, i, j], w)
            at = np.s_[:, i * stride : i * stride + R, j * stride : j * stride + S]
            dx[at] = dx[at] + window if add else window
    return dx


def _crop(dx: np.ndarray, x: np.ndarray, pad: int) -> np.ndarray:
    return dx[:, pad : pad + x.shape[1], pad : pad + x.shape[2]]


def _back_w(dy: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    R, S = w.shape[:2]
    x = _pad(x, pad)
    height, width = dy.shape[1:3]
    dw = np.zeros(w.shape)
    for r in range(R):
        for s in range(S):
            part = x[:, r : r + stride * height : stride, s : s + stride * width : stride]
            dw[r, s] = np.einsum("bijc,bijf->cf", part, dy)
    return dw


def _conv(
    name: str,
    axes: tuple[tuple[str, ...], tuple[str, ...]],
    to_last: Turn,
    from_last: Turn,
    w_in: Turn,
    w_out: Turn,
    bias: bool,
) -> Known:
    """A layout of the convolution: to and from (B, H, W, C) and (R, S, C, F)."""

    def at(v: Values) -> tuple:
        return to_last(v.x), w_in(v.W), v.stride, v.pad

    def forward(v: Values) -> np.ndarray:
        y = _correlate(*at(v))
        return from_last(y + v.b.reshape(-1) if bias else y)

    def x_like(change: Callable) -> Callable:
        def gradient(dy: np.ndarray, v: Values) -> np.ndarray:
            return from_last(change(to_last(dy), *at(v)))

        return gradient

    def w_like(change: Callable) -> Callable:
        def gradient(dy: np.ndarray, v: Values) -> np.ndarray:
            return w_out(change(to_last(dy), *at(v)))

        return gradient

    def flipped(w: np.ndarray) -> np.ndarray:
        return w[::-1, ::-1]

    mend = (
        "in every window, dx_padded[:, i*s:i*s+R, j*s:j*s+S] += dout at (i, j) times {W}; then cut "
        "the padding off"
    )
    dw_mend = "d{W} is the sum over examples and windows of the window of {x} times dout there"
    wrong: tuple[Mutant, ...] = mutants(
        "x",
        ("overlap", "windows that overlap are overwritten instead of added",
         x_like(lambda dy, x, w, s, p: _crop(_back_x(dy, x, w, s, p, add=False), x, p))),
        ("permuted", "the kernel is turned by 180 degrees once too often, or not",
         x_like(lambda dy, x, w, s, p: _crop(_back_x(dy, x, flipped(w), s, p), x, p))),
        ("some_entries", "the padding is not cut off at the right place, the gradient is shifted",
         x_like(lambda dy, x, w, s, p: _back_x(dy, x, w, s, p)[ :, : x.shape[1], : x.shape[2]])),
        ("permuted", "the padding is not cut off at the right place, the gradient is shifted",
         x_like(lambda dy, x, w, s, p: _back_x(dy, x, w, s, p)[ :, : x.shape[1], : x.shape[2]])),
        ("some_entries", "the padding is not cut off",
         x_like(lambda dy, x, w, s, p: _back_x(dy, x, w, s, p))),
        ("transpose", "the two sides of the kernel are exchanged",
         x_like(lambda dy, x, w, s, p: _crop(_back_x(dy, x, w.transpose(1, 0, 2, 3), s, p), x, p))),
        ("some_entries", "the stride is left out, the windows are put next to each other",
         x_like(lambda dy, x, w, s, p: _crop(_back_x(dy, x, w, 1, p), x, p))),
    ) + mutants(
        "W",
        ("permuted", "the kernel's gradient is turned by 180 degrees",
         w_like(lambda dy, x, w, s, p: flipped(_back_w(dy, x, w, s, p)))),
        ("mean_for_sum", "a mean over the windows stands where the sum belongs",
         w_like(lambda dy, x, w, s, p: _back_w(dy, x, w, s, p) / (dy.shape[1] * dy.shape[2]))),
        ("mean_for_sum", "a mean over examples and windows stands where the sum belongs",
         w_like(lambda dy, x, w, s, p: _back_w(dy, x, w, s, p) * w.shape[3] / dy.size)),
        ("overlap", "only the last window is in it, the others are overwritten",
         w_like(lambda dy, x, w, s, p: _back_w(_last_window(dy), x, w, s, p))),
        ("no_sum", "only the last window of the last example is in it",
         w_like(lambda dy, x, w, s, p: _back_w(_last_window(only(-1)(dy)), x, w, s, p))),
        ("some_entries", "the stride is left out, the windows are taken next to each other",
         w_like(lambda dy, x, w, s, p: _back_w(dy, x, w, 1, p))),
        ("some_entries", "the padding is left out, the windows are shifted",
         w_like(lambda dy, x, w, s, p: _back_w(dy, np.pad(x, ((0, 0), (0, 2 * p), (0, 2
             * p), (0, 0))), w, s, 0))),
    )  # fmt: skip
    gradients = {
        "x": x_like(lambda dy, x, w, s, p: _crop(_back_x(dy, x, w, s, p), x, p)),
        "W": w_like(_back_w),
    }
    roles = {"x": axes[0], "W": axes[1]}
    mends = {"x": mend, "W": dw_mend}
    if bias:
        roles["b"] = ("F",)
        b_mend = "{b} is added at every place, d{b} = dout summed over examples and places"
        mends["b"] = b_mend
        gradients["b"] = lambda dy, v: to_last(dy).sum(axis=(0, 1, 2))
        wrong += mutants(
            "b",
            ("mean_for_sum", "a mean stands where the sum belongs",
             lambda dy, v: to_last(dy).mean(axis=(0, 1, 2))),
            ("no_sum", "the sum over the places is missing", lambda dy, v: to_last(dy).sum(axis=0)),
            ("no_sum", "the sum over the batch is missing",
             lambda dy, v: to_last(dy).sum(axis=(1, 2))),
            ("overlap", "only the last place is in it",
             lambda dy, v: to_last(dy)[:, -1, -1].sum(axis=0)),
        )  # fmt: skip

    def smaller(v: Values, rng: np.random.Generator) -> None:
        v.stride, v.pad = 2, 1

    return Known(
        name,
        "a convolution of {x} with {W}",
        roles,
        forward,
        gradients,
        wrong,
        options={"stride": (1, 2, 3), "pad": (0, 1, 2)},
        draw=smaller,
        sizes={"B": 2, "H": 5, "W": 7, "R": 3, "S": 3, "C": 2, "F": 4},
        mends=mends,
    )


def _last_window(dy: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(dy)
    kept[:, -1, -1] = dy[:, -1, -1]
    return kept


def _same(a: np.ndarray) -> np.ndarray:
    return a


def _last(a: np.ndarray) -> np.ndarray:
    return a.transpose(0, 2, 3, 1) if a.ndim == 4 else a


def _first(a: np.ndarray) -> np.ndarray:
    return a.transpose(0, 3, 1, 2) if a.ndim == 4 else a


_NHWC, _NCHW = ("B", "H", "W", "C"), ("B", "C", "H", "W")
_RSCF, _FCRS = ("R", "S", "C", "F"), ("F", "C", "R", "S")


def _to_rscf(w: np.ndarray) -> np.ndarray:
    return w.transpose(2, 3, 1, 0)


def _to_fcrs(w: np.ndarray) -> np.ndarray:
    return w.transpose(3, 2, 0, 1)


def _pooled(name: str, axes: tuple[str, ...], to_last: Turn, from_last: Turn) -> Known:
    """Max pooling with windows that do not overlap."""

    def blocks(v: Values, x: np.ndarray) -> np.ndarray:
        x = to_last(x)
        B, H, W, C = x.shape
        k = v.size
        return x.reshape(B, H // k, k, W // k, k, C)

    def unblocks(v: Values, b: np.ndarray) -> np.ndarray:
        B, H, k, W, _, C = b.shape
        return from_last(b.reshape(B, H * k, W * k, C))

    def forward(v: Values) -> np.ndarray:
        return from_last(blocks(v, v.x).max(axis=(2, 4)))

    def share(v: Values, dy: np.ndarray) -> np.ndarray:
        return to_last(dy)[:, :, None, :, None]

    def winner(v: Values) -> np.ndarray:
        b = blocks(v, v.x)
        return b == b.max(axis=(2, 4), keepdims=True)

    mend = "only the largest entry of each window gets the dout of the window"
    wrong = mutants(
        "x",
        ("wrong_mask", "every entry gets the dout of its window",
         lambda dy, v: unblocks(v, share(v, dy) * np.ones_like(blocks(v, v.x)))),
        ("mean_for_sum", "dout is divided among the entries, as for average pooling",
         lambda dy, v: unblocks(v, share(v, dy) * np.ones_like(blocks(v, v.x)) / v.size**2)),
        ("approximation", "dout is divided among the entries, as for average pooling",
         lambda dy, v: unblocks(v, share(v, dy) * np.ones_like(blocks(v, v.x)) / v.size**2)),
        ("wrong_mask", "the smallest entry gets it instead of the largest",
         lambda dy, v: unblocks(v, share(v, dy)
             * (blocks(v, v.x) == blocks(v, v.x).min(axis=(2, 4), keepdims=True)))),
        ("extra_term", "the largest entry itself is multiplied in",
         lambda dy, v: unblocks(v, share(v, dy) * winner(v) * blocks(v, v.x))),
    )  # fmt: skip
    return Known(
        name,
        "max pooling of {x}",
        {"x": axes},
        forward,
        {"x": lambda dy, v: unblocks(v, share(v, dy) * winner(v))},
        wrong,
        options={"size": (2, 3)},
        sizes={"B": 2, "H": 4, "W": 6, "C": 3},
        mends={"x": mend},
    )


KNOWN = [
    _conv("convolution", (_NHWC, _RSCF), _same, _same, _same, _same, True),
    _conv("convolution without bias", (_NHWC, _RSCF), _same, _same, _same, _same, False),
    _conv("convolution, channels first", (_NCHW, _FCRS), _last, _first, _to_rscf, _to_fcrs, True),
    _conv("convolution, channels first, without bias", (_NCHW, _FCRS), _last, _first, _to_rscf,
          _to_fcrs, False),
    _pooled("max pooling", _NHWC, _same, _same),
    _pooled("max pooling, channels first", _NCHW, _last, _first),
]  # fmt: skip
