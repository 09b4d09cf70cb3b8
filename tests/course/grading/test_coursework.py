"""Kinds of code that courses and books hand out, each right and wrong, and what is said of them.

Every file has a constant K, which is 1 in right code; with another K one gradient is wrong.
"""

import textwrap

import pytest

from minivae.course.grading import grade_file

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
    assert graded(source.replace("@ self.W\n", "@ self.W / len(dLdZ)\n")).verdict == "wrong"


def test_agreement_at_one_example_is_no_question_about_a_layer(graded):
    """What a layer passes on has no 1/m; at one row it would not be seen."""
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
    assert grade.verdict == "wrong"


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
