"""Each way in which courses write a forward and a backward pass, found and checked."""

import pytest

from minivae.course.grading import grade_file
from minivae.errors import OptionError

from .conftest import LINEAR

pytestmark = pytest.mark.slow

RIGHT = {
    "pair": LINEAR,
    "plain names": LINEAR.replace("linear_", ""),
    "prefix": LINEAR.replace("linear_forward", "forward_linear").replace(
        "linear_backward", "backward_linear"
    ),
    "cache first": LINEAR.replace("(dout, cache)", "(cache, dout)"),
    "dict of gradients": LINEAR.replace(
        "return dout @ W.T, x.T @ dout, dout.sum(axis=0)",
        'return {"dW": x.T @ dout, "grad_b": dout.sum(0), "x": dout @ W.T}',
    ),
    "cache spread": LINEAR.replace("(dout, cache)", "(dy, x, W)")
    .replace("cache\n", "x, W\n")
    .replace("dout", "dy"),
    "no cache": """
        import numpy as np
        def relu(Z):
            return np.maximum(0, Z)
        def relu_backward(dA, Z):
            return dA * (Z > 0)
        def example():
            return {"Z": np.array([[1.0, -2.0, 3.0], [0.5, -0.7, -2.0]])}
        """,
    "from the output": """
        import numpy as np
        def sigmoid_forward(x):
            return 1 / (1 + np.exp(-x))
        def sigmoid_backward(dout, out):
            return dout * out * (1 - out)
        """,
    "two outputs": """
        import numpy as np
        def heads_forward(x, W1, W2):
            return x @ W1, x @ W1 @ W2, (x, W1, W2)
        def heads_backward(dmu, dlogvar, cache):
            x, W1, W2 = cache
            dh = dmu + dlogvar @ W2.T
            return dh @ W1.T, x.T @ dh, (x @ W1).T @ dlogvar
        """,
    "two outputs, one upstream": """
        import numpy as np
        def halves_forward(x):
            return (x ** 2, np.sin(x)), x
        def halves_backward(dout, cache):
            d1, d2 = dout
            return 2 * d1 * cache + d2 * np.cos(cache)
        """,
    "loss and gradient function": """
        import numpy as np
        def mse_loss(y_pred, y):
            return np.mean((y_pred - y) ** 2)
        def mse_grad(y_pred, y):
            return {"y_pred": 2 * (y_pred - y) / y.size}
        """,
    "loss with gradients": """
        import numpy as np
        def softmax_loss(scores, labels):
            p = np.exp(scores - scores.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            rows = np.arange(len(labels))
            d = p.copy()
            d[rows, labels] -= 1
            return -np.log(p[rows, labels]).mean(), d / len(labels)
        def helper(a, unknown):
            return a, unknown
        def numbers(x, y):
            return "a", "b"
        """,
    "loss with dict of parameters": """
        import numpy as np
        def net_loss(params, x):
            h = np.tanh(x @ params["W1"] + params["b1"])
            dh = 2 * h * (1 - h ** 2)
            return (h ** 2).sum(), {"params": {"W1": x.T @ dh, "b1": dh.sum(0)}}
        def example():
            rng = np.random.default_rng(0)
            params = {"W1": rng.normal(size=(5, 3)), "b1": rng.normal(size=3)}
            return {"net": {"params": params, "x": rng.normal(size=(2, 5))}}
        """,
    "class with attributes": """
        import numpy as np
        class Linear:
            def __init__(self, n_in, n_out):
                self.W = np.random.randn(n_in, n_out)
                self.b = np.zeros(n_out)
                self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
            def forward(self, x):
                self.x = x
                return x @ self.W + self.b
            def backward(self, dout):
                self.dW[...], self.db[...] = self.x.T @ dout, dout.sum(0)
                return dout @ self.W.T
        """,
    "class with dicts": """
        import numpy as np
        class Linear:
            def __init__(self, in_features, out_features, scale=0.1):
                W, b = np.ones((in_features, out_features)), np.ones(out_features)
                self.params = {"W": W, "b": b}
                self.grads = {}
            def forward(self, x):
                self.x = x
                return x @ self.params["W"] + self.params["b"]
            def backward(self, dout):
                self.grads["W"], self.grads["b"] = self.x.T @ dout, dout.sum(0)
                return dout @ self.params["W"].T
        """,
    "class that accumulates until zero_grad": """
        import numpy as np
        class Scale:
            def __init__(self, dim):
                self.g = np.ones(dim)
                self.grad_g = np.zeros(dim)
            def zero_grad(self):
                self.grad_g = np.zeros_like(self.grad_g)
            def forward(self, x):
                self.x = x
                return x * self.g
            def backward(self, dout):
                self.grad_g = self.grad_g + (dout * self.x).sum(0)
                return dout * self.g
        """,
    "class that returns all": """
        import numpy as np
        class Linear:
            def __init__(self, W, b):
                self.W, self.b = W, b
            def forward(self, x):
                return x @ self.W + self.b, x
            def backward(self, dout, cache):
                return {"dx": dout @ self.W.T, "dW": cache.T @ dout, "db": dout.sum(0)}
        """,
    "class without parameters": """
        import numpy as np
        class Tanh:
            def forward(self, x):
                self.y = np.tanh(x)
                return self.y
            def backward(self, dout):
                return dout * (1 - self.y ** 2)
        """,
}


@pytest.mark.parametrize("form", RIGHT)
def test_form_is_found_and_right(graded, form):
    grade = graded(RIGHT[form])
    assert grade.verdict == "right", str(grade)
    assert len(grade.exercises) == 1
    exercise = grade.exercises[0]
    assert len(exercise.reports) == 3
    assert all(error < 1e-6 for r in exercise.reports for error in (a.error for a in r.arrays))
    assert set(exercise.gradients.values()) == {"right"}


def test_gradients_of_a_class_are_those_of_its_parameters_too(graded):
    source = RIGHT["class with attributes"].replace("dout.sum(0)", "dout.mean(0)")
    exercise = graded(source).exercises[0]
    assert exercise.gradients == {"x": "right", "W": "right", "b": "wrong"}
    assert exercise.reports[0]["b"].diagnoses[0].key in ("mean_for_sum", "batch")


def test_accumulation_is_a_breach(graded):
    source = RIGHT["class that accumulates until zero_grad"].replace("zero_grad", "reset")
    grade = graded(source)
    assert "doubled on the second call" in grade.exercises[0].text


CHANGES = {
    "x was changed in place": ("    return x @ W + b", "    x *= 2\n    return x @ W + b"),
    "the upstream gradient was changed": ("    x, W = cache", "    x, W = cache\n    dout *= 1.5"),
    "backward changed the cache": ("    x, W = cache", "    x, W = cache; cache[0][0] = 0"),
}


@pytest.mark.parametrize("breach", CHANGES)
def test_habits_are_seen_through_the_process(graded, breach):
    source = LINEAR.replace("    return x @ W + b, (x, W)", "    return x @ W + b, (x.copy(), W)")
    if breach.startswith("x was"):
        source = LINEAR
    grade = graded(source.replace(*CHANGES[breach]))
    assert any(breach in text for text in grade.exercises[0].habits), str(grade)


def test_noise_that_is_drawn_twice_is_named(graded):
    source = """
    import numpy as np
    def reparameterize_forward(mu, logvar):
        eps = np.random.randn(*mu.shape)
        return mu + np.exp(logvar / 2) * eps, logvar
    def reparameterize_backward(dz, cache):
        eps = np.random.randn(*cache.shape)
        return dz, dz * eps * 0.5 * np.exp(cache / 2)
    """
    exercise = graded(source).exercises[0]
    assert exercise.gradients == {"mu": "right", "logvar": "wrong"}
    assert exercise.reports[0]["logvar"].diagnoses[0].key == "noise_redrawn"


def test_name_selects_one(student):
    path = student(LINEAR + RIGHT["from the output"].replace("\n        ", "\n"))
    assert [e.name for e in grade_file(path).exercises] == ["linear", "sigmoid"]
    for name in ("sigmoid", "sigmoid_forward", "sigmoid_backward"):
        assert [e.name for e in grade_file(path, name=name).exercises] == ["sigmoid"]
    with pytest.raises(OptionError, match="it has linear, sigmoid"):
        grade_file(path, name="tanh")


def test_nothing_to_check_is_said(graded):
    grade = graded("def f(x):\n    return x\n")
    assert grade.verdict == "not checked"
    assert "nothing was found that can be checked" in grade.problem


def test_unknown_argument_names_ask_for_an_example(graded):
    """The text has the student's own names and is an example() that runs."""
    source = LINEAR.replace("def linear_forward(x, W, b):", "def linear_forward(foo, W, b):")
    source = source.replace(
        "    return x @ W", "    assert len(foo) == 6\n    x = foo\n    return x @ W"
    )
    grade = graded(source)
    assert grade.verdict == "not checked"
    assert "write a function example() into the file" in str(grade)
    text = grade.exercises[0].example
    assert '"foo": rng.standard_normal((3, 5)),' in text
    assert graded(source + text.replace("(3, 5)", "(6, 5)")).verdict == "right"


def test_example_that_raises_is_a_note(graded):
    grade = graded(LINEAR + "def example():\n    return 1 / 0\n")
    assert grade.passed
    assert "example() does not run: ZeroDivisionError" in grade.exercises[0].text


def test_report_says_where_the_inputs_come_from(graded):
    assert "names of the arguments: x (3, 5), W (5, 7), b (7,)" in str(graded(LINEAR))
    example = """
def example():
    return {"x": np.ones((2, 3)), "W": [[1.0], [2.0], [0.0]], "b": np.zeros(1)}
"""
    grade = graded(LINEAR + example)
    assert "inputs from example() in the file" in str(grade)
    assert grade.exercises[0].reports[0]["W"].shape == (3, 1)


def test_mistake_at_other_sizes_alone_is_found(graded):
    source = LINEAR.replace("dout.sum(axis=0)", "dout.mean(axis=0) * 3")
    exercise = graded(source).exercises[0]
    assert [p.verdict for p in exercise.points] == ["right", "wrong", "right"]
    assert exercise.gradients["b"] == "wrong"
    assert "at other sizes" in exercise.text
    assert exercise.verdict == "wrong"


def test_function_that_refuses_other_sizes_is_not_wrong_without_a_rubric(graded):
    source = LINEAR.replace("    return x @ W", "    assert len(x) == 3\n    return x @ W")
    grade = graded(source)
    assert grade.passed
    assert "not tried at other sizes: linear: AssertionError (line 5 of homework.py)" in str(grade)
    exercise = {"name": "linear", "inputs": {"x": "B I", "W": "I O", "b": "O"}}
    assert graded(source, exercise).score == 0.0
    assert graded(source, {**exercise, "vary_sizes": False}).score == 1.0


def test_a_loss_that_cannot_be_run_is_not_checked_and_a_helper_left_out(student):
    loss = """
def odd_loss(mu, logvar, eps, x):
    assert len(mu) == 4
    error = mu + np.exp(0.5 * logvar) * eps - x
    dlogvar = 0.5 * error * np.exp(0.5 * logvar) * eps
    return 0.5 * (error**2).sum(), {"mu": error, "logvar": dlogvar}
"""
    grade = grade_file(student(LINEAR + loss))
    assert [exercise.verdict for exercise in grade.exercises] == ["right", "not checked"]
    assert (grade.verdict, grade.exit_code) == ("not checked", 4)
    assert "odd_loss: AssertionError" in str(grade)
    assert "write a function example()" in str(grade)
    helper = grade_file(student(LINEAR + loss.replace("odd_loss", "odd_halves"), "helper.py"))
    assert [exercise.name for exercise in helper.exercises] == ["linear"]
    assert helper.verdict == "right"
    assert "odd_halves" in helper.left_out[0]
    example = """
def example():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(4, 2)) for name in ("mu", "logvar", "eps", "x")}
"""
    alone = grade_file(student(LINEAR + loss + example, "other.py"), name="odd_loss")
    assert alone.passed
    assert not alone.left_out


NETWORK = """
import numpy as np

class Net:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        assert len(x) == 19
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout
"""


def test_what_the_doctor_makes_itself_is_not_in_an_example(graded):
    exercise = graded(NETWORK).exercises[0]
    assert exercise.verdict == "not checked"
    assert "None" not in exercise.example
    assert "# layers: the doctor's own, unless it is given here" in exercise.example
    grade = graded(NETWORK + exercise.example.replace("(3, 5)", "(19, 5)"))
    assert grade.verdict == "right"
