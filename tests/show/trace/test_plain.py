"""LaTeX as text for the terminal."""

import importlib
import re

import pytest

from minivae.show import derivations
from minivae.show.typeset.plain import plain


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"y_{no} = \sum_i x_{ni} W_{io} + b_o", "y_no = Σ_i x_ni W_io + b_o"),
        (r"\tfrac12 \left( \mu^2 - 1 \right)", "½ ( μ^2 - 1 )"),
        (r"\frac{1}{1 + e^{-x}}", "1/(1 + e^(-x))"),
        (r"\frac{\frac{a}{b}}{c}", "(a/b)/c"),
        (r"d\text{logvar} = \sqrt{v}", "dlogvar = √(v)"),
        (r"\overline{KL}_j \le \|g\|", "mean KL_j ≤ ‖g‖"),
        (r"x^{y_{ij}}", "x^(y_ij)"),
        (r"\nu + \Gamma", "ν + Γ"),
        (r"\lfloor n / s \rfloor + \lceil k \rceil", "⌊ n / s ⌋ + ⌈ k ⌉"),
        (r"\ell = \arg\max_j \det a_j", "ℓ = argmax_j det a_j"),
        (r"a = \begin{cases} 1 & b \\ 0 & c \end{cases}", "a = 1 & b \\ 0 & c"),
        (r"\unknown{a}", r"\unknowna"),
    ],
)
def test_examples(tex, text):
    assert plain(tex) == text


def test_no_equation_of_an_operation_keeps_a_command():
    left = {
        (name, n): plain(tex)
        for name in derivations.modules()
        if name.startswith(("minivae.ops.", "minivae.models.objectives", "minivae.train.optim."))
        for n, tex in derivations.equations(importlib.import_module(name).__doc__).items()
        if re.search(r"\\[a-zA-Z]|[{}]", plain(tex))
    }
    assert left == {}
