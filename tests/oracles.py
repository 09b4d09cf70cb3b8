"""Where each operation's own test file is, and the oracle in it.

`tests/ops` mirrors `minivae/ops`: beside what is tested of the operation alone, its file defines
`oracle(torch, **arguments, **options)`, the same value by PyTorch's own operations.
"""

import functools
import importlib.util
from pathlib import Path

import numpy as np

from minivae.ops import ACTIVATIONS, MODULES

OPS = Path(__file__).parent / "ops"


def file_of(module):
    """Test file of an operation's module, which need not exist."""
    *folders, name = module.__name__.split(".")[2:]
    return OPS.joinpath(*folders, f"test_{name}.py")


@functools.cache
def oracle_of(case_name):
    """The oracle of an operation; fail by a sentence if there is none."""
    (module,) = (m for m in MODULES if case_name in [case.name for case in m.CASES])
    path = file_of(module)
    where = path.relative_to(OPS.parents[1])
    assert path.exists(), f"the operation {case_name!r} has no test file of its own; write {where}."
    spec = importlib.util.spec_from_file_location(f"oracle_of_{case_name}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    assert hasattr(loaded, "oracle"), (
        f"{where} has no oracle; define oracle(torch, ...), the value of {case_name!r} by PyTorch."
    )
    return loaded.oracle


def assert_derived(name, expression, x):
    """An activation and its slope are SymPy's: `expression` of the symbol x, and its derivative."""
    import sympy as sp

    forms = ACTIVATIONS[name]
    points, dy = np.linspace(-4, 4, 33), np.linspace(1, 2, 33)
    value, cache = forms.forward(points)
    for code, derived in [
        (value, expression),
        (forms.backward(dy, *cache) / dy, sp.diff(expression, x)),
    ]:
        exact = [float(derived.subs(x, sp.Float(point, 30)).evalf(20)) for point in points]
        np.testing.assert_allclose(code, exact, rtol=1e-12, atol=1e-12)


def log_normal(x, mean, logvar):
    """Log density of N(mean, exp(logvar)) at x, for SymPy."""
    import sympy as sp

    return -((x - mean) ** 2) * sp.exp(-logvar) / 2 - logvar / 2 - sp.log(2 * sp.pi) / 2


def expectation_under_q(expression):
    """Integrate SymPy's polynomial in z against the density of N(mu, exp(v))."""
    import sympy as sp

    mu, logvar, z = sp.symbols("mu v z", real=True)
    sigma, t = sp.Symbol("sigma", positive=True), sp.Symbol("t", real=True)
    density = sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)
    polynomial = sp.expand(expression.subs(z, mu + sigma * t))
    mean = sp.integrate(sp.expand(polynomial * density), (t, -sp.oo, sp.oo))
    assert not mean.has(sp.Integral)
    return sp.simplify(mean).subs(sigma, sp.exp(logvar / 2))


def values(expression, **arrays):
    """Evaluate SymPy's expression at every entry of the arrays, named as its real symbols are."""
    import sympy as sp

    symbols = [sp.Symbol(name, real=True) for name in arrays]
    return sp.lambdify(symbols, expression, "numpy")(*arrays.values())


def same(code, derived):
    """Equal to 1e-12, relative and absolute."""
    np.testing.assert_allclose(code, derived, rtol=1e-12, atol=1e-12)


def standard_normal(seed, *shape):
    """Random numbers, the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(shape)
