r"""Gated recurrent unit: a state that is carried from step to step of a sequence.

Shapes: sequences $x$ (B, T, I), first state $h_0$ (B, H), states $h_t$, together $y$ (B, T, H);
weights $W$ (I, 3 H) and $U$ (H, 3 H), biases $b$ (3 H,) and $c$ (H,). The 3 H columns are those of
the reset gate $r$, the update gate $u$ and the new state $n$, in this order. Steps count from 1:

$$ a_t = x_t W + b, \quad s_t = h_{t-1} U \tag{1} $$
$$ r_t = \sigma(a^r_t + s^r_t), \quad u_t = \sigma(a^u_t + s^u_t) \tag{2} $$
$$ m_t = s^n_t + c, \quad n_t = \tanh(a^n_t + r_t \odot m_t) \tag{3} $$
$$ h_t = (1 - u_t) \odot n_t + u_t \odot h_{t-1} \tag{4} $$

Two forms are in use, and this is PyTorch's and cuDNN's: the reset gate acts *after* the product
with $U$, and on the bias $c$ too. Cho et al. (2014) let it act on $h_{t-1}$ before the product.
There are papers in which $u$ and $1 - u$ have changed places.

**Backwards, in time.** $h_t$ acts along two branches: as the output $y_t$, and upon the next step,
which has sent back $q_t$ (0 behind the last step). So the loop runs from the last
step to the first, and begins by adding the two:

$$ g_t = dy_t + q_t \tag{5} $$

From (4), and $\tanh' = 1 - n^2$, the new state; from it, by (3), what it owes to $r$ and to $m$;
and each gate through $\sigma' = \sigma (1 - \sigma)$:

$$ da^n_t = g_t \odot (1 - u_t) \odot (1 - n_t^2), \quad dm_t = da^n_t \odot r_t \tag{6} $$
$$ da^r_t = da^n_t \odot m_t \odot r_t (1 - r_t), \quad
   da^u_t = g_t \odot (h_{t-1} - n_t) \odot u_t (1 - u_t) \tag{7} $$

The state before acts through (1), by $ds_t = (da^r_t, da^u_t, dm_t)$, and directly in (4). A path
on which $u$ is near 1 hands on a gradient nearly whole, over many steps: that is what it is for.

$$ q_{t-1} = ds_t U^\top + g_t \odot u_t \tag{8} $$

The weights are the same in all steps, so their gradients are **sums over the steps**:

$$ dU = \sum_t h_{t-1}^\top ds_t, \quad dc = \sum_{nt} dm_{nt}, \quad
   dW = \sum_t x_t^\top da_t, \quad db = \sum_{nt} da_{nt}, \quad dx_t = da_t W^\top \tag{9} $$

**Padding.** Behind the end of a sequence nothing is scored, so $dy_t = 0$ there, and with it, from
(5) to (9), all else: what stands in the padded steps gets exactly no gradient and gives none.

Source: Cho, van Merriënboer, Gulcehre et al. (2014), section 2.3; the form of (3) by PyTorch's
manual of `torch.nn.GRU`.
"""

import numpy as np

from ..engine import (
    COSTLY,
    INITIALISERS,
    SIZES,
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    array_module,
    door,
    empty,
    in_parts,
    kernel,
    loop,
    matmul,
    same_dtype,
    together,
)
from ..engine.cpu.elementary import sigmoid, tanh
from ..errors import OptionError, ShapeError
from .activations.sigmoid import sigmoid_forward


@door
def forward(x: Array, h0: Array, W: Array, U: Array, b: Array, c: Array) -> tuple[Array, tuple]:
    """States y (B, T, H) from x (B, T, I), h0 (B, H), W (I, G), U (H, G), b (G,), c (H,).

    G is 3 H.
    """
    xp, H = array_module(x, h0, W, U, b, c), h0.shape[1]
    a = x @ W + b  # (1)
    h, states, gates = h0, [h0], []
    for t in range(x.shape[1]):
        s = h @ U  # (1)
        r = sigmoid_forward(a[:, t, :H] + s[:, :H])[0]
        u = sigmoid_forward(a[:, t, H : 2 * H] + s[:, H : 2 * H])[0]  # (2)
        m = s[:, 2 * H :] + c
        n = xp.tanh(a[:, t, 2 * H :] + r * m)  # (3)
        h = (1 - u) * n + u * h  # (4)
        states.append(h)
        gates.append(xp.stack([r, u, n, m], axis=1))
    every = xp.stack(states, axis=1)
    kept = xp.stack(gates, axis=1) if gates else xp.zeros((len(x), 0, 4, H), x.dtype)
    return every[:, 1:], (x, every, kept, W, U)


@door
def backward(
    dy: Array, x: Array, h: Array, gates: Array, W: Array, U: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Gradients dx (B, T, I), dh0 (B, H), dW (I, G), dU (H, G), db (G,), dc (H,) of dy (B, T, H).

    x (B, T, I), h (B, S, H), the states from h0 on, S = T + 1, gates (B, T, 4, H), which are r, u,
    n and m, W (I, G) and U (H, G) are those of the forward pass.
    """
    xp = array_module(dy)
    da = xp.zeros((*dy.shape[:2], W.shape[1]), dy.dtype)
    back, dU, dc = xp.zeros_like(h[:, 0]), xp.zeros_like(U), xp.zeros_like(U[0, : h.shape[2]])
    for t in reversed(range(dy.shape[1])):
        r, u, n, m = (gates[:, t, i] for i in range(4))
        g = dy[:, t] + back  # (5)
        dn = g * (1 - u) * (1 - n * n)
        dm = dn * r  # (6)
        dr, du = dn * m * r * (1 - r), g * (h[:, t] - n) * u * (1 - u)  # (7)
        ds = xp.concatenate([dr, du, dm], axis=1)
        back = ds @ U.T + g * u  # (8)
        dU = dU + h[:, t].T @ ds
        dc = dc + dm.sum(axis=0)
        da[:, t] = xp.concatenate([dr, du, dn], axis=1)
    rows = da.reshape(-1, da.shape[2])
    dW = x.reshape(-1, x.shape[2]).T @ rows
    return da @ W.T, back, dW, dU, rows.sum(axis=0), dc  # (9)


# The kernels: the products of all steps that do not wait for each other are one, before the loop
# forward and behind it backward, and what is left of a step is one product and one loop over its
# numbers. Forward and backward, float32, reference / kernel: 1.1 at 128 x 12 x 48 with 128 states,
# where nearly all is products; 1.5 at 32 x 12 x 20 with 64. In a step they also use its threads.


@loop
def _step(a, s, h, gates, c, t):  # noqa: ANN001, ANN202
    H, one = c.size, c.dtype.type(1)
    for i in range(len(s)):
        before, after = h[i, t], h[i, t + 1]
        ar, au, an = a[i, t, :H], a[i, t, H : 2 * H], a[i, t, 2 * H :]
        sr, su, sn = s[i, :H], s[i, H : 2 * H], s[i, 2 * H :]
        kept_r, kept_u, kept_n, kept_m = (
            gates[i, t, 0],
            gates[i, t, 1],
            gates[i, t, 2],
            gates[i, t, 3],
        )
        for j in range(H):
            r = sigmoid(ar[j] + sr[j])
            u = sigmoid(au[j] + su[j])  # (2)
            m = sn[j] + c[j]
            n = tanh(an[j] + r * m)  # (3)
            after[j] = (one - u) * n + u * before[j]  # (4)
            kept_r[j], kept_u[j], kept_n[j], kept_m[j] = r, u, n, m


@loop
def _step_back(dy, back, h, gates, da, ds, t):  # noqa: ANN001, ANN202
    H, one = back.shape[1], back.dtype.type(1)
    for i in range(len(back)):
        before, later, given = h[i, t], back[i], dy[i, t]
        kept_r, kept_u, kept_n, kept_m = (
            gates[i, t, 0],
            gates[i, t, 1],
            gates[i, t, 2],
            gates[i, t, 3],
        )
        dr, du, dn = da[i, t, :H], da[i, t, H : 2 * H], da[i, t, 2 * H :]
        sr, su, dm = ds[i, :H], ds[i, H : 2 * H], ds[i, 2 * H :]
        for j in range(H):
            r, u, n, m = kept_r[j], kept_u[j], kept_n[j], kept_m[j]
            g = given[j] + later[j]  # (5)
            new = g * (one - u) * (one - n * n)
            reset = new * m * r * (one - r)
            update = g * (before[j] - n) * u * (one - u)  # (7)
            dr[j], du[j], dn[j] = reset, update, new
            sr[j], su[j], dm[j] = reset, update, new * r  # (6)
            later[j] = g * u  # (8), its second part


def _check(x: Array, h0: Array, W: Array, U: Array, b: Array, c: Array) -> None:
    """Raise `ShapeError` or `DtypeError` unless the six fit together."""
    H = h0.shape[-1]
    fit = x.ndim == 3 and h0.shape == (len(x), H) and W.shape == (x.shape[2], 3 * H)
    if not fit or (U.shape, b.shape, c.shape) != ((H, 3 * H), (3 * H,), (H,)):
        raise ShapeError(
            f"x, h0, W, U, b and c have the shapes {x.shape}, {h0.shape}, {W.shape}, {U.shape}, "
            f"{b.shape} and {c.shape}, which do not fit together; give (B, T, I), (B, H), "
            "(I, 3 H), (H, 3 H), (3 H,) and (H,)."
        )
    same_dtype(x=x, h0=h0, W=W, U=U, b=b, c=c)


@kernel("numba", of=forward)
def forward_numba(
    x: Array, h0: Array, W: Array, U: Array, b: Array, c: Array
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    _check(x, h0, W, U, b, c)
    (B, T, I), H, dtype = x.shape, h0.shape[1], x.dtype
    (x,), (c,) = together(x=x), together(c=c)
    a = matmul(x.reshape(B * T, I), W, out=empty((B * T, 3 * H), dtype))  # (1)
    a += b
    a = a.reshape(B, T, 3 * H)
    h, gates = empty((B, T + 1, H), dtype), empty((B, T, 4, H), dtype)
    s, state = empty((B, 3 * H), dtype), empty((B, H), dtype)
    h[:, 0] = h0
    for t in range(T):
        state[...] = h[:, t]
        matmul(state, U, out=s)  # (1)
        in_parts(_step, (a, s, h, gates), c, t, least=COSTLY)
    return h[:, 1:], (x, h, gates, W, U)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, x: Array, h: Array, gates: Array, W: Array, U: Array, **out: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Kernel of `backward`; dW and dU in `out` are where to write."""
    (B, T, I), H, dtype = x.shape, U.shape[0], x.dtype
    if dy.shape != (B, T, H):
        raise ShapeError(f"dy has shape {dy.shape}, but {(B, T, H)} is expected, that of y.")
    same_dtype(dy=dy, x=x)
    (dy,) = together(dy=dy)
    da, ds = empty((B, T, 3 * H), dtype), empty((B, T, 3 * H), dtype)
    back, through, of_step = empty((B, H), dtype), empty((B, H), dtype), empty((B, 3 * H), dtype)
    back[...] = 0
    for t in reversed(range(T)):
        in_parts(_step_back, (dy, back, h, gates, da, of_step), t, least=COSTLY)
        back += matmul(of_step, U.T, out=through)  # (8)
        ds[:, t] = of_step
    rows, moved = da.reshape(B * T, 3 * H), ds.reshape(B * T, 3 * H)
    before = empty((B * T, H), dtype)
    before.reshape(B, T, H)[...] = h[:, :T]
    dW, dU = (out.get(n, empty(w.shape, dtype)) for n, w in (("dW", W), ("dU", U)))
    matmul(x.reshape(B * T, I).T, rows, out=dW)
    matmul(before.T, moved, out=dU)
    dx = matmul(rows, W.T, out=empty((B * T, I), dtype)).reshape(B, T, I)
    return dx, back, dW, dU, rows.sum(axis=0), moved[:, 2 * H :].sum(axis=0)  # (9)


# On the GPU: a product and one launch for each step, forward and backward.

_STEP_CUDA = Elementwise(
    "gru",
    "T ar, T au, T an, T sr, T su, T sn, T c, T h",
    "T after, T r, T u, T n, T m",
    """
    T vr = ar + sr, vu = au + su;
    T er = exp(vr > T(0) ? -vr : vr), eu = exp(vu > T(0) ? -vu : vu);
    r = (vr > T(0) ? T(1) : er) / (T(1) + er);
    u = (vu > T(0) ? T(1) : eu) / (T(1) + eu);  // (2)
    m = sn + c;
    n = tanh(an + r * m);  // (3)
    after = (T(1) - u) * n + u * h;  // (4)
    """,
)

_STEP_BACK_CUDA = Elementwise(
    "gru_backward",
    "T dy, T back, T h, T r, T u, T n, T m",
    "T dr, T du, T dn, T dm, T direct",
    """
    T g = dy + back;  // (5)
    dn = g * (T(1) - u) * (T(1) - n * n);
    dm = dn * r;  // (6)
    dr = dn * m * r * (T(1) - r);
    du = g * (h - n) * u * (T(1) - u);  // (7)
    direct = g * u;  // (8), its second part
    """,
)


def _three(array: Array) -> list[Array]:
    """The columns (..., 3 H) of the reset gate, of the update gate and of the new state."""
    H = array.shape[-1] // 3
    return [array[..., i * H : (i + 1) * H] for i in range(3)]


@kernel("cuda", of=forward)
def forward_cuda(
    x: Array, h0: Array, W: Array, U: Array, b: Array, c: Array
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    xp, (B, T, _), H = array_module(x), x.shape, h0.shape[1]
    a = x @ W + b  # (1)
    h, gates = xp.empty((B, T + 1, H), x.dtype), xp.empty((B, T, 4, H), x.dtype)
    h[:, 0] = h0
    for t in range(T):
        s = h[:, t] @ U  # (1)
        outputs = (h[:, t + 1], *(gates[:, t, i] for i in range(4)))
        _STEP_CUDA(*_three(a[:, t]), *_three(s), c, h[:, t], *outputs)
    return h[:, 1:], (x, h, gates, W, U)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, x: Array, h: Array, gates: Array, W: Array, U: Array, **out: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Kernel of `backward`; dW and dU in `out` are where to write."""
    xp, (B, T, I), H = array_module(dy), x.shape, U.shape[0]
    da, ds = xp.empty((B, T, 3 * H), dy.dtype), xp.empty((B, T, 3 * H), dy.dtype)
    back, direct = xp.zeros((B, H), dy.dtype), xp.empty((B, H), dy.dtype)
    for t in reversed(range(T)):
        (dr, du, dn), dm = _three(da[:, t]), ds[:, t, 2 * H :]
        kept = (gates[:, t, i] for i in range(4))
        _STEP_BACK_CUDA(dy[:, t], back, h[:, t], *kept, dr, du, dn, dm, direct)
        ds[:, t, : 2 * H] = da[:, t, : 2 * H]
        back = ds[:, t] @ U.T + direct  # (8)
    rows, moved = da.reshape(B * T, 3 * H), ds.reshape(B * T, 3 * H)
    dW = xp.matmul(x.reshape(B * T, I).T, rows, out=out.get("dW"))
    dU = xp.matmul(h[:, :T].reshape(B * T, H).T, moved, out=out.get("dU"))
    return da @ W.T, back, dW, dU, rows.sum(axis=0), moved[:, 2 * H :].sum(axis=0)  # (9)


class GRU(Layer):
    """Gated recurrent unit, with `W` (n_in, 3 H), `U` (H, 3 H), `b` (3 H,) and `c` (H,).

    Parameters
    ----------
    n_in : int
        I, numbers of each step.
    n_states : int
        H, numbers of the state.
    rng : numpy.random.Generator
        Draws `W` and `U`, gate by gate; `b` and `c` start at zero.
    init : str
        How they are drawn, as for `Linear`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        n_in: int,
        n_states: int,
        *,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if min(n_in, n_states) < 1:
            raise OptionError(
                f"GRU({n_in}, {n_states}) was asked for, but it takes at least 1 number and has a "
                "state of at least 1."
            )
        if init not in INITIALISERS:
            raise OptionError(f"init={init!r} was given; choose one of: {', '.join(INITIALISERS)}.")
        n = n_states
        shapes = {"W": (n_in, 3 * n), "U": (n, 3 * n), "b": (3 * n,), "c": (n,)}
        super().__init__(shapes, dtype=dtype, backend=backend)
        for name, width in (("W", n_in), ("U", n)):
            gates = [INITIALISERS[init](rng, width, n) for _ in range(3)]
            drawn = np.concatenate(gates, axis=1)
            self.params[name][...] = self.backend.asarray(drawn, self.params.dtype)
        self.n_in, self.n_states = int(n_in), int(n_states)

    def forward(self, x: Array, h0: Array) -> Array:
        """Return the states (B, T, H) for x (B, T, n_in) and the first state h0 (B, H)."""
        self.expect("x", x, ("B", "T", self.n_in))
        self.expect("h0", h0, (len(x), self.n_states))
        weights = (self.params[name] for name in ("W", "U", "b", "c"))
        y, self.cache = self.call(forward, x, h0, *weights)
        return y

    def backward(self, dy: Array) -> tuple[Array, Array]:
        """Overwrite the gradients of the weights; return dx (B, T, n_in) and dh0 (B, H)."""
        cache = self.saved()
        self.expect("dy", dy, (*cache[0].shape[:2], self.n_states))
        out = {"dW": self.params.grad_of("W"), "dU": self.params.grad_of("U")}
        dx, dh0, dW, dU, db, dc = self.call(backward, dy, *cache, out=out)
        self.params.set_grads(W=dW, U=dU, b=db, c=dc)
        return dx, dh0

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From (B, T, n_in) to (B, T, H)."""
        return (*shape[:-1], self.n_states)

    def __repr__(self) -> str:
        return f"GRU({self.n_in}, {self.n_states})"


CASES = [
    Case(
        "gru",
        forward,
        backward,
        vary={
            "x": ("B", "T", "I"),
            "h0": ("B", "h"),
            "W": ("I", "G"),
            "U": ("h", "G"),
            "b": ("G",),
            "c": ("h",),
        },
        output=("B", "T", "h"),
        layer=lambda **how: GRU(SIZES["I"], 2, rng=np.random.default_rng(1), **how),
        sizes={"T": 4, "h": 2, "G": 6},
    ),
]
