"""Layers that are built late, hold layers, or take the step themselves; and losses read amiss.

Every file has a constant K, which is 1 in right code; with another K a gradient is wrong.
"""

import pytest

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\nK = 1.0\n"
AFFINE = """
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, K * dout.sum(axis=0)
        return dout @ self.W.T
"""
CHAIN = """
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return K * dout
"""
KINDS = {
    "built for the shape of its input": """
class Dense:
    def __init__(self, units):
        self.units, self.W = units, None
    def build(self, input_shape):
        self.W, self.b = np.random.randn(input_shape[-1], self.units), np.zeros(self.units)
"""
    + AFFINE,
    "weights that are made when asked for": """
class Dense:
    def __init__(self, n_out, n_in=None):
        self.n_out, self.n_in = n_out, n_in
    def init_weights(self):
        self.W, self.b = np.random.randn(self.n_in, self.n_out), np.zeros(self.n_out)
"""
    + AFFINE,
    "an optimizer inside": """
class Dense:
    def __init__(self, n_units):
        self.n_units, self.input_shape, self.W = n_units, None, None
    def set_input_shape(self, shape):
        self.input_shape = shape
    def initialize(self, optimizer):
        self.W = np.random.uniform(-1, 1, (self.input_shape[0], self.n_units))
        self.optimizer = optimizer
    def forward(self, X, training=True):
        self.X = X
        return X @ self.W
    def backward(self, accum_grad):
        W = self.W
        self.W = self.optimizer.update(self.W, K * self.X.T @ accum_grad)
        return accum_grad @ W.T
""",
    "a step that backward takes": """
class Dense:
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(input_size, output_size)
        self.bias = np.random.randn(output_size)
    def forward(self, input):
        self.input = input
        return input @ self.weights + self.bias
    def backward(self, output_gradient, learning_rate):
        dx = output_gradient @ self.weights.T
        self.weights -= learning_rate * self.input.T @ output_gradient
        self.bias = self.bias - learning_rate * K * output_gradient.sum(axis=0)
        return dx
""",
    "the sizes of all layers": """
class MLP:
    def __init__(self, layer_dims):
        sizes = zip(layer_dims[:-1], layer_dims[1:])
        self.params = {f"W{i}": np.random.randn(*s) for i, s in enumerate(sizes)}
    def forward(self, x):
        self.a = [x]
        for i in range(len(self.params)):
            self.a.append(np.tanh(self.a[-1] @ self.params[f"W{i}"]))
        return self.a[-1]
    def backward(self, dout):
        self.grads = {}
        for i in reversed(range(len(self.params))):
            d = dout * (1 - self.a[i + 1] ** 2)
            self.grads[f"W{i}"] = (K if i else 1) * self.a[i].T @ d
            dout = d @ self.params[f"W{i}"].T
        return dout
""",
    "a tuple of sizes": """
class Pool:
    def __init__(self, kernel_size):
        self.kh, self.kw = kernel_size
        kh, kw = kernel_size
    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        h, w = h // self.kh * self.kh, w // self.kw * self.kw
        parts = x[:, :, :h, :w].reshape(n, c, h // self.kh, self.kh, w // self.kw, self.kw)
        return parts.mean((3, 5))
    def backward(self, dout):
        dx = np.zeros(self.shape)
        grown = dout.repeat(self.kh, 2).repeat(self.kw, 3) / (self.kh * self.kw)
        dx[:, :, :grown.shape[2], :grown.shape[3]] = K * grown
        return dx
""",
    "private methods": """
class Net:
    def __init__(self, input_size, output_size):
        self.W = np.random.randn(input_size, output_size)
    def _forward_propagation(self, X):
        self.X, self.A = X, np.tanh(X @ self.W)
        return self.A
    def _backward_propagation(self, dA):
        d = dA * (1 - self.A**2)
        self.dW = K * self.X.T @ d
        return d @ self.W.T
""",
    "a list of layers": """
class Chain:
    def __init__(self, layers):
        self.layers = layers
"""
    + CHAIN,
    "layers that are added": """
class Chain:
    def __init__(self):
        self.layers = []
"""
    + CHAIN,
    "gradients that add up in late parameters": """
class Dense:
    def __init__(self, n_out):
        self.n_out, self.made = n_out, False
    def make(self, n_in):
        self.parameters = {"W": np.random.randn(n_in, self.n_out)}
        self.gradients = {"W": np.zeros((n_in, self.n_out))}
        self.made = True
    def forward(self, X):
        if not self.made:
            self.make(X.shape[1])
        self.X = X
        return X @ self.parameters["W"]
    def backward(self, dLdY):
        self.gradients["W"] += K * self.X.T @ dLdY
        return dLdY @ self.parameters["W"].T
""",
    "a small constant with a default": """
class CrossEntropy:
    def loss(self, predicted, target, epsilon=1e-7):
        p = np.clip(predicted, epsilon, 1 - epsilon)
        return -np.sum(target * np.log(p)) / len(p)
    def grad(self, predicted, target, epsilon=1e-7):
        p = np.clip(predicted, epsilon, 1 - epsilon)
        return -K * target / p / len(p)
""",
    "the loss of one example": """
class CrossEntropy:
    def forward(self, p, label):
        return -np.log(p[label])
    def backward(self, p, label):
        g = np.zeros_like(p)
        g[label] = -K / p[label]
        return g
""",
    "a derivative by another name": """
class Cube:
    def fn(self, z):
        return z**3
    def grad(self, x):
        return 3 * K * x**2
""",
}


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_right_or_wrong(graded, kind, right):
    source = HEAD + KINDS[kind]
    grade = graded(source if right else source.replace("K = 1.0", "K = 1.5"))
    said = [e.verdict for e in grade.exercises]
    assert [v.removesuffix(", but") for v in said] == ["right" if right else "wrong"], str(grade)


@pytest.mark.parametrize(
    "backward",
    [
        "backward(self, y_true):\n        return self.out - y_true",
        "backward(self, X, y, output):\n        return output - y",
        "backward(self, label):\n        d = self.out.copy()\n        d[0, label] -= 1; return d",
    ],
)
def test_labels_are_no_upstream_gradient_but_imply_a_cost(graded, backward):
    grade = graded(f"""
import numpy as np
class Softmax:
    def forward(self, X):
        e = np.exp(X - X.max(axis=-1, keepdims=True))
        self.out = e / e.sum(axis=-1, keepdims=True)
        return self.out
    def {backward}
""")
    implied = "d[0" not in backward  # there it is the label of the first example alone
    assert grade.verdict == ("right, but" if implied else "not checked")
    assert ("gradients of the summed cross-entropy" in str(grade)) == implied


@pytest.mark.parametrize("constant", ["1e-8", "1e-4", "0.001"])
@pytest.mark.parametrize(("factor", "verdict"), [("1", "right"), ("1.01", "wrong")])
def test_a_small_constant_left_out_scales_with_it(graded, constant, factor, verdict):
    grade = graded(f"""
import numpy as np
def nll_forward(p, y):
    return -np.sum(y * np.log(p + {constant})), (p, y)
def nll_backward(dloss, cache):
    p, y = cache
    return -dloss * y / p * {factor}
""")
    assert grade.verdict.removesuffix(", but") == verdict, str(grade)
    if constant == "0.001" and verdict == "right":
        assert "a small constant of forward, such as 0.001" in " ".join(str(grade).split())


def test_the_mean_of_losses_of_examples_is_told(graded):
    grade = graded("""
    import numpy as np
    class Squares:
        def forward(self, y_pred, y_true):
            return np.sum((y_pred - y_true) ** 2, axis=1)
        def backward(self, y_pred, y_true):
            return 2 * (y_pred - y_true) / len(y_pred)
    """)
    assert grade.verdict == "right, but"
