"""What compiles and computes and is wrong all the same in a kernel's body."""

import re

from minivae.engine.gpu.kernels import Elementwise, Reduction

NUMBER = r"(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?[fFlL]?"
FORBIDDEN = {
    r"\bstd\s*::": "std:: is the host's; write the function's bare name",
    r"(?i)\batomic\w*": "an atomic adds in another order in each run; gather instead",
    r"\b__(?:shared__|syncthreads)\b": "threads of a block are not to meet; use a Reduction",
}


def lint(spec: Elementwise | Reduction) -> list[str]:
    """Return what is wrong with a kernel, a sentence each.

    - A number with a point is a double, and pulls float32 arithmetic up to it; `T(0.5)` is not.
    - A function of a bare integer, as `sqrt(2)`, computes in double too.
    - `std::`, atomics, and what the threads of a block share.
    - Of a reduction of one input, CuPy may replace the parameters' names in the text, inside of
      other words too; and a missing identity is T(), which takes part.
    """
    if isinstance(spec, Elementwise):
        texts = [spec.body]
    else:
        texts = [spec.map, spec.reduce, spec.post, spec.identity]
    found = []
    for text in texts:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
        for pattern, why in FORBIDDEN.items():
            found += [f"{spec.name}: {m[0]!r}: {why}." for m in re.finditer(pattern, text)]
        bare = re.sub(rf"\b[A-Z]\(\s*-?\s*{NUMBER}\s*\)", " ", text)
        found += [
            f"{spec.name}: {m[0]!r} is a double; write T({m[0]})."
            for m in re.finditer(rf"(?<![\w.]){NUMBER}", bare)
        ]
        found += [
            f"{spec.name}: {m[0]!r} computes in double; write T({m[1]})."
            for m in re.finditer(r"\b[a-z_]\w*\s*\((?:[^()]*,)?\s*(-?\d+)\s*(?=[,)])", bare)
        ]
    if isinstance(spec, Reduction):
        found += _lint_reduction(spec)
    return found


def _lint_reduction(spec: Reduction) -> list[str]:
    found = []
    if not spec.identity:
        found.append(f"{spec.name}: without an identity it starts from 0; give one.")
    inputs, outputs = (text.split(",") for text in (spec.inputs, spec.outputs))
    if len(inputs) == len(outputs) == 1:
        for declared, text in ((inputs[0], spec.map), (outputs[0], spec.post)):
            name = declared.split()[-1]
            words = {word for word in re.findall(r"\w+", text) if name in word and name != word}
            found += [
                f"{spec.name}: {name!r} is part of {word!r}, where CuPy would replace it; "
                "give the parameter another name."
                for word in sorted(words)
            ]
    return found
