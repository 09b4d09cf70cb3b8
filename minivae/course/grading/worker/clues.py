"""What the source of a function says about its arguments: shapes, labels, options.

`N, D = x.shape` says how many axes x has and which size it shares with others; `p[rows, y]` that y
holds class labels; `conv_param["stride"]` which keys a dict has; `activation == "relu"` which words
are understood; and docstrings of courses give shapes, "x: input of shape (N, D)" or "W -- weights
of shape (size of current layer, size of previous layer)". Whoever guesses inputs asks this first.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PARAMETER = re.compile(
    r"^[ \t]*(?:[-*] *|:(?:param +)?)?`*((?:\w+)(?: *, *\w+)*)`*[ \t]*(?:--?|:|=|\()", re.MULTILINE
)
SHAPE = re.compile(r"[\(\[]([^()\[\]]*[,x][^()\[\]]*|\w+[_ ](?:dim|size))[\)\]]")
AXIS = re.compile(
    r"[A-Za-z_]\w*|[0-9]{1,3} ?[A-Za-z]?\w*|\w+ ?[+*] ?\w+"
    r"|(?:the )?(?:input|hidden|output) (?:size|dim)|(?:size|number) of (?:the )?\w+(?: \w+)?"
)
MOST_AXES = 6
SMALL = 0.01
"""The largest number that is there to keep a logarithm finite."""


def clues_of(function: Callable | None) -> dict[str, dict[str, Any]]:
    """Clues by argument; nothing where there is no source.

    Returns
    -------
    dict
        For an argument any of `axes`, names of sizes in the code, and `doc`, those in the
        docstring; `rank`, the least number of axes; `index`, whether it holds labels or positions;
        `count`, whether it is a whole number; `keys` of a dict, and `optional` ones with their
        defaults; `numbered`, the beginnings of keys such as `W1`, `W2`; `words`, texts it is
        compared with; `parts`, names that it is taken apart into; `entries`, whole numbers that it
        is indexed with; `passed`, functions that it is passed on to, each with its position or
        keyword; `none`, whether it is None by default; `called`, whether it is a function; `log`,
        whether a logarithm or a root is taken of it, or it is cut off at a small positive number;
        `left`, whether it is a weight that is multiplied from the left.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))) if function else None
    except Exception:  # no source, or none that stands alone
        tree = None
    found: dict[str, dict[str, Any]] = {}
    for names, axes in _shapes_in(inspect.getdoc(function) or "" if function else ""):
        for name in names:
            found.setdefault(name, {}).setdefault("doc", axes)
    for node in ast.walk(tree) if tree is not None else ():
        _look(node, found)
    for name, parameter in _signature(function).items():
        if parameter.default is None:
            found.setdefault(name, {})["none"] = True
    return found


def _signature(function: Callable | None) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters if function else {}
    except (TypeError, ValueError):
        return {}


def _look(node: ast.AST, found: dict[str, dict[str, Any]]) -> None:
    """Note what one node says."""

    def of(name: str) -> dict[str, Any]:
        return found.setdefault(name, {})

    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
        names = [e.id if isinstance(e, ast.Name) else "" for e in node.targets[0].elts]
        if isinstance(node.value, ast.Name):
            of(node.value.id).setdefault("parts", names)
        elif owner := _shaped(node.value):
            of(owner).setdefault("axes", names)
    elif isinstance(node, ast.Subscript):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if isinstance(node.value, ast.Name):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                of(node.value.id).setdefault("keys", {}).setdefault(node.slice.value, None)
            elif isinstance(node.slice, ast.Constant) and type(node.slice.value) is int:
                of(node.value.id).setdefault("entries", []).append(node.slice.value)
            elif prefix := _prefix(node.slice):
                of(node.value.id).setdefault("numbered", []).append(prefix)
            else:
                axes = [
                    e
                    for e in inside
                    if not (isinstance(e, ast.Constant) and e.value in (None, ...))
                ]
                if len(axes) > 1:
                    clue = of(node.value.id)
                    clue["rank"] = max(clue.get("rank", 0), len(axes))
        for e in inside:
            whole = isinstance(e, ast.Subscript) and isinstance(e.slice, ast.Slice)
            index = e.value if whole else e
            if isinstance(index, ast.Name):
                of(index.id)["index"] = True
        axis = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if (owner := _shaped(node.value)) and isinstance(axis, int) and axis >= 0:
            clue = of(owner)
            clue["rank"] = max(clue.get("rank", 0), min(axis + 1, MOST_AXES))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        _look_at_product(node.left, of)
    elif isinstance(node, ast.Call):
        _look_at_call(node, of)
    elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
        for other in node.comparators:
            values = other.elts if isinstance(other, ast.Tuple | ast.List) else [other]
            words = [
                v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)
            ]
            if words:
                of(node.left.id).setdefault("words", []).extend(words)


def _look_at_product(left: ast.expr, of: Callable[[str], dict[str, Any]]) -> None:
    """Note a weight that stands on the left: then the examples are columns."""
    key = left.slice if isinstance(left, ast.Subscript) else left
    name = getattr(key, "id", getattr(key, "attr", getattr(key, "value", "")))
    if isinstance(name, str) and re.fullmatch(r"(w|weights?)_?[0-9]?", name.lower()):
        of(name)["left"] = True


def _prefix(key: ast.expr) -> str:
    """The text before a number in `"W" + str(i)` or `f"W{i}"`; empty for anything else."""
    first = key.left if isinstance(key, ast.BinOp) else getattr(key, "values", [None])[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _look_at_call(node: ast.Call, of: Callable[[str], dict[str, Any]]) -> None:
    called = ast.unparse(node.func)
    if isinstance(node.func, ast.Name):
        of(called)["called"] = True
    passed = [*enumerate(node.args), *((k.arg, k.value) for k in node.keywords)]
    for place, value in passed:
        if isinstance(value, ast.Name) and called.isidentifier() and place is not None:
            of(value.id).setdefault("passed", []).append([called, place])
    first = node.args[0] if node.args else None
    product = re.fullmatch(r"(.*)\.(dot|matmul)", called)
    if product and first is not None:
        module = product[1] in ("np", "numpy")
        _look_at_product(first if module else node.func.value, of)  # type: ignore[attr-defined]
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        name = node.func.value.id
        key = first.value if isinstance(first, ast.Constant) else None
        if node.func.attr in ("get", "pop", "setdefault") and isinstance(key, str):
            default = node.args[1] if len(node.args) > 1 else None
            value = default.value if isinstance(default, ast.Constant) else None
            of(name).setdefault("optional", {}).setdefault(key, value)
        if node.func.attr in ("items", "keys"):
            of(name).setdefault("optional", {})
        if node.func.attr == "reshape" and len(node.args) > 2:
            axes = [getattr(a, "id", getattr(a, "value", 0)) for a in node.args]
            if 1 in axes and all(a == 1 or (isinstance(a, str) and len(a) == 1) for a in axes):
                of(name).setdefault("axes", [a for a in axes if a != 1])  # axes of 1 are put in
        if node.func.attr == "astype" and first is not None and "int" in ast.unparse(first):
            of(name)["index"] = True
    for part in _of_log(node, called.rpartition(".")[2]):
        of(part)["log"] = True
    if called == "range":
        for part in node.args:
            if isinstance(part, ast.Name):
                of(part.id)["count"] = True
    if called.endswith(".eye") or called.endswith("one_hot"):
        for part in node.args[1:]:
            if isinstance(part, ast.Name):
                of(part.id)["index"] = True


def _of_log(node: ast.Call, called: str) -> list[str]:
    """Names of what a logarithm or a root is taken of, or what is kept above 0 for one."""
    if called in ("clip", "maximum"):
        least = [_least(arg) for arg in node.args[1:2]] + [
            _least(k.value) for k in node.keywords if k.arg in ("a_min", "min")
        ]
        return _plain_names(node.args[0]) if any(least) else []
    if called in ("log", "log2", "log10", "sqrt", "xlogy") and node.args:
        return [name for arg in node.args for name in _plain_names(arg)]
    return []


def _least(node: ast.expr) -> bool:
    """Whether an expression is a small positive number, or is called as one is: `eps`."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < node.value <= SMALL
    return "eps" in ast.unparse(node).lower()


def _plain_names(node: ast.AST) -> list[str]:
    """Names in an expression that are no arguments of a call in it, but for a clip's."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Call):
        clips = ast.unparse(node.func).endswith(("clip", "maximum"))
        return _plain_names(node.args[0]) if clips and node.args else []
    if isinstance(node, ast.Subscript):
        return _plain_names(node.value)
    return [name for child in ast.iter_child_nodes(node) for name in _plain_names(child)]


def _shaped(node: ast.AST) -> str:
    """The name in `NAME.shape` or `np.shape(NAME)`; empty for anything else."""
    if (
        isinstance(node, ast.Attribute)
        and node.attr == "shape"
        and isinstance(node.value, ast.Name)
    ):
        return node.value.id
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("shape") and node.args:
        return node.args[0].id if isinstance(node.args[0], ast.Name) else ""
    return ""


def _shapes_in(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Names of arguments in a docstring, and the names of their axes."""
    starts = list(PARAMETER.finditer(text))
    for match, following in zip(starts, [*starts[1:], None], strict=False):
        if match[1].lower() in ("returns", "return", "outputs", "output"):
            return
        names = [n.strip() for n in match[1].split(",")]
        paragraph = text[match.end() - 1 : following.start() if following else len(text)]
        for inside in SHAPE.finditer(paragraph.split("\n\n")[0]):
            content = inside[1]
            axes = [a.strip() for a in re.split(r",| x |(?<=[A-Z])x(?=[A-Z])", content)]
            axes = axes[:-1] if not axes[-1] else axes
            if "..." in content or len(axes) > MOST_AXES:
                break
            if all(AXIS.fullmatch(a) for a in axes):
                yield names, axes
                break
