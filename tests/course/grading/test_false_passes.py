"""Mistakes that a lucky range, a lucky reading or a parameter that nobody found would hide."""

import pytest

pytestmark = pytest.mark.slow

RELU = """
import numpy as np
class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return self.mask * x
    def backward(self, {dy}):
        return {returned}
"""
PAIR = """
import numpy as np
def leaky_forward(z):
    return np.where(z > 0, z, 0.1 * z), z
def leaky_backward({dy}, cache):
    return {returned}
"""


@pytest.mark.parametrize("dy", ["dout", "grad_output", "output_gradient", "delta_next", "upstream"])
def test_a_relu_between_0_and_1_is_no_identity(graded, dy):
    assert graded(RELU.format(dy=dy, returned=f"self.mask * {dy}")).verdict == "right"
    assert graded(RELU.format(dy=dy, returned=dy)).verdict == "wrong"


@pytest.mark.parametrize("dy", ["dA", "accumulated_grad"])
def test_an_upstream_gradient_that_is_ignored_is_no_derivative(graded, dy):
    returned = "np.where(cache > 0, 1, 0.1)"
    assert graded(PAIR.format(dy=dy, returned=f"{dy} * {returned}")).verdict == "right"
    grade = graded(PAIR.format(dy=dy, returned=returned))
    assert grade.verdict == "wrong"
    assert "does not double" in str(grade)
    assert graded(RELU.format(dy=dy, returned="self.mask")).verdict == "wrong"


def test_an_argument_that_is_not_read_was_meant_for_the_upstream_gradient(graded):
    assert graded(RELU.format(dy="x", returned="self.mask * 1.0")).verdict != "right"
    derivative = RELU.replace("backward", "derivative").format(dy="x", returned="(x > 0) * 1.0")
    assert graded(derivative).verdict == "right"


CENTRED = """
import numpy as np
class Centre:
    def forward(self, z):
        self.z = z
        return (z - z.mean(0)) ** 3
    def backward(self, d):
        d = 3 * d * (self.z - self.z.mean(0)) ** 2
        return d - d.mean(0) + (self.z.mean({axis}, keepdims=True) - {same}) * d
"""


def test_rows_with_a_sum_of_1_hide_no_mean_over_the_wrong_axis(graded):
    right = CENTRED.format(axis=1, same="self.z.mean(1, keepdims=True)")
    assert graded(right).verdict == "right"
    assert graded(CENTRED.format(axis=1, same="1 / self.z.shape[1]")).verdict == "wrong"


ENTROPY = """
import numpy as np
def binary_forward({p}, y):
    {p} = np.clip({p}, 1e-9, 1 - 1e-9)
    return -np.mean(y * np.log({p}) + (1 - y) * np.log(1 - {p})), ({p}, y)
def binary_backward(dout, cache):
    {p}, y = cache
    return dout * {k} * ({p} - y) / ({p} * (1 - {p})) / {p}.size
"""


@pytest.mark.parametrize("p", ["p", "y_pred", "a"])
def test_what_a_logarithm_is_taken_of_is_a_probability(graded, p):
    """Outside of (0, 1) it is cut off, and backward need not say so."""
    assert graded(ENTROPY.format(p=p, k=1)).verdict == "right"
    assert graded(ENTROPY.format(p=p, k=1.5)).verdict == "wrong"


KEPT = {
    "private": """
class Dense:
    def __init__(self, n_in, n_out):
        self._w, self._c = np.ones((n_in, n_out)), np.zeros(n_out)
        self._dw = self._dc = None
    def forward(self, x):
        self._x = x
        return x @ self._w + self._c
    def backward(self, dout):
        self._dw, self._dc = self._x.T @ dout, K * dout.sum(0)
        return dout @ self._w.T
""",
    "in a dict with its gradient": """
class Dense:
    def __init__(self, n_in, n_out):
        self.w = {"val": np.ones((n_in, n_out)), "grad": 0}
        self.c = {"val": np.zeros(n_out), "grad": 0}
    def forward(self, x):
        self.x = x
        return x @ self.w["val"] + self.c["val"]
    def backward(self, dout):
        self.w["grad"], self.c["grad"] = self.x.T @ dout, K * dout.sum(0)
        return dout @ self.w["val"].T
""",
    "listed by methods": """
class Dense:
    def __init__(self, n_in, n_out):
        self.kernel, self.offset = np.ones((n_in, n_out)), np.zeros(n_out)
    def params(self):
        return [self.kernel, self.offset]
    def grads(self):
        return [self.one, self.two]
    def forward(self, x):
        self.x = x
        return x @ self.kernel + self.offset
    def backward(self, dout):
        self.one, self.two = self.x.T @ dout, K * dout.sum(0)
        return dout @ self.kernel.T
""",
    "beside the statistics of a batch": """
class Norm:
    def __init__(self, features):
        self.gamma, self.beta = np.ones(features), np.zeros(features)
        self.mean = self.var = np.zeros(features)
    def forward(self, x):
        self.x, self.mean, self.var = x, x.mean(0), x.var(0)
        self.h = (x - self.mean) / np.sqrt(self.var + 1e-5)
        return self.gamma * self.h + self.beta
    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.h).sum(0), K * dout.sum(0)
        d, s = dout * self.gamma, 1 / np.sqrt(self.var + 1e-5)
        self.dvar = -0.5 * (d * (self.x - self.mean)).sum(0) * s**3
        self.dmean = -(d * s).sum(0)
        return d * s + (2 * self.dvar * (self.x - self.mean) + self.dmean) / len(dout)
""",
}


@pytest.mark.parametrize("k", [1, 1.5])
@pytest.mark.parametrize("kind", KEPT)
def test_parameters_are_found_where_courses_keep_them(graded, kind, k):
    grade = graded(f"import numpy as np\nK = {k}\n{KEPT[kind]}")
    assert grade.verdict == ("right" if k == 1 else "wrong"), str(grade)
    assert len(grade.exercises[0].gradients) == 3


def test_gradients_that_are_lost_are_not_right(graded):
    grade = graded("""
    import numpy as np
    class Affine:
        def __init__(self, W, b):
            self.W, self.b, self.dW = W, b, None
        def forward(self, x):
            self.x = x
            return x @ self.W + self.b
        def backward(self, dout):
            dW = self.x.T @ dout
            return dout @ self.W.T
    """)
    assert grade.verdict == "not checked"
    assert grade.exercises[0].gradients == {"x": "right", "W": "not checked", "b": "not checked"}
    assert "dW is computed in backward and kept nowhere" in str(grade)
    assert "the gradient of b was not found" in " ".join(str(grade).split())


def test_a_complex_gradient_of_real_numbers_is_wrong(graded):
    source = PAIR.format(dy="dy", returned="dy * np.where(cache > 0, 1, 0.1) + {}j")
    assert graded(source.format(0)).verdict == "right"
    grade = graded(source.format(1))
    assert grade.verdict == "wrong"
    assert "complex numbers, but this gradient is real" in str(grade)
