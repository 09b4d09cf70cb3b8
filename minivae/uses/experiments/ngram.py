r"""N-gram model of sequences: the probability of a symbol from the last few before it, by counting.

It is what a sequence model has to beat: it has no code and no gradient. With $c(h s)$ how often the
symbol $s$ followed the context $h$ in the training sequences, $c(h)$ their sum, and $n(h)$ how many
different symbols did, Witten and Bell's rule keeps for what was not seen after $h$ as much as there
were new symbols after it, and shares that out by the context $h'$, which is shorter by one:

$$ p(s \mid h) = \frac{c(h s) + n(h) \, p(s \mid h')}{c(h) + n(h)} \tag{1} $$

Below the shortest context all V symbols are alike. Before the first symbol stands nothing, 0, and
nothing behind the end is counted or scored.

Source: Witten and Bell (1991), method C; interpolated as by Chen and Goodman (1999).
"""

from collections import Counter, defaultdict

import numpy as np

from ...errors import OptionError

ORDERS = (1, 2, 3, 4, 5)
"""Orders among which the best is looked for."""


class NGram:
    """Counts of symbols after contexts of up to `order` - 1 symbols.

    Parameters
    ----------
    rows : numpy.ndarray, (N, T)
        Sequences of numbers, from 1; 0 behind the end.
    symbols : int
        V, padding not counted.
    order : int
        Symbols that are looked at together, at least 1.
    """

    def __init__(self, rows: np.ndarray, symbols: int, order: int) -> None:
        if order < 1 or symbols < 1:
            raise OptionError(
                f"order={order} and symbols={symbols} were given; both are at least 1."
            )
        self.symbols, self.order = symbols, order
        self.after: dict[tuple, Counter] = defaultdict(Counter)
        for row in rows.astype(int).tolist():
            for t, symbol in enumerate(row):
                if symbol:
                    for context in self._contexts(row, t):
                        self.after[context][symbol] += 1

    def _contexts(self, row: list[int], t: int) -> list[tuple[int, ...]]:
        """Contexts of step t, the shortest, (), first."""
        before = ([0] * self.order + row[:t])[-self.order :]
        return [tuple(before[self.order - n :]) for n in range(self.order)]

    def probability(self, row: list[int], t: int) -> float:
        """Probability of the symbol at step t of a row, given those before it."""
        p = 1 / self.symbols
        for context in self._contexts(row, t):
            seen = self.after.get(context)
            if seen is None:  # nor is a longer one
                break
            p = (seen[row[t]] + len(seen) * p) / (seen.total() + len(seen))  # (1)
        return p

    def nll(self, rows: np.ndarray) -> np.ndarray:
        """Negative log-likelihood (N,) of rows (N, T), nats."""
        return np.array(
            [
                -sum(np.log(self.probability(row, t)) for t, symbol in enumerate(row) if symbol)
                for row in rows.astype(int).tolist()
            ]
        )


def best(
    rows: np.ndarray, held_out: np.ndarray, symbols: int
) -> tuple[NGram, dict[int, np.ndarray]]:
    """Model of the order that is best on held-out rows, and the nll (N,) of these by each order.

    To choose by the very rows that are reported favours the n-grams, if it does anything.
    """
    models = {order: NGram(rows, symbols, order) for order in ORDERS}
    costs = {order: model.nll(held_out) for order, model in models.items()}
    return models[min(costs, key=lambda order: costs[order].mean())], costs
