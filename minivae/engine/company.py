r"""Who else works on the minibatch of a step: nobody, or other processes with rows of their own.

Where several processes share a minibatch of $B$ examples, each makes its step on $B_r$ of them, and
the gradient of the mean over all is

$$ g = \sum_r \frac{B_r}{B} \, g_r \tag{1} $$

with $g_r$ that of the mean over its own (`train/parallel.py`). So whatever takes each example by
itself need not know of the others. Whatever looks at several examples at once (the moments of a
batch norm, the counts of a codebook, a mean that something is compared with) must see all of them,
and asks `params.training.others` for what it lacks. Alone, it gets back what it gives.
"""

from ..errors import OptionError
from .backend import Array


class Company:
    """Nobody else: the rows of this process are all that there are.

    Attributes
    ----------
    several : bool
        Whether there are others, so that there is something to ask.
    """

    several = False

    def rows(self, mine: Array, who: str) -> Array:
        """Rows (B, ...) of all processes in their order, from those of this one, (B_r, ...)."""
        return mine

    def own(self, whole: Array) -> Array:
        """Rows (B_r, ...) of this process out of all, (B, ...)."""
        return whole

    def total(self, mine: Array, who: str) -> Array:
        """Sum over the processes of an array, in float64."""
        return mine

    def gradient(self, mine: Array, who: str) -> Array:
        """Sum over the processes of gradients, each of its own mean, as one of this one's mean.

        By (1), the sum of $B_r g_r$, divided by the rows of this one.
        """
        return mine  # (1), with one term

    def count(self, n: int) -> int:
        """How many of something there are in the minibatch, if these rows have n."""
        return n

    def refuse(self, why: str) -> None:
        """Raise `OptionError` with a sentence if there are others."""
        if self.several:
            raise OptionError(why)


ALONE = Company()
"""The company of whoever has none."""
