"""Each way in which courses write a pair, through both doors: the same file, the same verdict.

Every file has a constant K, which is 1 in right code; with another K one gradient is wrong.
"""

import ast
import importlib.util
import pathlib
import textwrap

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.verdict.conventions import Pair, Reading, Unreadable, methods_of, names
from minivae.check.verdict.conventions.kept import gradient_of
from minivae.check.verdict.conventions.objects import find_parameters
from minivae.check.verdict.conventions.owners import owners, returned_names
from minivae.check.verdict.conventions.pairing import partner_of
from minivae.course.grading import grade_file
from minivae.errors import OptionError

pytestmark = pytest.mark.slow

HEAD = """
import numpy as np
K = 1.0
n = np.random.default_rng(0).standard_normal
"""
LINEAR = """
def example():
    return {"x": n((3, 4)), "W": n((4, 2)), "b": n(2)}
def linear_forward(x, W, b):
    return x @ W + b, (x, W)
"""
LAYER = """
def example():
    return {"x": n((3, 4)), "n_in": 4, "n_out": 2}
"""
INIT = """
    def __init__(self, n_in, n_out):
        self.W, self.b = n((n_in, n_out)), n(n_out)
"""
FORWARD = """
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
"""
FILES = {
    "dout, cache": LINEAR
    + """
def linear_backward(dout, cache):
    x, W = cache
    return dout @ W.T, K * x.T @ dout, dout.sum(0)
""",
    "cache, dout": LINEAR
    + """
def linear_backward(cache, dout):
    x, W = cache
    return dout @ W.T, K * x.T @ dout, dout.sum(0)
""",
    "the cache spread": LINEAR
    + """
def linear_backward(dout, *cache):
    x, W = cache
    return dout @ W.T, K * x.T @ dout, dout.sum(0)
""",
    "the parts of the cache": LINEAR
    + """
def linear_backward(dy, x, W):
    return dy @ W.T, K * x.T @ dy, dy.sum(0)
""",
    "the cache is the input": """
def example():
    return {"x": n((3, 4))}
def relu_forward(x):
    return np.maximum(x, 0), x
def relu_backward(dout, x):
    return K * dout * (x > 0)
""",
    "the arguments again": """
def example():
    return {"x": n((3, 4)), "W": n((4, 2))}
def product_forward(x, W):
    return x @ W
def product_backward(dout, x, W):
    return dout @ W.T, K * x.T @ dout
""",
    "the upstream gradient last": """
def example():
    return {"x": n((3, 4)), "W": n((4, 2))}
def product_forward(x, W):
    return x @ W
def product_backward(x, W, dout):
    return dout @ W.T, K * x.T @ dout
""",
    "the output": """
def example():
    return {"x": n((3, 4))}
def tanh_forward(x):
    return np.tanh(x)
def tanh_backward(dout, out):
    return K * dout * (1 - out**2)
""",
    "a derivative": """
def example():
    return {"x": n((3, 4))}
def tanh(x):
    return np.tanh(x)
def tanh_derivative(x):
    return K * (1 - np.tanh(x) ** 2)
""",
    "two outputs": """
def example():
    return {"x": n((3, 4)), "A": n((4, 2)), "C": n((4, 2))}
def heads_forward(x, A, C):
    return x @ A, x @ C, (x, A, C)
def heads_backward(dmu, dlogvar, cache):
    x, A, C = cache
    return dmu @ A.T + dlogvar @ C.T, K * x.T @ dmu, x.T @ dlogvar
""",
    "another activation": """
def example():
    return {"A": n((4, 3)), "W": n((2, 4)), "activation": "leaky"}
def layer_forward(A, W, activation):
    Z = W @ A
    return np.where(Z > 0, Z, 0.2 * Z) if activation == "leaky" else Z, (A, W, Z)
def layer_backward(dA, cache, activation):
    A, W, Z = cache
    dZ = dA * np.where(Z > 0, 1, 0.2) if activation == "leaky" else dA
    return W.T @ dZ, K * dZ @ A.T
""",
    "a loss and its gradients": """
def example():
    return {"p": n((3, 4)), "t": n((3, 4))}
def mse_loss(p, t):
    return ((p - t) ** 2).mean()
def mse_grad(p, t):
    return K * 2 * (p - t) / p.size
""",
    "loss with gradients": """
def example():
    return {"p": n((3, 4)), "t": n((3, 4))}
def mse_loss(p, t):
    return ((p - t) ** 2).mean(), K * 2 * (p - t) / p.size
""",
    "gradients by name": LINEAR
    + """
def linear_backward(dout, cache):
    x, W = cache
    return {"dW": K * x.T @ dout, "grad_b": dout.sum(0), "x": dout @ W.T}
""",
    "gradients named in the return": """
def example():
    return {"x": n((3, 2)), "mu": n((3, 2)), "logvar": n((3, 2))}
def nll_forward(x, mu, logvar):
    r = (x - mu) ** 2 / np.exp(logvar)
    return 0.5 * (r + logvar).sum(axis=1), (x, mu, logvar, r)
def nll_backward(dout, cache):
    x, mu, logvar, r = cache
    dmu = dout[:, None] * (mu - x) / np.exp(logvar)
    dlogvar = K * dout[:, None] * 0.5 * (1 - r)
    return dmu, dlogvar
""",
    "gradients told by shape": """
def example():
    return {"x": n((3, 4)), "W": n((4, 2)), "b": n(2)}
def first_forward(x, W, b):
    return x @ W + b, x
def first_backward(dout, cache):
    return K * cache.T @ dout, dout.sum(axis=0)
""",
    "dicts of parameters": """
def example():
    return {"params": {"W": n((4, 2)), "b": n(2)}, "x": n((3, 4))}
def net_loss(params, x):
    r = x @ params["W"] + params["b"]
    return 0.5 * (r**2).sum(), {"W": K * x.T @ r, "b": r.sum(0)}
""",
    "lists of parameters": """
def example():
    return {"params": [n((4, 2)), n(2)], "x": n((3, 4))}
def net_loss(params, x):
    W, b = params
    r = x @ W + b
    return 0.5 * (r**2).sum(), [K * x.T @ r, r.sum(0)]
""",
    "class: dW": LAYER
    + "class Layer1:"
    + INIT
    + FORWARD
    + """
    def backward(self, dout):
        self.dW, self.db = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T
""",
    "class: dLdW, called": LAYER
    + "class Layer1:"
    + INIT
    + FORWARD.replace("forward", "__call__")
    + """
    def backward(self, dLdZ):
        self.dLdW, self.dLdb = K * self.x.T @ dLdZ, dLdZ.sum(0)
        return dLdZ @ self.W.T
""",
    "class: dicts": LAYER
    + """
class Layer1:
    def __init__(self, n_in, n_out):
        self.params, self.grads = {"W": n((n_in, n_out)), "b": n(n_out)}, {}
    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]
    def backward(self, dout):
        self.grads["W"], self.grads["b"] = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.params["W"].T
""",
    "class: lists": LAYER
    + """
class Layer1:
    def __init__(self, n_in, n_out):
        self.params = [n((n_in, n_out)), n(n_out)]
        self.grads = [np.zeros((n_in, n_out)), np.zeros(n_out)]
    def forward(self, x):
        W, b = self.params
        self.x = x
        return x @ W + b
    def backward(self, dout):
        self.grads[0][...], self.grads[1][...] = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.params[0].T
""",
    "class: one array in two places": LAYER
    + "class Layer1:"
    + INIT
    + """
        self.params = [self.W, self.b]
    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.b
    def backward(self, dout):
        self.dW, self.db = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T
""",
    "class: data and grad": LAYER
    + """
class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None
class Layer1:
    def __init__(self, n_in, n_out):
        self.W, self.b = Parameter(n((n_in, n_out))), Parameter(n(n_out))
    def forward(self, x):
        self.x = x
        return x @ self.W.data + self.b.data
    def backward(self, dout):
        self.W.grad, self.b.grad = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.W.data.T
""",
    "class: returned": LAYER
    + "class Layer1:"
    + INIT
    + FORWARD
    + """
    def backward(self, dout):
        dW, db = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T, dW, db
""",
    "class: returned by name": LAYER
    + "class Layer1:"
    + INIT
    + """
    def forward(self, x):
        return x @ self.W + self.b, x
    def backward(self, dout, cache):
        return {"dx": dout @ self.W.T, "dW": K * cache.T @ dout, "db": dout.sum(0)}
""",
    "class: made by the first forward pass": """
def example():
    return {"x": n((3, 4)), "n_out": 2}
class Layer1:
    def __init__(self, n_out):
        self.n_out, self.W = n_out, None
    def forward(self, x):
        if self.W is None:
            self.W = n((x.shape[1], self.n_out))
        self.x = x
        return x @ self.W
    def backward(self, dout):
        self.dW = K * self.x.T @ dout
        return dout @ self.W.T
""",
    "class: zeros": LAYER
    + """
class Layer1:
    def __init__(self, n_in, n_out):
        self.W = np.zeros((n_in, n_out))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, dout):
        self.dW = self.x.T @ dout
        return K * dout @ self.W.T
""",
    "class: layers inside": LAYER
    + "class Linear:"
    + INIT
    + FORWARD
    + """
    def backward(self, dout):
        self.dW, self.db = K * self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T
class Layer1:
    def __init__(self, n_in, n_out):
        self.layers = [Linear(n_in, 3), Linear(3, n_out)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout
""",
    "class: a loss's backward()": """
def example():
    return {"A": n((3, 4)), "Y": n((3, 4))}
class MSE:
    def forward(self, A, Y):
        self.A, self.Y = A, Y
        return np.mean((A - Y) ** 2)
    def backward(self):
        return K * 2 * (self.A - self.Y) / self.A.size
""",
    "class: a derivative": """
def example():
    return {"Z": n((3, 4))}
class Tanh:
    def forward(self, Z):
        self.A = np.tanh(Z)
        return self.A
    def backward(self):
        return K * (1 - self.A**2)
""",
    "class: the arguments again": """
def example():
    return {"x": n((3, 4)), "y": n((3, 4))}
class Squares:
    def forward(self, x, y):
        return 0.5 * np.sum((x - y) ** 2)
    def backward(self, x, y):
        return K * (x - y)
""",
    "class: loss and grad": """
def example():
    return {"y": n((3, 4)), "y_pred": n((3, 4))}
class MSE:
    @staticmethod
    def loss(y, y_pred):
        return 0.5 * np.linalg.norm(y_pred - y) ** 2
    @staticmethod
    def grad(y, y_pred):
        return K * (y_pred - y)
""",
    "class: a loss that returns both": """
def example():
    return {"n_in": 4, "n_out": 2, "X": n((3, 4)), "y": n((3, 2))}
class Net:
    def __init__(self, n_in, n_out):
        self.params = {"W": n((n_in, n_out))}
    def loss(self, X, y=None):
        r = X @ self.params["W"] - y
        return 0.5 * (r**2).sum(), {"W": K * X.T @ r}
""",
}


def load(path):
    spec = importlib.util.spec_from_file_location(f"students_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_check_gradients(path):
    """The report of the first point, from what the module holds."""
    module = load(path)
    here = [f for f in vars(module).values() if getattr(f, "__module__", "") == module.__name__]
    classes = [c for c in here if isinstance(c, type) and methods_of(c)]
    if classes:
        return check_gradients(classes[-1], inputs=module.example())
    found = {f.__name__: f for f in here if f.__name__ != "example"}
    pairs = {name: partner_of(name, found) for name in found}
    for name, pair in pairs.items():
        if pair:
            return check_gradients(found[pair[1]], found[name], module.example())
    return check_gradients(next(iter(found.values())), None, module.example())


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("convention", FILES)
def test_both_doors_say_the_same(tmp_path, convention, right):
    path = tmp_path / "homework.py"
    source = HEAD + FILES[convention]
    path.write_text(source if right else source.replace("K = 1.0", "K = 1.5"))
    report = by_check_gradients(path)
    grade = grade_file(path)
    exercise = grade.exercises[-1]
    assert report.verdict == grade.verdict == ("right" if right else "wrong"), f"{report}\n{grade}"
    assert {a.name: a.verdict for a in report.arrays} == exercise.gradients
    assert not report.habits
    assert not exercise.habits
    if not right:
        wrong = [name for name, verdict in exercise.gradients.items() if verdict == "wrong"]
        assert len(wrong) == (2 if "layers inside" in convention else 1)


@pytest.mark.parametrize("convention", [name for name in FILES if "class" in name])
def test_an_object_is_checked_as_its_class_is_and_stays_as_it_is(tmp_path, convention):
    path = tmp_path / "homework.py"
    path.write_text(HEAD + FILES[convention])
    module = load(path)
    here = [c for c in vars(module).values() if isinstance(c, type) and methods_of(c)]
    inputs = module.example()
    own = {n: inputs.pop(n) for n in ("n_in", "n_out") if n in inputs}
    thing = here[-1](**own)
    before = {n: places[0].get().copy() for n, places in find_parameters(thing).items()}
    report = check_gradients(thing, inputs=inputs)
    assert report.passed, str(report)
    assert report.name == here[-1].__name__
    for n, places in find_parameters(thing).items():
        np.testing.assert_array_equal(places[0].get(), before[n])


def test_what_cannot_be_called_is_one_sentence(refuses, tmp_path):
    """The label of a loss that is not computed here is no upstream gradient."""
    source = """
    def forward_propagation(X, W):
        A = 1 / (1 + np.exp(-(W @ X)))
        return A, {"A": A}
    def backward_propagation(W, cache, X, Y):
        return (cache["A"] - Y) @ X.T / X.shape[1]
    def example():
        return {"X": n((3, 6)), "W": n((1, 3))}
    """
    path = tmp_path / "homework.py"
    path.write_text(HEAD + textwrap.dedent(source))
    with refuses(OptionError, "backward takes Y, which forward neither takes nor returns"):
        by_check_gradients(path)
    problem = grade_file(path).exercises[0].points[0].problem
    assert "backward takes Y, which forward neither takes nor returns" in problem


def test_a_method_alone_and_a_function_without_upstream(refuses):
    class Forward:
        def forward(self, x):
            return x

    assert methods_of(Forward) is None
    with refuses(OptionError, "backward takes no upstream gradient"):
        check_gradients(lambda x: x.sum(axis=0), lambda x: np.ones_like(x), {"x": np.ones((2, 3))})


@pytest.mark.parametrize(
    ("parts", "likely", "words", "found"),
    [
        ([(3, 5), (5, 7), (7,)], [], [], "x W b"),
        ([(3, 5), (5, 7)], [], [], "x W"),
        ([(5, 7), (7,)], [], [], "W b"),
        ([(7,)], [], [["db"]], "b"),
        ([(5, 7), (7,), (3, 5)], [], [["dW"], ["db"], ["dx"]], "W b x"),
        ([(5, 7), (7,), (3, 5)], [], [], "x W b"),
        ([(7, 5), (1, 7)], [["W", "b"]], [], "W b"),
    ],
)
def test_owners(parts, likely, words, found):
    shapes = {"x": (3, 5), "W": (5, 7), "b": (7,)}
    parts = [np.zeros(shape) for shape in parts]
    assert owners(parts, shapes, likely, words) == found.split()


def test_two_gradients_of_one_shape_keep_their_order():
    """Returned the wrong way round, they are wrong, whatever they are called."""
    shapes = {"mu": (3, 2), "logvar": (3, 2)}
    parts = [np.zeros((3, 2))] * 2
    assert owners(parts, shapes, [], [["dlogvar"], ["dmu"]]) == ["mu", "logvar"]


def test_names_in_a_return_statement():
    def backward(dout, cache):
        dx, dw = dout, dout * cache
        return 2 * dx, dw, dout.sum()

    assert returned_names(backward) == [["dx"], ["dw"], ["sum", "dout"]]
    assert returned_names(None) == []


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("conv_backward_naive", "conv_forward_naive"),
        ("conv_backward_fast", "conv_forward_naive"),
        ("batchnorm_backward_alt", "batchnorm_forward"),
        ("sigmoid_grad", "sigmoid"),
        ("relu_derivative", "relu"),
        ("drelu", "relu"),
        ("mse_grad", "mse_loss"),
        ("dmse_loss", "mse_loss"),
        ("vae_loss_backward", "vae_loss_forward"),
        ("backward_propagation", "forward_propagation"),
        ("data_loader", None),
        ("dropout_mask", None),
        ("gradient_check", None),
    ],
)
def test_partners(name, forward):
    functions = [
        "conv_forward_naive", "batchnorm_forward", "sigmoid", "relu", "mse_loss",
        "vae_loss_forward", "forward_propagation", "helper", name,
    ]  # fmt: skip
    pair = partner_of(name, functions)
    assert (pair and pair[1]) == forward


def test_a_name_stands_for_one_role():
    sure = [name for role in names.ROLES for name in names.sure_names(role)]
    assert len(sure) == len(set(sure))
    assert all(name == names.plain(name) for name in sure)
    assert names.role_of("log_var") == "logvar"
    assert names.rank("W", "weights") == 1
    assert names.argument_of("dL_dw", ["x", "W"]) == "W"
    assert names.argument_of("data", ["x", "ata"]) == "ata"
    assert names.argument_of("other", ["x"]) == "other"


def test_gradients_at_an_object():
    class Layer1:
        def __init__(self):
            self.W, self.dW, self.cache_x = np.ones(3), np.zeros(3), np.ones(2)
            self.running = {"mean": np.ones(2)}

    layer = Layer1()
    found = find_parameters(layer)
    assert list(found) == ["W", "mean"]
    assert gradient_of(layer, "W", found["W"]) is layer.dW
    assert gradient_of(layer, "mean", found["mean"]) is None


def test_a_reading_there_and_back():
    reading = Reading({"params": {"W": np.ones(2)}, "x": np.ones(3), "k": 2, "opts": {}}, {})
    assert list(reading.arguments) == ["W", "x"]
    nested = reading.nested(reading.arguments)
    assert nested["params"].keys() == {"W"}
    assert nested["k"] == 2
    assert nested["opts"] == {}
    with pytest.raises(Unreadable, match=r"\(none\)"):
        reading.vary()


def test_the_reader_stands_alone():
    """The process of a student's file loads it without minivae."""
    assert Pair.__module__ == "minivae.check.verdict.conventions.pair"
    folder = pathlib.Path(names.__file__).parents[1]
    files = [
        *sorted((folder / "conventions").glob("*.py")),
        folder / "draws.py",
        folder / "frozen.py",
    ]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.name}:{node.lineno}"
                assert node.level or "minivae" not in node.module, f"{file.name}:{node.lineno}"
            elif isinstance(node, ast.Import):
                assert all("minivae" not in alias.name for alias in node.names), file.name
