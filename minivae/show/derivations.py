r"""Derivations: the numbered equations of a module's docstring, and the lines that cite them.

An equation is display mathematics with a `\tag{n}` in a module's docstring; a line of code that
computes it ends in the comment `# (n)`. Each equation is cited by a line, and each citation names
an equation that exists: `breaches` is that rule, which the tests and `minivae read` share.
"""

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
TAG = re.compile(r"\\tag\{(\d+)\}")
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
CITED = re.compile(r"\((\d+)\)")
MENTIONED = re.compile(r"\((\d{1,2})\)")
"""How prose speaks of an equation; four digits are a year."""
ORDER = (
    "linear",
    "activations.relu",
    "activations.leaky_relu",
    "activations.tanh",
    "activations.sigmoid",
    "activations.softplus",
    "activations.silu",
    "activations.gelu",
    "dense",
    "split",
    "clamp",
    "reparameterize",
    "kl",
    "kl_between",
    "likelihoods.bernoulli",
    "likelihoods.gaussian",
    "likelihoods.gaussian_learned",
    "likelihoods.gaussian_shared",
    "likelihoods.categorical",
    "negative_elbo",
    "fork",
    "log_weights",
    "logmeanexp",
    "dropout",
    "patches",
    "conv2d",
    "conv_transpose2d",
    "max_pool2d",
    "avg_pool2d",
    "upsample",
    "conv1d",
    "standardise",
    "batch_norm",
    "layer_norm",
)
"""In which order to read the operations; what is not listed comes after these."""


def equations(docstring: str) -> dict[int, str]:
    """Numbered equations of a docstring: number -> LaTeX without the tag, in order."""
    found = {}
    for tex in DISPLAY.findall(docstring):
        tag = TAG.search(tex)
        if tag:
            found[int(tag[1])] = " ".join(TAG.sub("", tex).split())
    return found


def citations(source: str) -> dict[int, list[int]]:
    """Line of code (counted from 1) -> numbers of the equations that its comment cites."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and CITED.search(token.string):
            found[token.start[0]] = [int(number) for number in CITED.findall(token.string)]
    return found


def breaches(docstring: str, source: str) -> list[str]:
    """What is wrong between a docstring's equations and the lines that cite them; one phrase each.

    Parameters
    ----------
    docstring : str
        The module's.
    source : str
        The whole module.
    """
    numbers = [int(number) for number in TAG.findall(docstring)]
    lines = citations(source)
    cited = {number for at in lines.values() for number in at}
    wrong = [f"no line cites equation ({n})" for n in numbers if n not in cited]
    for line, at in lines.items():
        wrong += [
            f"line {line} cites equation ({n}), which is not there" for n in at if n not in numbers
        ]
    prose = re.sub(r"\$\$.*?\$\$|\$.*?\$", "", docstring, flags=re.DOTALL)
    mentioned = {int(number) for number in MENTIONED.findall(prose)} - set(numbers)
    wrong += [f"the text speaks of equation ({n}), which is not there" for n in sorted(mentioned)]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"the equations are numbered {', '.join(map(str, numbers))}, not from 1 on")
    return wrong


@functools.cache
def modules() -> list[str]:
    """Names of the package's modules with numbered equations: operations first, in their order."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] == "check":  # its equations are other people's: what a check compares with
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if TAG.search(docstring):
            found.append(".".join(("minivae", *parts)))
    order = {f"minivae.ops.{name}": i for i, name in enumerate(ORDER)}
    return sorted(
        found,
        key=lambda name: (not name.startswith("minivae.ops."), order.get(name, len(ORDER)), name),
    )


@functools.cache
def of_file(path: str) -> tuple[dict[int, str], dict[int, list[int]]]:
    """Equations and citations of a Python file, as above; none of either if it cannot be read."""
    try:
        source = Path(path).read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(source)) or ""
    except (OSError, SyntaxError, ValueError):
        return {}, {}
    return equations(docstring), citations(source)
