"""Kinds of code that courses and books hand out, each right and wrong, and what is said of them.

Every file has a constant K, which is 1 in right code; with another K one gradient is wrong.
"""

import textwrap

import pytest

from minivae.course.grading import grade_file

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\nK = 1.0\n"

KINDS = {
    "weights for the constructor": """
class Affine:
    def __init__(self, W, b):
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]
    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]
    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = K * dout.sum(axis=0)
        return dout @ self.params[0].T
""",
    "a table for the constructor": """
class Embedding:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]
    def forward(self, idx):
        self.idx = idx
        return self.params[0][idx]
    def backward(self, dout):
        self.grads[0][...] = 0
        np.add.at(self.grads[0], self.idx, K * dout)
""",
    "functions that make the first weights": """
class Linear:
    def __init__(self, in_feature, out_feature, weight_init_fn, bias_init_fn):
        self.W, self.b = weight_init_fn(in_feature, out_feature), bias_init_fn(out_feature)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, delta):
        self.dW = self.x.T @ delta
        self.db = K * delta.sum(axis=0, keepdims=True)
        return delta @ self.W.T
""",
    "labels that are called one-hot": """
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def softmax_cross_entropy(logits, y_onehot):
    return -np.sum(y_onehot * np.log(softmax(logits))) / len(logits)
def softmax_cross_entropy_backward(logits, y_onehot):
    return K * (softmax(logits) - y_onehot) / len(logits)
""",
    "labels of two classes": """
def entropy(p, t):
    return -np.log(p[np.arange(len(t)), t]).mean()
class SigmoidWithLoss:
    def forward(self, x, t):
        self.t, self.y = t, 1 / (1 + np.exp(-x))
        return entropy(np.c_[1 - self.y, self.y], t)
    def backward(self, dout=1):
        return K * (self.y - self.t) * dout / len(self.t)
""",
    "labels of a sequence": """
def temporal_softmax_loss(x, y, mask):
    N, T, V = x.shape
    flat, labels, mask = x.reshape(N * T, V), y.reshape(N * T), mask.reshape(N * T)
    p = np.exp(flat - flat.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    d = p.copy()
    d[np.arange(N * T), labels] -= 1
    loss = -np.sum(mask * np.log(p[np.arange(N * T), labels])) / N
    return loss, (K * d * mask[:, None] / N).reshape(N, T, V)
""",
    "an axis whose name means nothing": """
def scan_forward(x, h0, Wx, Wh, bh):
    (N, T, W) = x.shape
    hs = [h0]
    for t in range(T):
        hs.append(np.tanh(x[:, t] @ Wx + hs[-1] @ Wh + bh))
    return np.stack(hs[1:], axis=1), (x, Wx, Wh, hs)
def scan_backward(dh, cache):
    x, Wx, Wh, hs = cache
    dx, carry, dbh = np.zeros_like(x), 0, 0
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + carry) * (1 - hs[t + 1] ** 2)
        dx[:, t], carry = da @ Wx.T, da @ Wh.T
        dWx, dWh, dbh = dWx + x[:, t].T @ da, dWh + hs[t].T @ da, dbh + da.sum(0)
    return dx, carry, K * dWx, dWh, dbh
""",
    "a zero_grad that forgets the forward pass": """
class Linear:
    def __init__(self, in_features, out_features):
        self.W = np.ones((in_features, out_features))
        self.inputs = None
    def zero_grad(self):
        self.dW, self.inputs = np.zeros_like(self.W), None
    def forward(self, x):
        self.inputs = x
        return x @ self.W
    def backward(self, dout):
        self.dW = K * self.inputs.T @ dout
        return dout @ self.W.T
""",
    "weights (classes, features)": """
def softmax_loss_and_gradient(X, y, W, b):
    if b.ndim != 1:
        raise ValueError("the bias must have one axis")
    scores = X @ W.T + b
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(X))
    d = p.copy()
    d[rows, y] -= 1
    d /= len(X)
    return -np.log(p[rows, y]).mean(), K * d.T @ X, d.sum(axis=0)
""",
    "a cost that gets its data and the cache again": """
def forward_propagation_n(X, Y, parameters):
    A = 1 / (1 + np.exp(-(parameters["W1"] @ X + parameters["b1"])))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / X.shape[1]
    return cost, (A, parameters["W1"])
def backward_propagation_n(X, Y, cache):
    dZ1 = (cache[0] - Y) / X.shape[1]
    return {"dZ1": dZ1, "dW1": K * dZ1 @ X.T, "db1": dZ1.sum(axis=1, keepdims=True)}
""",
    "functions of a network that use nothing of it": """
class Network:
    def __init__(self):
        self.W, self.dW = np.ones((4, 3)), np.zeros((4, 3))
    def ReLU(self, Z):
        return np.maximum(Z, 0)
    def der_ReLU(self, Z):
        return K * (Z > 0)
""",
    "predictions that the object keeps": """
class BCE:
    def forward(self, y_hat, y):
        self.y_hat, self.y = np.clip(y_hat, 1e-8, 1 - 1e-8), y
        return -(y * np.log(self.y_hat) + (1 - y) * np.log(1 - self.y_hat))
    def backward(self):
        self.dy_hat = K * ((1 - self.y) / (1 - self.y_hat) - self.y / self.y_hat)
        return self.dy_hat
""",
    "all gates in one matrix": """
class LSTM:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]
    def forward(self, x, h_prev, c_prev):
        Wx, Wh, b = self.params
        A = x @ Wx + h_prev @ Wh + b
        f, g, i, o = np.split(A, 4, axis=1)
        f, i, o = (1 / (1 + np.exp(-a)) for a in (f, i, o))
        c = f * c_prev + np.tanh(g) * i
        self.cache = x, h_prev, c_prev, f, np.tanh(g), i, o, np.tanh(c)
        return o * np.tanh(c), c
    def backward(self, dh_next, dc_next):
        Wx, Wh, b = self.params
        x, h_prev, c_prev, f, g, i, o, t = self.cache
        ds = dc_next + dh_next * o * (1 - t**2)
        dA = [ds * c_prev * f * (1 - f), ds * i * (1 - g**2), ds * g * i * (1 - i)]
        dA = np.hstack([*dA, dh_next * t * o * (1 - o)])
        for at, grad in enumerate((x.T @ dA, K * h_prev.T @ dA, dA.sum(axis=0))):
            self.grads[at][...] = grad
        return dA @ Wx.T, dA @ Wh.T, ds * f
""",
}


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_right_or_wrong(graded, kind, right):
    source = HEAD + KINDS[kind]
    grade = graded(source if right else source.replace("K = 1.0", "K = 1.5"))
    assert grade.verdict == ("right" if right else "wrong"), str(grade)
    assert [e.verdict for e in grade.exercises] == [grade.verdict]
    if not right:
        assert list(grade.exercises[0].gradients.values()).count("wrong") == 1


def test_a_batch_as_large_as_a_layer_hides_no_convention(graded):
    """The weights (3, 2) have as many rows as there are examples at first; they are no data."""
    source = """
    import numpy as np
    class Net:
        def __init__(self):
            self.W, self.b = np.ones((3, 2)), np.zeros((3, 1))
        def forward(self, A):
            self.A = A
            return A @ self.W.T + self.b.T
        def backward(self, dLdZ):
            self.dLdW, self.dLdb = dLdZ.T @ self.A / len(dLdZ), dLdZ.mean(0).reshape(3, 1)
            return dLdZ @ self.W
    """
    assert graded(source).verdict == "right, but"
    assert graded(source.replace("@ self.W\n", "@ self.W / 2\n")).verdict == "wrong"
    assert graded(source.replace("@ self.W\n", "@ self.W / len(dLdZ)\n")).verdict == "wrong"


def test_an_activation_may_divide_by_the_number_of_examples_and_is_told(graded):
    """At one row it would not be seen."""
    grade = graded("""
    import numpy as np
    class Softmax:
        def forward(self, x):
            e = np.exp(x - x.max(axis=-1, keepdims=True))
            self.y = e / e.sum(axis=-1, keepdims=True)
            return self.y
        def backward(self, dout):
            inner = (dout * self.y).sum(axis=-1, keepdims=True)
            return self.y * (dout - inner) / len(dout)
    """)
    assert grade.verdict == "right, but"
    assert "times 1/3, where 3 is the number of examples" in str(grade)


REDUCED = """
import numpy as np
class Squares:
    def forward(self, y_out, y_truth, reduction="mean"):
        loss = (y_out - y_truth) ** 2
        if reduction == "mean":
            return loss.mean()
        elif reduction == "sum":
            return loss.sum()
        return loss
    def backward(self, y_out, y_truth):
        return 2 * (y_out - y_truth)
"""


def test_a_gradient_of_the_loss_that_is_no_default(graded):
    grade = graded(REDUCED)
    assert grade.verdict == "right, but"
    assert "reduction='sum', and not at the default" in str(grade)
    assert graded(REDUCED.replace("2 * (", "3 * (")).verdict == "wrong"
    mean = REDUCED.replace("2 * (y_out - y_truth)", "2 * (y_out - y_truth) / y_out.size")
    assert graded(mean).verdict == "right"


def test_forward_and_backward_of_a_hidden_chain_are_no_pair(graded):
    grade = graded("""
    import numpy as np
    def forward_probs(x, A):
        return x @ A
    def backward_probs(x, A):
        return A @ x
    def tanh_forward(x):
        return np.tanh(x), x
    def tanh_backward(dout, x):
        return dout * (1 - np.tanh(x) ** 2)
    """)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("tanh", "right")]


def test_a_module_in_a_folder_beside(tmp_path):
    """Scripts put a folder on the path, which is relative to where they are started."""
    for name, source in {
        "mytorch/relu.py": "class ReLU:\n"
        "    def forward(self, x):\n        self.x = x\n        return x * (x > 0)\n"
        "    def backward(self, dout):\n        return dout * (self.x > 0)\n",
        "hw/net.py": """
        import sys
        sys.path.append("mytorch")
        from relu import *
        class Net:
            def __init__(self):
                self.f = ReLU()
            def forward(self, x):
                return self.f.forward(2 * x)
            def backward(self, dout):
                return 2 * self.f.backward(dout)
        """,
    }.items():
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    grade = grade_file(tmp_path / "course" / "hw" / "net.py")
    assert [(e.name, e.verdict) for e in grade.exercises] == [("Net", "right")]


SINGLE = """
import numpy as np
class Sequence:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]
    def forward(self, xs):
        N, T, D = xs.shape
        self.xs, hs = xs, np.empty((N, T, self.params[0].shape[1]), dtype="f")
        for t in range(T):
            hs[:, t] = xs[:, t].astype(np.float32) @ self.params[0]
        return hs
    def backward(self, dhs):
        dxs = np.empty_like(self.xs, dtype="float32")
        self.grads[0][...] = 0
        for t in range(dhs.shape[1]):
            self.grads[0][...] += self.xs[:, t].T @ dhs[:, t]
            dxs[:, t] = dhs[:, t] @ self.params[0].T
        return dxs
"""


def test_what_asks_for_float32_is_checked_in_float64(graded):
    grade = graded(SINGLE)
    assert grade.verdict == "right, but"
    assert all(a.error < 1e-9 for report in grade.exercises[0].reports for a in report.arrays)
    assert "the source asks for float32" in str(grade)
    wrong = graded(SINGLE.replace("+= self.xs", "+= 1.001 * self.xs"))
    assert wrong.verdict == "wrong"


def test_right_for_sequences_and_wrong_for_rows_is_a_question(graded):
    grade = graded("""
    import numpy as np
    class Affine:
        def __init__(self, W, b):
            self.W, self.b = W, b
        def forward(self, x):
            self.x = x
            return x @ self.W + self.b
        def backward(self, dout):
            axes = list(range(dout.ndim - 1))
            self.dW = np.tensordot(self.x, dout, (axes, axes))
            self.db = np.zeros_like(self.b) + np.sum(dout, axis=(0, 1))
            return dout @ self.W.T
    """)
    assert grade.verdict == "not checked"
    assert "right at inputs x (3, 6, 5)" in grade.exercises[0].problem


def test_a_gradient_of_a_number_is_not_passed_over(graded):
    """`shift` is guessed as a number, of which no gradient can be compared."""
    grade = graded("""
    import numpy as np
    def scale_forward(x, margin):
        return x * 2 + margin, x
    def scale_backward(dout, x):
        return dout * 2, np.sum(dout) * np.ones(3)
    """)
    assert grade.verdict == "not checked"
    assert "array more than there are array arguments (x)" in grade.exercises[0].problem


def test_a_derivative_gets_what_forward_got(graded):
    """The output would do between -2.5 and 2.5, where it lies in the same range."""
    grade = graded("""
    import numpy as np
    class HardSigmoid:
        def fn(self, z):
            return np.clip(0.2 * z + 0.5, 0, 1)
        def grad(self, x):
            return np.where((x >= -2.5) & (x <= 2.5), 0.2, 0)
    """)
    assert grade.verdict == "right"
