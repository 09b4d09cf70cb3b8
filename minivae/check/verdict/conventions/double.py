"""Single precision in a source, as double: what was written for float32 is checked in float64.

`np.zeros(n, dtype="f")` or `.astype(np.float32)` inside a layer rounds what a difference of two
values must see. The formula is the same in float64; so it is read in float64 for the check, and the
report says so.
"""

import ast

SINGLE = ("f", "f4", "<f4", "float32", "single")


class _Double(ast.NodeTransformer):
    """Puts float64 in the place of float32."""

    def __init__(self) -> None:
        self.found = False

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr in ("float32", "single") and isinstance(node.value, ast.Name):
            self.found, node.attr = True, "float64"
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self.generic_visit(node)
        if node.arg == "dtype":
            self._text(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "astype" and node.args:
            self._text(node.args[0])
        return node

    def _text(self, value: ast.expr) -> None:
        if isinstance(value, ast.Constant) and value.value in SINGLE:
            self.found, value.value = True, "float64"


def in_double(tree: ast.Module) -> bool:
    """Change a parsed source in place; return whether it asked for single precision."""
    double = _Double()
    double.visit(tree)
    return double.found
