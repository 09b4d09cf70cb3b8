"""An `example()` for a student to edit: the likeliest guess of the inputs, written as code."""

from typing import Any

from .combine import Guess
from .discover import Target
from .inputs import COLUMNS, Spec, size_of, sizes_of


def example_text(target: Target, guess: Guess | None) -> str:
    """A function `example()` with arguments of a target; they have the student's own names."""
    given: dict[str, Any] = {}
    made: list[str] = []
    specs = {**(guess.init if guess else {}), **(guess.specs if guess else {})}
    own = [*target.init, *target.parameters]
    names = {n for n, required in own if required and not n.startswith("*")} | specs.keys()
    for name in [n for n, _ in own if n in names] + [n for n in specs if "." in n]:
        spec = specs.get(name)
        ours = (name, True) in target.init and target.makes(name)
        if ours and (spec is None or spec.value is None):
            made.append(name)
            continue
        outer, _, key = name.partition(".")
        sizes = guess.sizes[0] if guess else {}
        text = "rng.standard_normal((3, 5))" if spec is None else _written(spec, sizes)
        if key:
            inner = given.setdefault(outer, {})
            (inner if isinstance(inner, dict) else given.__setitem__(outer, {}) or given[outer])[
                key
            ] = text
        elif not any(other.startswith(f"{name}.") for other in specs):
            given[name] = text
    lines = [
        "def example():",
        "    rng = np.random.default_rng(0)",
        f'    return {{"{target.name}": {{',
    ]
    for name, text in given.items():
        if isinstance(text, dict):
            lines.append(f'        "{name}": {{')
            lines += [f'            "{key}": {inner},' for key, inner in text.items()]
            lines.append("        },")
        else:
            lines.append(f'        "{name}": {text},')
    lines += [f"        # {name}: the doctor's own, unless it is given here" for name in made]
    return "\n".join([*lines, "    }}"])


def _written(spec: Spec, sizes: dict[str, int]) -> str:
    """An argument as code that draws it."""
    if spec.kind == "constant":
        return repr(spec.value)
    if spec.kind == "size":
        return str(sizes_of(spec.value, sizes))
    shape = tuple(size_of(axis, sizes) for axis in spec.axes)
    if spec.kind == "labels":
        return f"rng.integers(0, {size_of(spec.below, sizes)}, {shape})"
    if spec.kind == "one_hot":
        return f"np.eye({shape[-1]})[rng.integers(0, {shape[-1]}, {shape[:-1]})]"
    if spec.kind == COLUMNS:
        return f"np.eye({shape[0]})[:, rng.integers(0, {shape[0]}, {shape[1:]})]"
    if spec.kind in ("binary", "mask"):
        return f"rng.integers(0, 2, {shape}).astype(float)"
    if spec.kind == "simplex":
        return f"rng.dirichlet(np.ones({shape[-1]}), {shape[:-1]})"
    if spec.kind in ("positive", "unit"):
        return f"rng.uniform(0.1, 0.9, {shape})"
    return f"rng.standard_normal({shape})"
