"""Arrays of the backend that "auto" stands for: for tests that run on each of them.

`there` makes one, `here` brings one back, and the comparisons take arrays from anywhere.
"""

from functools import partial

import numpy as np

from minivae.engine.backend import get_backend


def there(values, dtype=None):
    """Host values as an array of the backend."""
    return get_backend("auto").asarray(values, dtype)


def here(value):
    """An array of the backend, or a list, tuple or dict with such arrays, on the host."""
    if isinstance(value, dict):
        return {name: here(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(here, value))
    backend = get_backend("auto")
    return backend.to_host(value) if isinstance(value, backend.array_type) else value


def _compare(assertion, have, want, **options):
    assertion(here(have), here(want), **options)


assert_allclose = partial(_compare, np.testing.assert_allclose)
assert_array_equal = partial(_compare, np.testing.assert_array_equal)
