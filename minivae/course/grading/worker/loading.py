"""Load a file of coursework as far as its functions need it.

Coursework is seldom a clean module: it imports what is not installed here (h5py, IPython, the
course's own helpers), reads data that lie elsewhere, plots and trains at the top level. None of
this matters to a backward pass. So a file runs statement by statement: an import that fails leaves
a stand-in, which raises only when it is used; another statement that fails is passed over. What was
left out is noted.
"""

import __future__

import ast
import builtins
import glob
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any

import numpy as np

MOST = 5
"""Notes that are kept."""


class MissingModule(ImportError):
    """Something that is not installed here was used."""


class StandIn:
    """What an import that failed leaves behind.

    As a decorator or a base class it lets the definition pass, since what is defined may be used
    without it.
    """

    def __init__(self, name: str, why: str) -> None:
        self.__dict__.update(name=name, why=why, loading=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.name}.{name}", self.why)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Let what it decorates pass; raise for any other use."""
        if len(args) == 1 and not named and callable(args[0]) and not isinstance(args[0], StandIn):
            return args[0]  # a decorator
        raise MissingModule(self.why)

    def __mro_entries__(self, bases: tuple) -> tuple:
        return (type(self.name.rpartition(".")[2], (), {}),)

    def __instancecheck__(self, instance: Any) -> bool:
        return False


class Loading:
    """How a student's files are loaded, those that they import too.

    Attributes
    ----------
    folder : str
        Where the files are; others are loaded as usual.
    notes : list of str
        What was left out.
    translate : callable, optional
        Changes a parsed file before it runs, and says whether it did.
    single : bool
        Whether a file was changed so.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.translate: Callable[[ast.Module], bool] | None = None
        self.single = False

    def translated(self, tree: ast.Module) -> bool:
        """Change a parsed file before it runs, and return what `translate` says."""
        _Single().visit(tree)
        return bool(self.translate is not None and self.translate(tree))

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Give the files in the folder a loader that goes statement by statement."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None and "." not in name and not path:  # in a folder beside
            places = os.path.join(glob.escape(self.folder), "**", f"{name}.py")
            found = sorted(glob.glob(places, recursive=True))
            spec = importlib.util.spec_from_file_location(name, found[0]) if found else None
        origin = getattr(spec, "origin", None) or ""
        if (
            spec is None
            or not origin.endswith(".py")
            or not origin.startswith(self.folder + os.sep)
        ):
            return None
        spec.loader = _Loader(self)
        return spec

    def run(self, module: ModuleType, path: str) -> None:
        """Run a file in the namespace of its module; raise what no course wants passed over."""
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
        self.single |= self.translated(tree)
        flags = 0
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    flags |= getattr(__future__, alias.name).compiler_flag
        docstring = ast.get_docstring(tree)
        module.__doc__ = docstring
        for node in tree.body:
            code = compile(ast.Module([node], []), path, "exec", flags, True)
            self._run_one(node, code, module)

    def _run_one(self, node: ast.stmt, code: CodeType, module: ModuleType) -> None:
        try:
            exec(code, vars(module))
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(node, ast.Raise):
                raise
            said = f"line {node.lineno}: {type(error).__name__}: {error}"
            if isinstance(node, ast.Import | ast.ImportFrom) and isinstance(error, ImportError):
                said = str(error)
                self._stand_in(node, module)
            if len(self.notes) < MOST:
                self.notes.append(" ".join(said.split())[:200].replace(self.folder + os.sep, ""))

    def _stand_in(self, node: ast.Import | ast.ImportFrom, module: ModuleType) -> None:
        """Import what is there, and put stand-ins in the place of the rest."""
        for alias in node.names:
            one = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], node.level)
            )
            ast.copy_location(one, node)
            try:
                exec(compile(ast.Module([one], []), module.__name__, "exec"), vars(module))
            except Exception as error:
                name = alias.asname or alias.name.partition(".")[0]
                known = getattr(builtins, name, None)  # `from past.builtins import xrange`
                vars(module)[name] = known or StandIn(name, str(error))


class _Single(ast.NodeTransformer):
    """Lets `float(b)` take an array of a single number, of any rank, as NumPy did until 2.4."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        number = isinstance(node.func, ast.Name) and node.func.id in ("float", "int")
        if number and len(node.args) == 1 and not node.keywords:
            inside = ast.Call(ast.Name(SCALAR, ast.Load()), node.args, [])
            node.args = [ast.copy_location(inside, node)]
            ast.fix_missing_locations(node)
        return node


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


class _Loader(importlib.abc.Loader):
    def __init__(self, loading: Loading) -> None:
        self.loading = loading

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self.loading.run(module, module.__spec__.origin)


SCALAR = "_the_number_in"
"""What `_scalar` is called in translated code."""
OLD_NAMES = {"float": float, "int": int, "bool": bool, "object": object, "complex": complex}
"""What NumPy called so until 1.24; course files of those years do."""


def prepare(folder: str) -> Loading:
    """Load files in the folder this way from now on, and let NumPy know its old names again."""
    for name, kind in OLD_NAMES.items():
        if name not in vars(np):
            setattr(np, name, kind)
    builtins.xrange = range  # courses of Python 2's time
    setattr(builtins, SCALAR, _scalar)
    # The check's own complex step, and not the student's code, makes numbers complex.
    warnings.filterwarnings("ignore", category=getattr(np, "exceptions", np).ComplexWarning)
    loading = Loading(folder)
    sys.meta_path.insert(0, loading)
    return loading


def imports_its_package(source: bytes, path: str, names: Sequence[str]) -> bool:
    """Whether a file imports from its own package, with a dot or by its name."""
    found = [n for n in ast.walk(ast.parse(source, path)) if isinstance(n, ast.ImportFrom)]
    return any(n.level or (n.module or "").split(".")[0] in names for n in found)


def packages(names: list[str], folder: str) -> str:
    """Make the packages that a file's folders are, without running them; return the name.

    Parameters
    ----------
    names : list of str
        Names of folders, the outermost first; the last is the file's own.
    folder : str
        The file's folder.

    A package that is called as an installed one gets another name; relative imports still work.
    """
    name = ""
    for i, part in enumerate(names):
        above = [os.pardir] * (len(names) - 1 - i)
        where = [os.path.normpath(os.path.join(folder, *above))]
        part = part.replace(".", "_")
        name = f"{name}.{part}" if name else part
        there = sys.modules.get(name)
        while getattr(there, "__path__", None) != where and (there or _is_installed(name)):
            name += "_"
            there = sys.modules.get(name)
        if there is None:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = where
    return name


def _is_installed(name: str) -> bool:
    return "." not in name and importlib.util.find_spec(name) is not None
