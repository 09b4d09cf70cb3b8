"""Where backward stops or does not fit: its own mistake, or inputs that were guessed badly."""

import pytest

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\n"
STOPS = {
    "a transposition": """
def affine_forward(x, W):
    return x @ W, (x, W)
def affine_backward(dout, cache):
    x, W = cache
    return dout @ W{}, x.T @ dout
""",
    "an axis that is lost": """
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(1, keepdims=True))
        self.y = e / e.sum(1, keepdims=True)
        return self.y
    def backward(self, dout):
        return self.y * (dout - (dout * self.y).sum(1{}))
""",
}
RIGHT = {"a transposition": ".T", "an axis that is lost": ", keepdims=True"}


@pytest.mark.parametrize("kind", STOPS)
def test_a_backward_pass_that_one_edit_mends_is_wrong(graded, kind):
    assert graded(HEAD + STOPS[kind].format(RIGHT[kind])).verdict == "right"
    grade = graded(HEAD + STOPS[kind].format(""))
    assert grade.verdict == "wrong"
    assert "is right" in " ".join(str(grade).split())  # of the edit


def test_a_gradient_that_has_the_shape_of_its_argument_in_no_layout_is_wrong(graded):
    source = """
class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y
    def backward(self, dout):
        return {}(dout * self.y * (1 - self.y))
"""
    assert graded(HEAD + source.format("")).verdict == "right"
    grade = graded(HEAD + source.format("sum"))
    assert grade.verdict == "wrong"
    assert "(5,), but its argument has (3, 5)" in str(grade)


def test_a_bias_for_the_constructor_is_no_number(graded):
    grade = graded("""
    import numpy as np
    class Shift:
        def __init__(self, b):
            self.b = b
        def forward(self, x):
            return np.tanh(x + self.b)
        def backward(self, dout):
            raise RuntimeError("never")
    """)
    assert "'b'" not in str(grade)
    assert '"b": rng.standard_normal(' in str(grade)


def test_a_bias_of_one_column_may_have_its_gradient_in_a_row(graded):
    source = """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.ones((n_out, n_in)), np.zeros((n_out, 1))
    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b.T
    def backward(self, dout):
        self.dW, self.db = dout.T @ self.x, {} * dout.sum(0)
        return dout @ self.W
"""
    grade = graded(HEAD + source.format(1))
    assert grade.verdict == "right, but"
    assert "in the shape (7,) instead of (7, 1)" in str(grade)
    assert graded(HEAD + source.format(2)).verdict == "wrong"
    row = source.replace("dout.sum(0)", "dout.sum(0, keepdims=True)")
    assert graded(HEAD + row.format(1)).verdict == "wrong"


def test_labels_are_no_upstream_gradient(graded):
    grade = graded("""
    import numpy as np
    class Softmax:
        def forward(self, x):
            e = np.exp(x - x.max(1, keepdims=True))
            self.y = e / e.sum(1, keepdims=True)
            return self.y
        def backward(self, labels):
            return self.y - labels
    """)
    assert grade.verdict == "right, but"  # of the cost that this gradient belongs to
    assert "cross-entropy" in str(grade)


DERIVATIVE = """
class Activation:
    def __call__(self, x):
        return {}
    def derivative(self, x):
        return {}
"""


def test_a_derivative_beside_call_is_pointed_at(graded):
    assert graded(HEAD + DERIVATIVE.format("x", "1")).verdict == "right"
    assert graded(HEAD + DERIVATIVE.format("x", "2")).verdict == "wrong"
    assert graded(HEAD + DERIVATIVE.format("np.tanh(x)", "1 - np.tanh(x) ** 2")).verdict == "right"
    grade = graded(HEAD + DERIVATIVE.format("np.tanh(x)", "1 + np.tanh(x) ** 2"))
    assert grade.verdict == "wrong"
    assert "`return 1 - np.tanh(x) ** 2` it is right" in " ".join(str(grade).split())


def test_the_gradients_that_a_loss_returns_are_pointed_at(graded):
    grade = graded("""
    import numpy as np
    def softmax_loss(x, y):
        p = np.exp(x - x.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        rows = np.arange(len(x))
        dx = p.copy()
        dx[rows, y] -= 2
        return -np.log(p[rows, y]).mean(), dx / len(x)
    """)
    assert grade.verdict == "wrong"
    assert "`dx[rows, y] -= 1` it is right" in " ".join(str(grade).split())
