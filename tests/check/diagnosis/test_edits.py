"""The change that makes a student's gradient right: found, on the right line, and never made up."""

import importlib.util
import re
import textwrap

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.report.result import BUT, RIGHT, WRONG
from minivae.course.grading.told import HINTS, told

PAIRS = {
    "dense": """
        def dense_forward(x, W, b):
            y = np.tanh(x @ W + b)
            return y, (x, W, y)


        def dense_backward(dy, cache):
            x, W, y = cache
            dz = dy * (1 - y**2)
            dW = x.T @ dz
            db = dz.sum(axis=0)
            dx = dz @ W.T
            return dx, dW, db
    """,
    "kl": """
        def kl_forward(mu, logvar):
            kl = 0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1)
            return kl, (mu, logvar)


        def kl_backward(dkl, cache):
            mu, logvar = cache
            dmu = dkl * mu
            dlogvar = dkl * 0.5 * (np.exp(logvar) - 1)
            return dmu, dlogvar
    """,
    "norm": """
        def norm_forward(x, gamma, beta):
            centred = x - x.mean(axis=0)
            inv = 1 / np.sqrt((centred**2).mean(axis=0) + 1e-3)
            xhat = centred * inv
            return gamma * xhat + beta, (xhat, inv, gamma)


        def norm_backward(dy, cache):
            xhat, inv, gamma = cache
            dgamma = np.sum(dy * xhat, axis=0)
            dbeta = np.sum(dy, axis=0)
            dxhat = dy * gamma
            through = dxhat.mean(axis=0) + xhat * np.mean(dxhat * xhat, axis=0)
            dx = inv * (dxhat - through)
            return dx, dgamma, dbeta
    """,
    "rows": """
        def rows_forward(x, W):
            ids = np.array([0, 2, 2, 1])
            return x * W[ids], (x, W, ids)


        def rows_backward(dout, cache):
            x, W, ids = cache
            dW = np.zeros_like(W)
            np.add.at(dW, ids, dout * x)
            dx = dout * W[ids]
            return dx, dW
    """,
    "steps": """
        def steps_forward(x, W, U):
            h = np.zeros((len(x) + 1, len(U)))
            for t in range(len(x)):
                h[t + 1] = np.tanh(x[t] @ W + h[t] @ U)
            return h[1:], (x, W, U, h)


        def steps_backward(dh, cache):
            x, W, U, h = cache
            dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
            carry = np.zeros(len(U))
            for t in reversed(range(len(x))):
                da = (dh[t] + carry) * (1 - h[t + 1] ** 2)
                dW += np.outer(x[t], da)
                dU += np.outer(h[t], da)
                dx[t] = W @ da
                carry = U @ da
            return dx, dW, dU
    """,
}
PAIRS = {name: "import numpy as np\n" + textwrap.dedent(text) for name, text in PAIRS.items()}
SHAPES = {
    "dense": {"x": (3, 4), "W": (4, 2), "b": (2,)},
    "kl": {"mu": (3, 2), "logvar": (3, 2)},
    "norm": {"x": (4, 3), "gamma": (3,), "beta": (3,)},
    "rows": {"x": (4, 2), "W": (3, 2)},
    "steps": {"x": (4, 2), "W": (2, 3), "U": (3, 3)},
}
SLIPS = [  # pair, what stands there, what is planted
    ("dense", "dy * (1 - y**2)", "dy * (1 - y)"),
    ("dense", "dy * (1 - y**2)", "dy * (1 + y**2)"),
    ("dense", "dz.sum(axis=0)", "dz.mean(axis=0)"),
    ("dense", "dx = dz @ W.T", "dx = dy @ W.T"),
    ("dense", "dW = x.T @ dz", "dW = -x.T @ dz"),
    ("dense", "return y, (x, W, y)", "return y, (x, W, x @ W + b)"),
    ("kl", "dmu = dkl * mu", "dmu = dkl * 2 * mu"),
    ("kl", "dmu = dkl * mu", "dmu = mu"),
    ("kl", "(np.exp(logvar) - 1)", "np.exp(logvar)"),
    ("kl", "(np.exp(logvar) - 1)", "(np.exp(logvar) + 1)"),
    ("kl", "0.5 * (np.exp", "(np.exp"),
    ("norm", "dxhat.mean(axis=0) + xhat * np.mean(dxhat * xhat, axis=0)", "dxhat.mean(axis=0)"),
    ("norm", "dx = inv * (dxhat", "dx = (dxhat"),
    ("norm", "np.sum(dy * xhat, axis=0)", "np.sum(dy, axis=0)"),
    ("norm", "np.mean(dxhat * xhat, axis=0)", "np.sum(dxhat * xhat, axis=0)"),
    ("norm", "dxhat = dy * gamma", "dxhat = dy"),
    ("rows", "np.add.at(dW, ids, dout * x)", "dW[ids] += dout * x"),
    ("rows", "np.add.at(dW, ids, dout * x)", "np.add.at(dW, ids, dout)"),
    ("steps", "(dh[t] + carry) *", "dh[t] *"),
    ("steps", "dW += np.outer(x[t], da)", "dW = np.outer(x[t], da)"),
    ("steps", "np.outer(h[t], da)", "np.outer(h[t + 1], da)"),
    ("steps", "carry = U @ da", "carry = U.T @ da"),
    ("steps", "reversed(range(len(x)))", "range(len(x))"),
]


def load(text, path):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report_on(name, text, path, inputs=None):
    module = load(text, path)
    rng = np.random.default_rng(0)
    if inputs is None:
        inputs = {n: rng.standard_normal(shape) for n, shape in SHAPES[name].items()}
    forward = getattr(module, f"{name}_forward", None) or getattr(module, f"{name}_loss")
    return check_gradients(forward, getattr(module, f"{name}_backward"), inputs)


def edits_of(report):
    return {d for array in report.arrays for d in array.diagnoses if d.line}


def planted(name, old, new):
    before = PAIRS[name]
    assert before.count(old) == 1
    return before.replace(old, new), before[: before.index(old)].count("\n") + 1


@pytest.mark.parametrize("name", PAIRS)
def test_right_pairs_are_right(name, tmp_path):
    report = report_on(name, PAIRS[name], tmp_path / "right.py")
    assert report.verdict in (RIGHT, BUT)
    assert not edits_of(report)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    results = []
    for i, slip in enumerate(SLIPS):
        text, line = planted(*slip)
        results.append((slip, line, report_on(slip[0], text, folder / f"slip{i}.py"), text))
    return results


@pytest.mark.slow
def test_most_slips_are_mended_and_on_their_line(found):
    assert all(report.verdict == WRONG for _, _, report, _ in found)
    missed = [slip for slip, _, report, _ in found if not edits_of(report)]
    elsewhere = [
        slip for slip, line, report, _ in found if line not in {d.line for d in edits_of(report)}
    ]
    assert len(missed) <= 4, missed
    assert len(elsewhere) <= 7, elsewhere


def test_an_edit_makes_the_file_right(found, tmp_path):
    """Written into the file, in the place of the line that it names, each one mends it."""
    for i, (slip, _, report, text) in enumerate(found):
        lines = text.split("\n")
        for d in edits_of(report):
            here = lines[d.line - 1]
            assert here.strip() == d.source
            colon = ":" if d.source.endswith(":") and not d.edit.endswith(":") else ""
            lines[d.line - 1] = re.match(r" *", here)[0] + d.edit + colon
        if edits_of(report):
            mended = report_on(slip[0], "\n".join(lines), tmp_path / f"mended{i}.py")
            assert mended.verdict in (RIGHT, BUT), slip


def test_what_no_single_change_mends_gets_none(tmp_path):
    text = PAIRS["dense"].replace("dy * (1 - y**2)", "dy * np.cos(3.7 * y)")
    report = report_on("dense", text, tmp_path / "strange.py")
    assert report.verdict == WRONG
    assert not edits_of(report)


def test_the_code_is_as_before(tmp_path):
    module = load(planted(*SLIPS[0])[0], tmp_path / "kept.py")
    code = module.dense_backward.__code__
    rng = np.random.default_rng(0)
    inputs = {n: rng.standard_normal(shape) for n, shape in SHAPES["dense"].items()}
    report = check_gradients(module.dense_forward, module.dense_backward, inputs)
    assert edits_of(report)
    assert module.dense_backward.__code__ is code


def test_how_much_is_told(tmp_path):
    text, line = planted("kl", "dmu = dkl * mu", "dmu = dkl + mu")
    report = report_on("kl", text, tmp_path / "told.py")
    texts = {hint: " ".join(str(told(report, hint)).split()) for hint in HINTS}
    assert f"line {line}" in texts["edit"]
    assert "with `dmu = dkl * mu`" in texts["edit"]
    assert f"line {line}" in texts["mistake"]
    assert "dmu = dkl * mu`" not in texts["mistake"]
    assert f"see line {line}" in texts["line"]
    assert "operator" not in texts["line"]
    assert "see line" not in texts["gradient"]
    assert "dmu" in texts["gradient"]
    assert "dmu" not in texts["verdict"]
    assert "WRONG" in texts["verdict"]
    for hint in HINTS:
        shown = told(report, hint)
        assert shown.verdict == report.verdict
        assert ("dkl * mu`" in shown._repr_html_()) == (hint == "edit")
        assert bool(shown.to_dict()["gradients"]) == (hint != "verdict")


STOPS = [  # pair, what stands there, what raises in its place
    ("dense", "dW = x.T @ dz", "dW = x @ dz"),
    ("dense", "dx = dz @ W.T", "dx = W @ dz"),
    ("dense", "dz.sum(axis=0)", "dz.sum(axis=2)"),
    ("steps", "dx[t] = W @ da", "dx[t] = W.T @ da"),
]


@pytest.mark.parametrize("slip", STOPS, ids=lambda slip: slip[2])
def test_a_backward_pass_that_raises_gets_its_line(slip, tmp_path):
    text, line = planted(*slip)
    with pytest.raises((ValueError, IndexError)) as caught:
        report_on(slip[0], text, tmp_path / "raises.py")
    notes = getattr(caught.value, "__notes__", [])
    assert [n for n in notes if f"line {line}: " in n and "it runs, and is right" in n], notes


def test_what_raises_for_no_single_slip_is_left_alone(tmp_path):
    text = PAIRS["dense"].replace("dz = dy * (1 - y**2)", "dz = dy * missing(y, 3, W)")
    with pytest.raises(NameError) as caught:
        report_on("dense", text, tmp_path / "raises.py")
    assert not getattr(caught.value, "__notes__", [])


def test_a_lost_output_of_two_is_pointed_at_and_named(tmp_path):
    text = """
import numpy as np
def heads_forward(h, A, C):
    return (np.sin(h @ A), np.sin(h @ C)), (h, A, C)
def heads_backward(dout, cache):
    h, A, C = cache
    one, two = dout[0] * np.cos(h @ A), dout[1] * np.cos(h @ C)
    dh = two @ C.T
    return dh, h.T @ one, h.T @ two
"""
    rng = np.random.default_rng(1)
    inputs = {n: rng.standard_normal(s) for n, s in (("h", (3, 5)), ("A", (5, 2)), ("C", (5, 2)))}
    report = report_on("heads", text, tmp_path / "heads.py", inputs)
    first, second = report["h"].diagnoses[:2]
    assert (first.line, first.edit) == (8, "dh = (two @ C.T) + one @ A.T")
    assert second.key in ("overwritten_branch", "missing_term")
    assert "h @ A" in second.text
