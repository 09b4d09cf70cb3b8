"""Kinds of mistakes in layers that are no textbook operation: each is pointed at, or named.

A kind is a file as a student writes it, which is right, and the slips that are planted in it: what
stands there, what is put in its place, and the names that would do where no line is found.
"""

import numpy as np
import pytest

from minivae.check.report.result import BUT, RIGHT, WRONG

from .test_edits import edits_of, report_on

KINDS = {
    "norm3": """
        import numpy as np
        def norm3_forward(x, gamma, beta):
            centred = x - x.mean(axis=2, keepdims=True)
            std = np.sqrt((centred**2).mean(axis=2, keepdims=True) + 1e-4)
            unit = centred / std
            return unit * gamma + beta, (unit, std, gamma)
        def norm3_backward(dout, cache):
            unit, std, gamma = cache
            d = dout * gamma
            dx = (d - d.mean(axis=2, keepdims=True)
                  - unit * (d * unit).mean(axis=2, keepdims=True)) / std
            return dx, (dout * unit).sum(axis=(0, 1)), dout.sum(axis=(0, 1))
    """,
    "composed": """
        import numpy as np
        def composed_forward(x, W, scale, shift):
            a = x @ W
            N = len(x)
            root = np.sqrt(a.var(axis=0) + 1e-5)
            centred = a - a.mean(axis=0)
            unit = centred / root
            y = scale * unit + shift
            return y * (y > 0), (x, W, centred, root, unit, scale, y)
        def composed_backward(dout, cache):
            x, W, centred, root, unit, scale, y = cache
            N = len(x)
            dy = dout * (y > 0)
            dunit = dy * scale
            dvar = (-0.5 * dunit * centred / root**3).sum(axis=0)
            dmean = -(dunit / root).sum(axis=0)
            da = dunit / root + 2 * dvar * centred / N + dmean / N
            dscale = (dy * unit).sum(axis=0)
            dshift = dy.sum(axis=0)
            dW = x.T @ da
            dx = da @ W.T
            return dx, dW, dscale, dshift
    """,
    "recurrent": """
        import numpy as np
        def recurrent_forward(x, h0, U, V):
            h = [h0]
            for t in range(len(x)):
                h.append(np.tanh(x[t] @ U + h[t] @ V))
            return np.stack(h[1:]), (x, h, U, V)
        def recurrent_backward(dout, cache):
            x, h, U, V = cache
            dx, dU, dV = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V)
            dnext = np.zeros_like(h[0])
            for t in reversed(range(len(x))):
                dh = dout[t] + dnext
                da = dh * (1 - h[t + 1] ** 2)
                dx[t] = da @ U.T
                dU += x[t].T @ da
                dV += h[t].T @ da
                dnext = da @ V.T
            return dx, dnext, dU, dV
    """,
    "table": """
        import numpy as np
        IDS = np.array([[0, 2, 2], [3, 2, 3]])
        def table_forward(E):
            return 2 * E[IDS], E
        def table_backward(dout, E):
            dE = np.zeros_like(E)
            np.add.at(dE, IDS, 2 * dout)
            return dE
    """,
    "units": """
        import numpy as np
        def units_forward(v, p):
            length = np.sqrt(np.sum(v**2, axis=1, keepdims=True))
            unit = v / length
            return unit @ p, (unit, length, p)
        def units_backward(dout, cache):
            unit, length, p = cache
            d = dout @ p.T
            dv = (d - unit * (d * unit).sum(axis=1, keepdims=True)) / length
            return dv, unit.T @ dout
    """,
    "softplus": """
        import numpy as np
        def softplus_forward(mean, raw, eps):
            std = np.log1p(np.exp(raw))
            return mean + std * eps, (raw, std, eps)
        def softplus_backward(dz, cache):
            raw, std, eps = cache
            slope = 1 / (1 + np.exp(-raw))
            draw = dz * eps * slope
            return dz, draw
    """,
    "heads": """
        import numpy as np
        def heads_forward(h, W, eps):
            mu, logvar = np.split(h @ W, 2, axis=1)
            std = np.exp(0.5 * logvar)
            return mu + std * eps, (h, W, std, eps)
        def heads_backward(dz, cache):
            h, W, std, eps = cache
            dlogvar = 0.5 * dz * std * eps
            d = np.concatenate([dz, dlogvar], axis=1)
            return d @ W.T, h.T @ d
    """,
    "attention": """
        import numpy as np
        def attention_forward(q, k, v):
            s = q @ k.transpose(0, 2, 1) / 2
            e = np.exp(s - s.max(axis=2, keepdims=True))
            p = e / e.sum(axis=2, keepdims=True)
            return p @ v, (q, k, v, p)
        def attention_backward(dout, cache):
            q, k, v, p = cache
            dv = p.transpose(0, 2, 1) @ dout
            dp = dout @ v.transpose(0, 2, 1)
            ds = p * (dp - (dp * p).sum(axis=2, keepdims=True)) / 2
            dq = ds @ k
            dk = ds.transpose(0, 2, 1) @ q
            return dq, dk, dv
    """,
    "penalty": """
        import numpy as np
        def penalty_loss(w, X, y):
            return np.mean((X @ w - y) ** 2) + 0.3 * np.sum(w**2)
        def penalty_backward(w, X, y):
            residual = X @ w - y
            dw = 2 * X.T @ residual / len(X) + 0.6 * w
            return {"w": dw}
    """,
    "padded": """
        import numpy as np
        MASK = np.array([[1.0, 1, 1, 0], [1, 1, 0, 0]])[:, :, None]
        def padded_forward(h):
            y = np.tanh(h)
            return y * MASK, (y, MASK)
        def padded_backward(dout, cache):
            y, mask = cache
            dy = dout * mask
            return dy * (1 - y**2)
    """,
    "cropped": """
        import numpy as np
        def cropped_forward(x):
            return np.pad(x, 1)[:, 2:] ** 2, x
        def cropped_backward(dy, x):
            padded = np.pad(x, 1)
            dpadded = np.zeros_like(padded)
            dpadded[:, 2:] = 2 * dy * padded[:, 2:]
            return dpadded[1:-1, 1:-1]
    """,
    "mean": """
        import numpy as np
        def mean_loss(w, b, X):
            return np.sum(np.sin(X @ w + b)) / len(X)
        def mean_backward(w, b, X):
            d = np.cos(X @ w + b)
            dw = X.T @ d / len(X)
            db = d.sum(keepdims=True) / len(X)
            dX = np.outer(d, w) / len(X)
            return {"w": dw, "b": db, "X": dX}
    """,
}
SHAPES = {
    "norm3": {"x": (2, 3, 4), "gamma": (4,), "beta": (4,)},
    "composed": {"x": (6, 3), "W": (3, 4), "scale": (4,), "shift": (4,)},
    "recurrent": {"x": (4, 2, 3), "h0": (2, 5), "U": (3, 5), "V": (5, 5)},
    "table": {"E": (5, 3)},
    "units": {"v": (4, 3), "p": (3, 2)},
    "softplus": {"mean": (4, 3), "raw": (4, 3), "eps": (4, 3)},
    "heads": {"h": (4, 3), "W": (3, 4), "eps": (4, 2)},
    "attention": {"q": (2, 3, 4), "k": (2, 3, 4), "v": (2, 3, 5)},
    "penalty": {"w": (4,), "X": (6, 4), "y": (6,)},
    "padded": {"h": (2, 4, 3)},
    "cropped": {"x": (3, 4)},
    "mean": {"w": (3,), "b": (1,), "X": (5, 3)},
}
SLIPS = [  # kind, what stands there, what is planted, names that would do
    ("norm3", "(d - d.mean(axis=2, keepdims=True)", "(d", "constant_stats"),
    ("norm3", "d.mean(axis=2,", "d.mean(axis=1,", "wrong_axis"),
    ("norm3", "dout.sum(axis=(0, 1))", "dout.sum(axis=1)", "no_sum wrong_axis"),
    ("composed", "2 * dvar * centred / N", "2 * dvar * centred / (N - 1)", "dims"),
    ("composed", "+ dmean / N", "", "constant_stats"),
    ("composed", "/ root**3).sum(axis=0)", "/ root**3).sum()", "wrong_axis"),
    ("composed", "(dy * unit).sum(axis=0)", "(dy * unit).sum(axis=0, keepdims=True)", "permuted"),
    ("recurrent", "dout[t] + dnext", "dout[t]", "overwritten_branch"),
    ("recurrent", "dh * (1 - h[t + 1] ** 2)", "dh", "derivative_missing"),
    ("recurrent", "da @ V.T", "da @ V", "transpose"),
    ("recurrent", "h[t].T @ da", "h[t + 1].T @ da", "swapped"),
    ("table", "np.add.at(dE, IDS, 2 * dout)", "dE[IDS] += 2 * dout", "overlap"),
    ("units", "(d - unit * (d * unit).sum(axis=1, keepdims=True))", "d", "constant_stats"),
    ("softplus", "dz * eps * slope", "dz * eps * std", "approximation"),
    ("softplus", "dz * eps * slope", "dz * eps", "derivative_missing"),
    ("heads", "[dz, dlogvar]", "[dlogvar, dz]", "swapped permuted"),
    ("heads", "0.5 * dz * std", "dz * std", "factor"),
    ("attention", "(dp * p).sum(axis=2,", "(dp * p).sum(axis=1,", "wrong_axis"),
    ("attention", "(dp - (dp * p).sum(axis=2, keepdims=True))", "dp", "missing_term"),
    ("attention", "keepdims=True)) / 2", "keepdims=True))", "factor"),
    ("penalty", "residual / len(X)", "residual", "batch dims"),
    ("penalty", " + 0.6 * w", "", "missing_term"),
    ("penalty", "0.6 * w", "0.3 * w", "factor beta"),
    ("padded", "dy = dout * mask", "dy = dout", "wrong_mask"),
    ("cropped", "dpadded[1:-1, 1:-1]", "dpadded[:-2, 1:-1]", "permuted"),
    ("mean", "d.sum(keepdims=True) / len(X)", "d.sum(keepdims=True)", "batch dims"),
]


def text_of(kind):
    lines = KINDS[kind].strip("\n").splitlines()
    return "\n".join(line[8:] for line in lines) + "\n"


def checked(kind, text, path):
    rng = np.random.default_rng(12)
    inputs = {n: 0.8 * rng.standard_normal(shape) for n, shape in SHAPES[kind].items()}
    return report_on(kind, text, path, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_file_passes(kind, tmp_path):
    report = checked(kind, text_of(kind), tmp_path / f"{kind}_right.py")
    assert report.verdict in (RIGHT, BUT), str(report)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    results = []
    for i, (kind, old, new, names) in enumerate(SLIPS):
        text = text_of(kind)
        assert text.count(old) == 1, old
        line = text[: text.index(old)].count("\n") + 1
        report = checked(kind, text.replace(old, new), folder / f"{kind}{i}.py")
        lines = {d.line for d in edits_of(report)}
        said = {d.key for array in report.arrays for d in array.diagnoses[:2] if not d.line}
        results.append((f"{kind}: {new}", report, line in lines, lines, said & set(names.split())))
    return results


@pytest.mark.slow
def test_every_slip_is_called_wrong(found):
    assert all(report.verdict == WRONG for _, report, *_ in found)


def test_every_slip_is_pointed_at_or_named(found):
    missed = [slip for slip, _, _, lines, names in found if not (lines or names)]
    assert not missed


def test_most_are_pointed_at_on_their_line(found):
    elsewhere = [slip for slip, _, there, *_ in found if not there]
    assert len(elsewhere) <= 0.25 * len(SLIPS), elsewhere


def test_two_returns_that_lack_the_same(tmp_path):
    """The same division is missing twice: two edits, one for each gradient."""
    text = text_of("mean").replace("d / len(X)", "d").replace("True) / len(X)", "True)")
    report = checked("mean", text, tmp_path / "twice.py")
    assert {d.line for d in edits_of(report)} == {6, 7}
