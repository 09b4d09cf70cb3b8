"""Inputs that nobody gave: each kind of course code runs at a guess, right and wrong.

Every file has a constant K, which is 1 in right code; with another K one gradient is wrong.
"""

import pytest

from minivae.course.grading.combine import guesses
from minivae.course.grading.discover import Target
from minivae.course.grading.guess import candidates
from minivae.course.grading.inputs import size_of
from minivae.course.grading.roles import Names

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\nK = 1.0\n"

KINDS = {
    "examples in columns": """
def linear_forward(A, W, b):
    assert b.shape == (W.shape[0], 1)
    return W @ A + b, (A, W)
def linear_backward(dZ, cache):
    A, W = cache
    return W.T @ dZ, K * dZ @ A.T, dZ.sum(axis=1, keepdims=True)
""",
    "class labels": """
def softmax_loss(scores, y):
    rows = np.arange(len(y))
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d = p.copy()
    d[rows, y] -= 1
    return -np.log(p[rows, y]).mean(), K * d / len(y)
""",
    "one-hot labels": """
class CrossEntropy:
    def forward(self, x, y):
        e = np.exp(x - x.max(1, keepdims=True))
        self.p, self.y = e / e.sum(1, keepdims=True), y
        return -np.sum(y * np.log(self.p)) / len(x)
    def backward(self):
        return K * (self.p - self.y) / len(self.y)
""",
    "weights (out, in)": """
class Dense:
    def __init__(self, in_features, out_features):
        self.W = 0.1 * np.ones((out_features, in_features))
    def forward(self, x):
        self.x = x
        return x @ self.W.T
    def backward(self, dout):
        self.dW = K * dout.T @ self.x
        return dout @ self.W
""",
    "channels first": """
def pool_forward(x, pool_param):
    h, w, s = (pool_param[k] for k in ("height", "width", "stride"))
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    out = np.zeros((N, C, (H - h) // s + 1, (W - w) // s + 1), x.dtype)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = x[:, :, i * s : i * s + h, j * s : j * s + w].mean((2, 3))
    return out, (x.shape, pool_param)
def pool_backward(dout, cache):
    shape, pool_param = cache
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros(shape)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            part = dx[:, :, i * s : i * s + h, j * s : j * s + w]
            part += K * dout[:, :, i : i + 1, j : j + 1] / (h * w)
    return dx
""".replace('    h, w, s = (pool_param[k] for k in ("height", "width", "stride"))\n', ""),
    "channels last": """
def conv_forward(A_prev, W, b, hparameters):
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f, n_C_prev, n_C) = W.shape
    p = hparameters["pad"]
    A = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
    Z = np.zeros((m, n_H_prev + 2 * p - f + 1, n_W_prev + 2 * p - f + 1, n_C), A.dtype)
    for h in range(Z.shape[1]):
        for w in range(Z.shape[2]):
            Z[:, h, w] = np.tensordot(A[:, h : h + f, w : w + f], W, 3) + b[0, 0, 0]
    return Z, (A_prev, W, hparameters)
def conv_backward(dZ, cache):
    A_prev, W, hparameters = cache
    f, p = W.shape[0], hparameters["pad"]
    A = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
    dA, dW = np.zeros_like(A), np.zeros_like(W)
    for h in range(dZ.shape[1]):
        for w in range(dZ.shape[2]):
            dA[:, h : h + f, w : w + f] += np.tensordot(dZ[:, h, w], W, ([1], [3]))
            dW += K * np.tensordot(A[:, h : h + f, w : w + f], dZ[:, h, w], ([0], [0]))
    dA = dA[:, p : p + A_prev.shape[1], p : p + A_prev.shape[2]]
    return dA, dW, dZ.sum((0, 1, 2)).reshape(1, 1, 1, -1)
""",
    "sequences": """
def scan_forward(x, h0, Wx, Wh, b):
    '''Scan.

    x: inputs of shape (N, T, D)
    h0: (N, H)
    '''
    N, T, D = x.shape
    h, hs = h0, []
    for t in range(T):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        hs.append(h)
    return np.stack(hs, axis=1), (x, h0, Wx, Wh, hs)
def scan_backward(dh, cache):
    x, h0, Wx, Wh, hs = cache
    dx, carry = np.zeros_like(x), 0
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(len(Wh))
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + carry) * (1 - hs[t] ** 2)
        dx[:, t], carry = da @ Wx.T, da @ Wh.T
        dWx += x[:, t].T @ da
        dWh += K * (hs[t - 1] if t else h0).T @ da
        db += da.sum(0)
    return dx, carry, dWx, dWh, db
""",
    "ids of words": """
def word_embedding_forward(x, W):
    return W[x], (x, W)
def word_embedding_backward(dout, cache):
    x, W = cache
    dW = np.zeros_like(W)
    np.add.at(dW, x, K * dout)
    return dW
""",
    "a cost in the same file": """
def forward_propagation(X, parameters):
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = 1 / (1 + np.exp(-(parameters["W2"] @ A1 + parameters["b2"])))
    return A2, {"A1": A1, "A2": A2}
def compute_cost(A2, Y):
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / Y.shape[1]
def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ2 = (cache["A2"] - Y) / m
    dZ1 = parameters["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
    return {
        "dW1": dZ1 @ X.T, "db1": dZ1.sum(1, keepdims=True),
        "dW2": K * dZ2 @ cache["A1"].T, "db2": dZ2.sum(1, keepdims=True),
    }
""",
    "a word that chooses": """
def layer_forward(A_prev, W, activation):
    Z = A_prev @ W
    if activation == "tanh":
        return np.tanh(Z), (A_prev, W, Z)
    elif activation == "relu":
        return np.maximum(Z, 0), (A_prev, W, Z)
def layer_backward(dA, cache, activation):
    A_prev, W, Z = cache
    dZ = dA * (1 - np.tanh(Z) ** 2 if activation == "tanh" else Z > 0)
    return dZ @ W.T, K * A_prev.T @ dZ
""",
    "a state and a prediction": """
def cell_forward(x, h_prev, Wx, Wh, Wy):
    h = np.tanh(x @ Wx + h_prev @ Wh)
    return h, h @ Wy, (x, h_prev, Wx, Wh, h)
def cell_backward(dh, cache):
    x, h_prev, Wx, Wh, h = cache
    da = dh * (1 - h**2)
    return {"dx": da @ Wx.T, "dh_prev": da @ Wh.T, "dWx": K * x.T @ da, "dWh": h_prev.T @ da}
""",
    "other names in backward": """
class Cell:
    def __init__(self, input_size, hidden_size):
        rng = np.random.default_rng(0)
        self.W = rng.standard_normal((input_size, hidden_size))
        self.U = rng.standard_normal((hidden_size, hidden_size))
    def forward(self, x, h_prev_t):
        return np.tanh(x @ self.W + h_prev_t @ self.U)
    def backward(self, delta, h, h_prev_l, h_prev_t):
        da = delta * (1 - h**2)
        self.dW, self.dU = K * h_prev_l.T @ da, h_prev_t.T @ da
        return da @ self.W.T, da @ self.U.T
""",
    "nothing is returned": """
class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights, self.biases = np.ones((n_inputs, n_neurons)), np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases
    def backward(self, dvalues):
        self.dweights = K * np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)
""",
    "a size in the code": """
class Net:
    def __init__(self):
        self.W = 0.01 * np.ones((28, 4))
    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.W)
    def backward(self, dout):
        d = dout * (1 - np.tanh(self.x @ self.W) ** 2)
        self.dW = K * self.x.T @ d
        return d @ self.W.T
""",
    "a loss for each example": """
class SoftmaxCrossEntropy:
    def forward(self, x, y):
        e = np.exp(x - x.max(1, keepdims=True))
        self.p, self.y = e / e.sum(1, keepdims=True), y
        return -np.sum(y * np.log(self.p), axis=1)
    def derivative(self):
        return K * (self.p - self.y)
""",
    "two of a kind": """
def mul_forward(a, b):
    return a * b, (a, b)
def mul_backward(dout, cache):
    a, b = cache
    return dout * b, K * dout * a
""",
    "a network's own functions": """
class Network:
    def __init__(self, sizes=(4, 3)):
        self.sizes = sizes
    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))
    def sigmoid_prime(self, z):
        return K * self.sigmoid(z) * (1 - self.sigmoid(z))
""",
}


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_guess_shows_whether_it_is_right(graded, kind, right):
    source = HEAD + KINDS[kind]
    grade = graded(source if right else source.replace("K = 1.0", "K = 1.5"))
    assert grade.verdict == ("right" if right else "wrong"), str(grade)
    assert [e.verdict for e in grade.exercises] == [grade.verdict]
    if not right:
        assert list(grade.exercises[0].gradients.values()).count("wrong") == 1


PREDICTIONS_AGAIN = """
class Loss:
    def calculate(self, output, y):
        return np.mean(self.forward(output, y))
class Loss_Squares(Loss):
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2, axis=-1)
    def backward(self, dvalues, y_true):
        self.dinputs = -2 * K * (y_true - dvalues) / dvalues.size
"""


def test_a_call_that_only_agreement_tells_is_right_or_not_checked(graded):
    """`dvalues` is called as an upstream gradient, and holds the predictions."""
    grade = graded(HEAD + PREDICTIONS_AGAIN)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("Loss_Squares", "right")]
    wrong = graded(HEAD.replace("1.0", "1.5") + PREDICTIONS_AGAIN)
    assert wrong.verdict == "not checked"


def test_a_guess_is_the_same_each_time(graded):
    source = HEAD + KINDS["a cost in the same file"]
    first, second = (graded(source).exercises[0] for _ in range(2))
    assert first.origin == second.origin
    for one, other in zip(first.reports, second.reports, strict=True):
        assert [a.yours.tolist() for a in one.arrays] == [a.yours.tolist() for a in other.arrays]


def test_labels_that_are_only_broadcast_are_no_guess(graded):
    """Whole numbers (3,) fit beside (5, 3); nothing in the source says that they are labels."""
    grade = graded("""
    import numpy as np
    def square_loss(scores, labels):
        assert labels.ndim == 1
        return ((scores * labels) ** 2).sum(), scores * labels
    """)
    assert grade.verdict == "not checked"


def test_a_factor_that_depends_on_the_inputs_is_a_question(graded):
    """A mean over all entries, a gradient over the examples: right for one output each."""
    source = """
    import numpy as np
    def mse_loss(y_pred, y_true):
        return np.mean((y_pred - y_true) ** 2), 2 * (y_pred - y_true) / len(y_true)
    """
    grade = graded(source)
    assert grade.verdict == "not checked"
    assert "which inputs does it take?" in grade.exercises[0].problem
    assert graded(source.replace("2 *", "3 *")).verdict == "wrong"
    assert graded(source.replace("len(y_true)", "y_true.size")).verdict == "right"


def test_a_mistake_over_the_batch_is_not_looked_for_at_one_example(graded):
    grade = graded("""
    import numpy as np
    def linear_forward(x, W, b):
        return x @ W + b, (x, W)
    def linear_backward(dout, cache):
        x, W = cache
        return dout @ W.T, x.T @ dout, dout
    """)
    assert grade.exercises[0].gradients == {"x": "right", "W": "right", "b": "wrong"}


def test_the_gradient_of_something_inside_is_not_the_inputs(graded):
    """What is returned belongs to the first layer's output, or is meant for the input."""
    source = """
    import numpy as np
    class Net:
        def __init__(self, n_in, n_out):
            self.W = np.ones((n_in, n_out))
        def forward(self, x):
            self.x, self.z = x, x @ self.W
            return np.tanh(self.z)
        def backward(self, dout):
            dz = dout * (1 - np.tanh(self.z) ** 2)
            self.dW = self.x.T @ dz
            return dz
    """
    grade = graded(source)
    assert grade.verdict == "not checked"
    assert (
        "backward returns dz, of shape (3, 7), and x has the shape (3, 5)"
        in grade.exercises[0].problem
    )
    assert graded(source.replace("return dz", "return dz @ self.W.T")).verdict == "right"


NOBODYS = """
import numpy as np
def norm_cached(x, gamma, beta):
    return gamma * x + beta, (x, gamma)
def split(X, y):
    return X[:2], y[:2]
def eval_numerical_gradient(f, x):
    return 0 * x
def test_tanh_forward(x):
    return x
def test_tanh_backward(dout, cache):
    return dout
class Layer:
    def forward(self, x):
        raise NotImplementedError
    def backward(self, dout):
        pass
class Tanh(Layer):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, dout):
        return dout * (1 - self.y**2)
class Flatten(Layer):
    def forward(self, x):
        return x.reshape(len(x), -1)
"""


def test_helpers_bases_and_what_has_no_partner_are_nobodys(graded):
    grade = graded(NOBODYS)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("Tanh", "right")]
    assert (grade.verdict, grade.left_out) == ("right", [])


def specs_of(parameters, clues=(), init=()):
    target = Target("f", "pair", "f", "g", [(n, True) for n in parameters], list(init))
    target.clues.update(clues)
    return {n: str(s) for n, s in next(guesses(target)).specs.items()}


def test_what_the_source_says_comes_first():
    told = {"A": {"doc": ["n_x", "m"]}, "W": {"doc": ["n_h", "n_x"]}, "b": {"doc": ["n_h", "1"]}}
    assert specs_of(["A", "W", "b"], told) == {"A": "I B", "W": "H I", "b": "H 1"}
    unpacked = {"x": {"axes": ["N", "C", "H", "W"]}, "gamma": {"doc": ["C"]}}
    assert specs_of(["x", "gamma"], unpacked) == {"x": "B C Y X", "gamma": "C"}
    both = {"W": {"doc": ["n_a", "n_a + n_x"]}, "x": {"doc": ["n_x", "m"]}}
    assert specs_of(["x", "W"], both) == {"x": "I B", "W": "H H+I"}
    assert size_of("H+I", {"H": 4, "I": 5}) == 9
    assert size_of("4*H", {"H": 4}) == 16


def test_sizes_and_options_of_a_constructor():
    def first(name, clues=()):
        among = Names([(name, True)], dict(clues))
        return next(iter(candidates(name, among, constructor=True)[0].specs.values()))

    assert (first("in_features").kind, first("in_features").value) == ("size", "I")
    assert first("vocab_size").value == "V"
    assert first("weight_init_fn").value is None
    assert first("l2").value == 0.0
    assert first("activation", {"activation": {"words": ["relu", "tanh"]}}.items()).value == "relu"


def test_random_numbers_do_not_hide_the_agreement(graded):
    grade = graded("""
    import numpy as np
    class Dropout:
        def __init__(self, p):
            self.p = p
        def forward(self, x):
            self.mask = (np.random.rand(*x.shape) > self.p) / (1 - self.p)
            return x * self.mask
        def backward(self, dout):
            return dout * self.mask
    """)
    assert grade.verdict == "right, but"
