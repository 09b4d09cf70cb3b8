"""Habits of a backward pass: right, and worth a word."""

import random
import warnings

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.verdict.frozen import frozen_randomness, kept_randomness
from minivae.check.verdict.habits import run


def scale(x, w):
    return x * w, (x, w)


def scale_backward(dy, cache):
    x, w = cache
    return dy * w, dy * x


def point(seed=0, shape=(3, 4)):
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal(shape), "w": rng.standard_normal(shape)}


def habits(forward, backward, inputs=None, **options):
    """The habits; the numbers must be right, so that they alone make the verdict."""
    report = check_gradients(forward, backward, inputs or point(), **options)
    assert all(array.verdict == "right" for array in report.arrays), str(report)
    assert report.verdict == ("right, but" if report.habits else "right")
    return report.habits


def test_a_pair_that_keeps_the_contract():
    assert habits(scale, scale_backward) == []
    assert habits(scale, scale_backward, dtype="float32") == []


def test_backward_that_changes_the_upstream_gradient():
    def backward(dy, cache):
        x, w = cache
        dw = dy * x
        dy *= w
        return dy, dw

    (habit,) = habits(scale, backward)
    assert habit == "the upstream gradient was changed in place; work on a copy"


def test_forward_that_changes_its_input():
    def forward(x, w):
        before = x.copy()
        x *= w
        return x.copy(), (before, w)

    (habit,) = habits(forward, scale_backward)
    assert habit.startswith("x was changed in place")


def test_backward_that_changes_an_input_through_the_cache():
    def backward(dy, cache):
        x, w = cache
        grads = dy * w, dy * x
        w[...] = 0
        return grads

    found = habits(scale, backward)
    assert any(habit.startswith("w was changed in place") for habit in found)


def test_backward_that_changes_the_cache():
    def forward(x, w):
        return x * w, {"x": x.copy(), "w": w.copy()}

    def backward(dy, cache):
        dx = dy * cache["w"]
        cache["x"] *= dy
        return dx, cache["x"]

    found = habits(forward, backward)
    assert any(habit.startswith("backward changed the cache") for habit in found)


@pytest.mark.parametrize("in_place", [True, False])
def test_gradients_that_add_up_from_call_to_call(in_place):
    kept = {"dw": np.zeros((3, 4))}

    def backward(dy, cache):
        x, w = cache
        if in_place:
            kept["dw"] += dy * x
        else:
            kept["dw"] = kept["dw"] + dy * x
        return {"dx": dy * w, "dw": kept["dw"]}

    report = check_gradients(scale, backward, point())
    assert report["x"].verdict == "right"
    assert report["w"].verdict == "wrong"  # reading it took a call, after which it was not cleared
    (habit,) = report.habits
    assert habit.startswith("dw grows with each call: it is added to the last one, as PyTorch does")


class Adding:
    """A layer that adds its gradients up, as PyTorch's do."""

    factor = 1

    def __init__(self):
        self.w = np.array([0.3, -1.2, 2.0])
        self.dw = np.zeros(3)

    def forward(self, x):
        self.x = x
        return x * self.w

    def backward(self, dy):
        self.dw += self.factor * (dy * self.x).sum(axis=0)
        return dy * self.w


class AddingWrongly(Adding):
    factor = 2


def test_adding_up_is_a_habit_and_hides_no_mistake():
    x = np.random.default_rng(0).standard_normal((4, 3))
    report = check_gradients(Adding, inputs={"x": x})
    assert report.verdict == "right, but"
    assert [array.verdict for array in report.arrays] == ["right", "right"]
    (habit,) = report.habits
    assert habit.startswith("dw doubled on the second call")
    assert check_gradients(AddingWrongly, inputs={"x": x})["w"].verdict == "wrong"


def test_backward_that_returns_something_else_the_second_time():
    calls = []

    def backward(dy, cache):
        calls.append(1)
        dx, dw = scale_backward(dy, cache)
        return dx, dw if len(calls) < 3 else 3 * dw

    report = check_gradients(scale, backward, point())
    assert "backward returned something else the second time, with the same inputs and cache" in (
        report.habits
    )


@pytest.mark.parametrize(
    ("grows", "verdict"),
    [("sum", "right, but"), ("factor", "not checked"), ("settles", "not checked")],
)
def test_forward_that_keeps_a_state(grows, verdict):
    calls = []

    def forward(x, w):
        calls.append(1)
        if grows == "sum":
            return x * w + len(calls), (x, w)
        factor = len(calls) if grows == "factor" else 2 if len(calls) <= 3 else 1
        return factor * x * w, (factor * x, factor * w)

    report = check_gradients(forward, scale_backward, point())
    assert any("forward returned something else the second time" in h for h in report.habits)
    assert report.verdict == verdict, str(report)


@pytest.mark.parametrize(
    "draw",
    [
        lambda shape: np.random.randn(*shape),  # noqa: NPY002
        lambda shape: np.random.default_rng().standard_normal(shape),
        lambda shape: np.array([random.gauss(0, 1) for _ in range(shape[0])])[:, None],
    ],
    ids=["numpy.random", "default_rng", "random"],
)
def test_forward_that_draws_its_own_noise(draw):
    def forward(x, w):
        noise = draw(x.shape)
        return x * w + noise, (x, w)

    (habit,) = habits(forward, scale_backward)
    assert habit.startswith("forward draws random numbers of its own")


def test_noise_of_a_fixed_seed_is_no_habit():
    def forward(x, w):
        noise = np.random.default_rng(7).standard_normal(x.shape)
        return x * w + noise, (x, w)

    assert habits(forward, scale_backward) == []


def test_gradient_of_another_dtype():
    def backward(dy, cache):
        dx, dw = scale_backward(dy, cache)
        return dx.astype(float), dw

    (habit,) = habits(scale, backward, dtype="float32")
    assert habit == "dx is float64, but x is float32; keep the dtype of the input"
    assert habits(scale, backward) == []


def test_gradient_that_is_not_linear_in_the_upstream_gradient():
    def backward(dy, cache):
        x, w = cache
        return dy * w, x

    report = check_gradients(scale, backward, point())
    assert report["w"].verdict == "wrong"
    assert report["w"].reason == "dw does not double when dy doubles: multiply by dy, once"
    assert report.habits == []


def test_a_loss_leaves_its_upstream_gradient_out_only_where_it_takes_none():
    def loss(x, w):
        return np.sum(x * w), (x, w)

    def backward(dloss, cache):
        x, w = cache
        return w.copy(), x.copy()

    def backward_of_the_cache(cache):
        return cache[::-1]

    assert habits(loss, backward_of_the_cache) == []
    report = check_gradients(loss, backward, point())
    assert report.verdict == "wrong"
    for array in report.arrays:
        (diagnosis,) = (d for d in array.diagnoses if not d.line)
        assert diagnosis.key == "no_upstream"
        assert f"d{array.name} is right only where dloss is 1: multiply by dloss" in diagnosis.text


def test_a_loss_is_tried_at_another_number_than_1():
    seen = []

    def backward(dloss, cache):
        seen.append(dloss)
        x, w = cache
        return dloss * w, dloss * x

    def loss(x, w):
        return np.sum(x * w), (x, w)

    assert check_gradients(loss, backward, point()).verdict == "right"
    assert any(abs(dloss) not in (1, 2) for dloss in seen)


def test_a_default_of_the_upstream_gradient_may_be_relied_on():
    class Loss:
        def forward(self, x):
            self.x = x
            return np.sum(x**2)

        def backward(self, dout=1):
            return 2 * self.x

    class Wrong(Loss):
        def backward(self, dout=1):
            return 3 * self.x

    x = point()["x"]
    report = check_gradients(Loss, inputs={"x": x})
    assert report.verdict == "right, but"
    assert report.habits == ["dout is not used; that is right where it is 1, as by default"]
    assert check_gradients(Wrong, inputs={"x": x}).verdict == "wrong"


def test_a_cache_that_cannot_be_copied():
    def forward(x, w):
        return x * w, (array for array in (x, w))

    def backward(dy, cache):
        return scale_backward(dy, cache)

    assert habits(forward, backward) == []


def test_habits_come_with_the_gradients_in_the_dtype_asked_for():
    from minivae.check.verdict.functions import from_functions

    subject = from_functions(scale, scale_backward, point(), None, "scale")
    found = run(subject, [np.ones((3, 4))], "float32", seed=0)
    assert found.habits == []
    assert {gradient.dtype for gradient in found.gradients.values()} == {np.dtype("float32")}


def test_the_check_leaves_random_generators_as_they_were():
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    expected = np.random.rand(3), random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    default_rng = np.random.default_rng

    def forward(x, w):
        return x * w + np.random.rand(), (x, w)  # noqa: NPY002

    check_gradients(forward, scale_backward, point())
    assert np.random.default_rng is default_rng
    np.testing.assert_array_equal(np.random.rand(3), expected[0])  # noqa: NPY002
    assert random.random() == expected[1]


def test_the_generators_are_put_back_when_the_code_raises():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002

    def forward(x, w):
        raise ArithmeticError("broken")

    with pytest.raises(ArithmeticError, match="broken"):
        check_gradients(forward, scale_backward, point())
    assert np.random.rand() == expected  # noqa: NPY002


def test_frozen_randomness_repeats_but_is_nobodys_stream():
    def draws():
        return [
            np.random.rand(),  # noqa: NPY002
            np.random.default_rng().random(),
            random.random(),
        ]

    with frozen_randomness(0):
        first = draws()
    with frozen_randomness(0):
        second = draws()
    with kept_randomness(), frozen_randomness(0):
        third = draws()
    with frozen_randomness(1):
        other = draws()
    assert first == second == third
    assert all(a != b for a, b in zip(first, other, strict=True))
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    users = [
        np.random.rand(),  # noqa: NPY002
        np.random.default_rng(0).random(),
        random.random(),
    ]
    assert all(a != b for a, b in zip(first, users, strict=True))


def test_a_seeded_generator_stays_what_it_was_asked_for():
    with frozen_randomness(0):
        inside = np.random.default_rng(3).random()
    assert inside == np.random.default_rng(3).random()


def test_no_warnings_from_the_check_itself():
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        assert habits(scale, scale_backward) == []
