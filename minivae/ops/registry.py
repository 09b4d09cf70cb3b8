"""How operations are found: every module of a folder, its cases, its layers, its likelihood.

Nothing lists operations by name. `modules_in` imports what lies in a folder, and the rest collects
from the modules, in the order of their files; what a file declares wrongly is refused when the
package is imported, in one sentence.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from ..engine import Case, Layer
from ..engine.case import undeclared
from ..errors import OptionError
from .likelihoods.base import Likelihood


def modules_in(package: str) -> list[ModuleType]:
    """Import every module of a package, folders in it included; in the order of their files."""
    path = importlib.import_module(package).__path__
    found = []
    for entry in pkgutil.iter_modules(path):
        name = f"{package}.{entry.name}"
        found += modules_in(name) if entry.ispkg else [importlib.import_module(name)]
    return found


def cases_of(modules: Iterable[ModuleType]) -> list[Case]:
    """Collect the cases.

    Raises
    ------
    OptionError
        If two have one name, or one does not say which layer it has, or which axes its output.
    """
    found: dict[str, str] = {}
    cases = []
    for module in modules:
        for case in getattr(module, "CASES", ()):
            if case.name in found:
                raise OptionError(
                    f"two operations are called {case.name!r}, one in {found[case.name]} and one "
                    f"in {module.__name__}; rename one."
                )
            if case.layer is undeclared:
                raise OptionError(
                    f"the case {case.name!r} in {module.__name__} names no layer; give it "
                    "layer=lambda **how: ..., or layer=None if it has none on purpose."
                )
            if case.output is None:
                raise OptionError(
                    f"the case {case.name!r} in {module.__name__} does not say which axes its "
                    "output has; give it output=('B', ...), or output=() for a number."
                )
            found[case.name] = module.__name__
            cases.append(case)
    return cases


def layers_of(modules: Iterable[ModuleType]) -> dict[str, type[Layer]]:
    """Collect the layers that the modules define, by the names of their classes."""
    return {
        name: kind
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Layer)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
    }


def likelihoods_of(
    modules: Iterable[ModuleType], *, symbols: bool = False
) -> dict[str, type[Likelihood]]:
    """Collect the likelihoods of values, by what the user calls them; or those of symbols.

    Raises
    ------
    OptionError
        If one has no name or that of another, or takes what it does not declare in `options`.
    """
    found: dict[str, type[Likelihood]] = {}
    for kind in layers_of(modules).values():
        if not issubclass(kind, Likelihood) or kind is Likelihood or kind.symbols != symbols:
            continue
        where = f"the likelihood {kind.__name__} in {kind.__module__}"
        if not kind.name:
            raise OptionError(f"{where} has no name; give it one, as in name = 'bernoulli'.")
        if kind.name in found:
            taken = found[kind.name]
            raise OptionError(
                f"{where} is called {kind.name!r}, as {taken.__name__} in {taken.__module__} is; "
                "rename one."
            )
        takes = {*inspect.signature(kind).parameters} - {*inspect.signature(Layer).parameters}
        if takes != set(kind.options):
            raise OptionError(
                f"{where} takes {', '.join(sorted(takes)) or 'no options'}, but declares "
                f"{', '.join(sorted(kind.options)) or 'none'}; make `options` say what it takes."
            )
        for name, option in kind.options.items():
            if len(option) != 3 or not isinstance(option[0], type):
                raise OptionError(
                    f"{where} declares {name}={option!r}; give a type, the default and a help text."
                )
        found[kind.name] = kind
    return found


def options_of(likelihoods: dict[str, type[Likelihood]]) -> dict[str, tuple[type, Any, str]]:
    """Collect what likelihoods take: name -> type, default and help text.

    Raises
    ------
    OptionError
        If two take something else by one name.
    """
    found: dict[str, tuple[type, Any, str]] = {}
    for kind in likelihoods.values():
        for name, option in kind.options.items():
            if found.setdefault(name, option)[0] is not option[0]:
                raise OptionError(
                    f"the likelihood {kind.__name__} declares {name} as {option[0].__name__}, but "
                    f"another takes a {found[name][0].__name__} by that name; give it another."
                )
    return found
