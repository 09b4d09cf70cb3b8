"""One pair at given inputs: arguments flat, by name, and gradients under the same names.

The check knows arrays with names. Students pass dicts and lists of arrays and return gradients in
as many ways; a `Reading` translates, and keeps what it has seen.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .names import WITHOUT_GRADIENT, argument_of, is_data, is_noise_or_mask
from .owners import owners, without_data
from .values import Unreadable, is_float, parts_of

Arrays = dict[str, np.ndarray]


class Reading:
    """Arguments and gradients of one pair.

    Parameters
    ----------
    inputs : dict
        Arguments of forward, in order: arrays, dicts and lists of arrays, other values. Parameters
        of an object may be among them.
    parameters : dict of str to numpy.ndarray
        Parameters of an object.
    wrt : sequence of str, optional
        Arguments that must have a gradient; by default those for which one is returned.
    names : list of list of str
        Names in the return statement of backward.

    Attributes
    ----------
    arguments : dict
        Float arrays; the entry `W` of a dict `params` is `W`, or `params.W` if there are two `W`.
    options : dict
        What else is passed.
    last : dict
        Gradients as they were returned last, None too.
    unclaimed : int
        How many arrays were returned besides, which belong to no argument.
    """

    def __init__(
        self,
        inputs: dict[str, Any],
        parameters: Arrays,
        wrt: Iterable[str] | None = None,
        names: list[list[str]] | None = None,
    ) -> None:
        self.arguments: Arrays = {}
        self.options: dict[str, Any] = {}
        self.parameters = parameters
        self.wrt = None if wrt is None else list(wrt)
        self.names = names or []
        self.places: list[tuple[str, Any, str]] = []  # argument, key in it, flat name
        self.kinds: dict[str, type] = {}
        self.by_name = False
        self.last: dict[str, Any] = {}
        self.unclaimed = 0
        self.given = {**inputs, **{n: a for n, a in parameters.items() if n not in inputs}}
        keys = [k for value in self.given.values() if isinstance(value, dict) for k in value]
        for name, value in self.given.items():
            if not (isinstance(value, dict | list | tuple) and value):
                self._place(name, None, name, value)
                continue
            self.kinds[name] = type(value)
            entries: Iterable[tuple[Any, Any]] = (
                value.items() if isinstance(value, dict) else enumerate(value)
            )
            for key, entry in entries:
                alone = isinstance(value, dict) and keys.count(key) == 1 and key not in self.given
                flat = key if alone else f"{name}.{key}"
                self._place(name, key, flat, entry)
                if self.wrt is not None:
                    self.wrt = [flat if n == f"{name}.{key}" else n for n in self.wrt]

    def _place(self, name: str, key: Any, flat: str, value: Any) -> None:
        self.places.append((name, key, flat))
        if is_float(value):
            self.arguments[flat] = value.astype(float)
        else:
            self.options[flat] = value

    def nested(self, values: Arrays) -> dict[str, Any]:
        """Arguments as forward takes them, with other values for the arrays."""
        nested: dict[str, Any] = {}
        for name, key, flat in self.places:
            value = values.get(flat, self.options.get(flat))
            if key is None:
                nested[name] = value
            else:
                nested.setdefault(name, {})[key] = value
        for name, kind in self.kinds.items():
            if kind is not dict:
                nested[name] = kind(nested[name].values())
        return nested

    def entries(self, nested: dict[str, Any]) -> Iterable[tuple[str, np.ndarray]]:
        """Flat names and arrays of nested arguments, as far as they are there."""
        for name, key, flat in self.places:
            value = nested.get(name)
            if key is not None:
                try:
                    value = nested[name][key]
                except (KeyError, IndexError, TypeError):
                    continue
            if isinstance(value, np.ndarray):
                yield flat, value

    def gradients(self, returned: Any, kept: dict[str, Any] | None = None) -> dict[str, Any]:
        """Gradients by flat name: what backward returned, and what it left at an object."""
        self.last = self._named(returned)
        for n, g in (kept or {}).items():
            self.last.setdefault(n, g)
        return self.last

    def _named(self, returned: Any) -> dict[str, Any]:
        """Gradients by flat name, of a dict, a tuple, or one array."""
        parts = parts_of(returned)
        whole = [n for n in self._floats() if n in self.kinds]
        if len(whole) == 1 and self.kinds[whole[0]] is not dict and isinstance(returned, list):
            parts = [returned]  # a list of gradients for a list of arrays
        if isinstance(returned, dict) or (len(parts) == 1 and isinstance(parts[0], dict)):
            self.by_name = True
            return self._of_dict(returned if isinstance(returned, dict) else parts[0])
        named: dict[str, Any] = {}
        owners = self._owners(parts)
        self.unclaimed = sum(isinstance(part, np.ndarray) for part in parts[len(owners) :])
        for i, (name, part) in enumerate(zip(owners, parts, strict=False)):
            self._refuse_another(name, part, i, len(parts))
            if isinstance(part, dict):
                named |= self._of_dict(part)
            elif name in self.kinds and isinstance(part, list | tuple):
                flats = [flat for outer, _, flat in self.places if outer == name]
                named |= dict(zip(flats, part, strict=False))
            else:
                named[name] = part
        return named

    def _refuse_another(self, name: str, part: Any, i: int, count: int) -> None:
        """Ask about a part that is named as the gradient of something else, and has its shape."""
        words = self.names[i] if len(self.names) == count else []
        if not self.parameters or name not in self.arguments or len(words) != 1:
            return
        shape, word = self.arguments[name].shape, words[0]
        if word[:1] == "d" and argument_of(word, [name]) == word and np.shape(part) != shape:
            raise Unreadable(
                f"backward returns {word}, of shape {np.shape(part)}, and {name} has the shape "
                f"{shape}; is it meant to be the gradient of {name}? Return that one, as d{name}"
            )

    def _owners(self, parts: list[Any]) -> list[str]:
        """Arguments that a tuple of gradients belongs to, a dict as one."""
        every = self._floats()
        own = [n for n in every if n not in self.parameters]
        likely = [*without_data(own), own]
        if len(parts) <= len(own):
            every = own
        if self.wrt is not None:
            asked = [n for n in every if self._is_asked(n)]
            if len(parts) <= len(asked) or len(parts) != len(every):
                every = asked
            likely = [asked]
        elif len(parts) == len(likely[-2]):
            likely = [likely[-2], *likely]
        shapes = {n: None if n in self.kinds else self.arguments[n].shape for n in every}
        return owners(parts, shapes, likely, self.names)

    def _floats(self) -> list[str]:
        """Arguments that hold floats, a dict or list as one, in order."""
        return [
            name
            for name in self.given
            if any(outer == name and flat in self.arguments for outer, _, flat in self.places)
        ]

    def _is_asked(self, name: str) -> bool:
        flats = [flat for outer, _, flat in self.places if outer == name]
        return any(flat in (self.wrt or ()) for flat in flats)

    def _of_dict(self, gradients: dict[str, Any]) -> dict[str, Any]:
        """Names of gradients, `dW`, `grad_W`, `W`, brought to those of the arguments."""
        named: dict[str, Any] = {}
        order = list(self.arguments)
        outer = {name for name, key, _ in self.places if key is not None}
        for key, value in gradients.items():
            key = str(key)
            if isinstance(value, dict):
                if len(outer) > 1 and argument_of(key, outer) in outer:
                    prefix = argument_of(key, outer)
                    value = {
                        flat: value[k]
                        for name, k, flat in self.places
                        if name == prefix and k in value
                    }
                named |= self._of_dict(value)
            else:
                named[argument_of(key, order)] = value
        return named

    def vary(self) -> list[str]:
        """Arguments that have a gradient, once backward has run.

        Without `wrt`, those for which one was returned; None counts where it is no data.

        Raises
        ------
        Unreadable
            If there is none, or if an array came back that belongs to none.
        """
        if self.unclaimed and not self.parameters and self.wrt is None:
            raise Unreadable(
                f"backward returned {self.unclaimed} array more than there are array arguments "
                f"({', '.join(self._floats())}), so that one could not be compared; is an argument "
                "a number here that should be an array?"
            )
        returned = [n for n, g in self.last.items() if g is not None]
        if self.wrt is not None:
            extra = () if set(self.wrt) & self.parameters.keys() else self.parameters
            vary = [n for n in dict.fromkeys((*self.wrt, *extra)) if n in self.arguments]
        else:
            fair = is_noise_or_mask if self.by_name else is_data  # by name, None is a gap to fill
            missing = {n for n, g in self.last.items() if g is None and not fair(n)}
            if not returned:
                missing = {n for n in self.last if n not in WITHOUT_GRADIENT}
            vary = [n for n in self.arguments if n in returned or n in missing]
        if not vary:
            raise Unreadable(
                f"backward returned gradients called {', '.join(returned) or '(none)'}, but the "
                f"array arguments are {', '.join(self.arguments)}; name a gradient `d` and the "
                "argument's name, or return a tuple in the order of the arguments"
            )
        return vary

    def left_out(self, vary: Iterable[str]) -> list[str]:
        """Arguments without a gradient."""
        return [n for n in self.arguments if n not in set(vary) and n not in self.last]
