"""Habits of published coursework: old NumPy, flags, one example at a time, lists of sizes."""

import pytest

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\nK = 1.0\n"
HABITS = {
    "a number made of an array with one entry": '''
def shift_forward(x, b):
    """
    x -- numpy array of shape (m, n)
    b -- numpy array of shape (1, 1)
    """
    out = x * x
    for i in range(len(x)):
        out[i] += float(b[:, :])
    return out, x

def shift_backward(dout, x):
    return K * 2 * x * dout, dout.sum(keepdims=True)
''',
    "a flag that says that backward will follow": """
class Scale:
    def __init__(self):
        self.memory = {}

    def forward(self, x, save_cache=False):
        if save_cache:
            self.memory["x"] = x
        return x**3

    def backward(self, dout):
        return K * 3 * self.memory["x"] ** 2 * dout
""",
    "a flag that says that it is trained, and a bias before a normalization": """
class Block:
    def __init__(self, in_dim, out_dim):
        self.W, self.b = np.random.randn(in_dim, out_dim), np.zeros(out_dim)

    def forward(self, x, train_flg=False):
        self.x, z = x, x @ self.W + self.b
        if not train_flg:
            return z
        self.std = np.sqrt(z.var(axis=0) + 1e-7)
        self.hat = (z - z.mean(axis=0)) / self.std
        return self.hat

    def backward(self, dout):
        dz = dout - dout.mean(axis=0) - self.hat * (dout * self.hat).mean(axis=0)
        self.dW, self.db = K * self.x.T @ dz / self.std, (dz / self.std).sum(axis=0)
        return dz / self.std @ self.W.T
""",
    "one example of a recurrent cell, by its docstring": '''
class Cell:
    def __init__(self, in_dim, hidden_dim):
        self.d, self.h = in_dim, hidden_dim
        self.W = np.random.randn(hidden_dim, in_dim)
        self.U = np.random.randn(hidden_dim, hidden_dim)

    def forward(self, x, h):
        """
        x: (input_dim)
            what is seen now
        h: (hidden_dim)
            the last state
        """
        assert x.shape == (self.d,)
        assert h.shape == (self.h,)
        self.x, self.last = x, h
        self.now = np.tanh(self.W @ x + self.U @ h)
        return self.now

    def backward(self, delta):
        dz = K * delta * (1 - self.now**2)
        self.dW, self.dU = np.outer(dz, self.x), np.outer(dz, self.last)
        return dz @ self.W, dz @ self.U
''',
    "layers in pairs": """
class Linear:
    def __init__(self, n_in, n_out):
        self.params = {"weight": np.random.randn(n_in, n_out)}
        self.grads = {"weight": np.zeros((n_in, n_out))}

    def forward(self, x):
        self.x = x
        return x @ self.params["weight"]

    def backward(self, dout):
        self.grads["weight"] = K * self.x.T @ dout
        return dout @ self.params["weight"].T

class Net:
    def __init__(self, n_inputs, n_hidden, n_classes):
        sizes = [n_inputs, *n_hidden, n_classes]
        pairs = zip(sizes[:-1], sizes[1:])
        self.layers = [(f"layer {a}", Linear(a, b)) for a, b in pairs]

    def forward(self, x):
        for _, layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for _, layer in self.layers[::-1]:
            dout = layer.backward(dout)
        return dout
""",
    "layers that are called by other names": """
class Chain:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x, training):
        for layer in self.layers:
            x = layer.forward_pass(a_prev=x, training=training)
        return x

    def backward(self, dout):
        for layer in self.layers[::-1]:
            dout = layer.backward_pass(dout)
        return K * dout
""",
}


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_is_understood(graded, habit, right):
    grade = graded((HEAD if right else HEAD.replace("1.0", "1.5")) + HABITS[habit])
    assert grade.verdict == ("right" if right else "wrong"), str(grade)


CONVOLUTIONS = '''
class Conv:
    def __init__(self, c_in, c_out, width, step):
        self.W = np.random.randn(c_out, c_in, width)
        self.b, self.width, self.step = np.zeros(c_out), width, step
        self.dW, self.db = np.zeros(self.W.shape), np.zeros(c_out)

    def forward(self, x):
        self.x, n = x, (x.shape[2] - self.width) // self.step + 1
        self.at = [slice(i * self.step, i * self.step + self.width) for i in range(n)]
        parts = [np.tensordot(x[:, :, at], self.W, ([1, 2], [1, 2])) for at in self.at]
        return np.stack(parts, axis=2) + self.b[:, None]

    def backward(self, delta):
        dx = np.zeros(self.x.shape)
        for i, at in enumerate(self.at):
            dx[:, :, at] += np.tensordot(delta[:, :, i], self.W, ([1], [0]))
            self.dW += np.tensordot(delta[:, :, i], self.x[:, :, at], ([0], [0]))
        self.db += delta.sum(axis=(0, 2))
        return K * dx

class Net:
    def __init__(self, input_width, num_input_channels, num_channels, kernel_sizes, strides,
                 num_linear_neurons, activations, linear_weight_init_fn, criterion):
        channels = [num_input_channels, *num_channels]
        self.convs = [Conv(*sizes) for sizes in zip(channels, num_channels, kernel_sizes, strides)]
        for kernel, stride in zip(kernel_sizes, strides):
            input_width = (input_width - kernel) // stride + 1
        self.activations, self.criterion = activations, criterion
        assert len(self.activations) == len(self.convs)
        self.W = linear_weight_init_fn(channels[-1] * input_width, num_linear_neurons)

    def forward(self, x):
        """
        Argument:
            x (np.array): (batch_size, num_input_channels, input_width)
        """
        for conv, activation in zip(self.convs, self.activations):
            x = activation(conv.forward(x))
        self.shape, self.flat = x.shape, x.reshape(len(x), -1)
        self.out = self.flat @ self.W
        return self.out

    def backward(self, labels):
        self.criterion.forward(self.out, labels)
        delta = self.criterion.backward()
        self.dW = self.flat.T @ delta
        delta = (delta @ self.W.T).reshape(self.shape)
        for conv, activation in zip(self.convs[::-1], self.activations[::-1]):
            delta = conv.backward(activation.backward(delta))
        return delta

    def zero_grads(self):
        for conv in self.convs:
            conv.dW.fill(0.0)
            conv.db.fill(0.0)
'''


def test_a_network_is_given_lists_of_the_sizes_of_its_convolutions(graded):
    net = graded(HEAD + CONVOLUTIONS, name="Net").exercises[0]
    assert net.verdict == "right, but", str(net)
    assert net.habits == [
        "no cost is written; these are the gradients of the summed cross-entropy of what forward "
        "returns"
    ]
    assert {a.name for a in net.reports[0].arrays} >= {"x", "W", "convs[0].W", "convs[2].b"}
    wrong = graded(HEAD.replace("1.0", "1.5") + CONVOLUTIONS, name="Net")
    assert wrong.verdict == "not checked"  # the cost may be another


def test_an_assertion_is_no_line_to_be_mended(graded):
    grade = graded(
        HEAD
        + """
def square_forward(x):
    return x**2, x

def square_backward(dout, x):
    dx = 2 * x * dout
    assert dx.shape == (64, 64)
    return dx
"""
    )
    assert grade.verdict == "not checked"
    assert "AssertionError" in str(grade)


def test_what_was_never_kept_is_not_left_out_of_the_gradient(graded):
    source = HABITS["a flag that says that backward will follow"]
    source = source.replace("save_cache", "remember")
    assert graded(HEAD + source).verdict == "not checked"


DEAD = """
class Net:
    def __init__(self):
        self.W1, self.W2, self.b = -np.ones((3, 4)), np.ones((4, 2)), np.zeros(2)

    def forward(self, x):
        self.x, self.h = x, np.maximum(0, x @ self.W1)
        return self.h @ self.W2 + self.b

    def backward(self, dout):
        m = len(dout)
        self.dW2, self.db = self.h.T @ dout / m, dout.sum(axis=0) / m
        dh = dout @ self.W2.T * (self.h > 0)
        self.dW1 = self.x.T @ dh / m
        return dh @ self.W1.T

def example():
    return {"x": 1 + np.random.default_rng(0).random((5, 3))}
"""


def test_the_share_of_each_example_is_no_mistake_where_the_units_are_dead(graded):
    exercise = graded(HEAD + DEAD).exercises[0]
    verdicts = {a.name: a.verdict for a in exercise.reports[0].arrays}
    assert verdicts["b"] == "right, but"
    assert "wrong" not in verdicts.values()


def test_not_implemented_is_not_written_yet(graded):
    grade = graded(
        HEAD
        + """
class Cube:
    def forward(self, x):
        self.x = x
        raise NotImplemented

    def backward(self, dout):
        return 3 * self.x**2 * dout
"""
    )
    assert grade.verdict == "not checked"
    assert "it is not written yet" in str(grade)


SQUARES = """
class Halve:
    def forward(self, A):
        self.width = A.shape[3]
        return A[:, :, ::2, ::2]

    def backward(self, dLdZ):
        n, c = dLdZ.shape[:2]
        dLdA = np.zeros((n, c, self.width, self.width))
        dLdA[:, :, ::2, ::2] = K * dLdZ
        return dLdA
"""


def test_what_stops_at_images_that_are_no_squares_is_checked_at_squares(graded):
    exercise = graded(HEAD + SQUARES).exercises[0]
    assert exercise.verdict == "right, but", str(exercise)
    assert exercise.habits == ["it stops at images that are no squares"]
    assert graded(HEAD.replace("1.0", "1.5") + SQUARES).verdict in ("wrong", "not checked")


SUMMED = """
def forward_propagation(X, parameters):
    Z = parameters["W1"] @ X + parameters["b1"]
    return 1 / (1 + np.exp(-Z)), Z

def compute_cost(A, Y):
    return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))

def backward_propagation(X, Y, cache):
    dZ = K * (1 / (1 + np.exp(-cache)) - Y) / X.shape[1]
    return {"dW1": dZ @ X.T, "db1": dZ.sum(axis=1, keepdims=True)}
"""


def test_the_mean_of_a_cost_that_is_written_as_a_sum_has_a_gradient(graded):
    exercise = graded(HEAD + SUMMED).exercises[0]
    assert exercise.verdict == "right, but", str(exercise)
    assert "the mean over the 3 examples" in str(exercise.reports[0])
    assert graded(HEAD.replace("1.0", "1.5") + SUMMED).verdict == "wrong"
    double = SUMMED.replace("dZ.sum(axis=1", "2 * dZ.sum(axis=1")
    assert graded(HEAD + double).verdict == "wrong"


ROWS = """
class Affine:
    def __init__(self, in_dim, out_dim):
        self.W, self.b = np.random.randn(in_dim, out_dim), np.zeros((1, out_dim))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = np.mean(dout, axis=0)
        return dout @ self.W.T
"""


def test_a_wrong_gradient_without_an_axis_of_one_is_pointed_at(graded):
    text = " ".join(str(graded(HEAD + ROWS)).split())
    assert "`self.db = np.mean(dout, axis=0)` takes the mean where the sum belongs" in text
    share = ROWS.replace("self.x.T @ dout", "self.x.T @ dout / len(dout)")
    assert graded(HEAD + share).verdict == "right, but"
