"""No kernel computes in double where it was asked for float32, or adds in a random order."""

import pytest

from gpu.lint import lint
from minivae.engine.gpu.kernels import Elementwise, Reduction, specs


@pytest.fixture
def planted(monkeypatch):
    """Kernels that are not entered into the list of all."""
    monkeypatch.setattr("minivae.engine.gpu.kernels._SPECS", [])

    def plant(body, form="body"):
        if form == "body":
            return Elementwise("planted", "T x", "T y", body)
        parts = {"map": "x", "post": "y = a", "reduce": "a + b", "identity": "0"} | {form: body}
        return Reduction("planted", "T x", "T y", **parts)

    return plant


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.name)
def test_no_kernel_is_refused(spec):
    assert lint(spec) == []


def test_there_are_kernels_of_both_forms():
    forms = [type(spec) for spec in specs()]
    assert forms.count(Elementwise) > 30
    assert forms.count(Reduction) > 5


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("y = x * 0.5;", "T(0.5)"),
        ("y = x * .5;", "T(.5)"),
        ("y = x * 2.;", "T(2.)"),
        ("y = x * 1e-3;", "T(1e-3)"),
        ("y = x * 1.5e+3;", "T(1.5e+3)"),
        ("y = x * 0.5f;", "T(0.5f)"),
        ("y = x*-0.5;", "T(0.5)"),
        ("y = T(0.5 * x);", "T(0.5)"),
        ("y = x > T(0) ? 1.0 : T(0);", "T(1.0)"),
        ("y = exp(0.5 * x);", "T(0.5)"),
        ("y = x * sqrt(2);", "T(2)"),
        ("y = pow(x, 2);", "T(2)"),
        ("y = std::exp(x);", "std::"),
        ("y = std :: exp(x);", "std ::"),
        ("atomicAdd(&y, x);", "atomicAdd"),
        ("y = x; __syncthreads();", "__syncthreads"),
        ("/* a */ y = x; // b\n y = 0.1 * y;", "T(0.1)"),
    ],
)
def test_a_planted_mistake_is_caught(planted, body, word):
    found = lint(planted(body))
    assert found
    assert all(sentence.startswith("planted: ") for sentence in found)
    assert word in " ".join(found)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("map", "0.5 * x"),
        ("post", "y = a / 2.0"),
        ("reduce", "a + b + 0.0"),
        ("identity", "1e-3"),
        ("identity", ""),
        ("map", "exp(x)"),
        ("post", "y = my(a)"),
    ],
)
def test_every_part_of_a_reduction_is_read(planted, form, text):
    assert len(lint(planted(text, form))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "y = T(0.5) * x + T(-1.5e-3) / T( 2.0 );",
        "y = x * 2 + 1;  // 0.5 of it, as std::exp has it",
        "/* 0.5 */ y = T(1) - x;",
        "T x1e5 = x; y = x1e5 * x1e5;",
        "y = x > 0 ? T(1) : T(0);",
    ],
)
def test_right_bodies_are_left_alone(planted, body):
    assert lint(planted(body)) == []
