r"""Training by several processes: each makes its part of a step, and all make the same update.

A minibatch of $B$ examples is cut into parts $r$ of $B_r$ rows. All processes draw the same order
of the data and the same noise, for the whole minibatch, and take their part of it. A model's
gradient $g_r$ is that of the mean over its part, so that of the mean over the minibatch is

$$ g = \sum_r \frac{B_r}{B} \, g_r \tag{1} $$

Since all parameters lie in one flat array, (1) is one call of MPI, in place. Then every process has
the same gradient and makes the same update by itself. What looks at several examples at once asks
for the others' rows or sums in the step (`engine/company.py`). Of a ragged last minibatch a process
may get no row; it makes its step on a row that weighs 0, for all must call MPI equally often.

**The same bits.** A sum of floats depends on its order, so n processes round otherwise than one.
With `shards` S a minibatch is cut into S parts whatever the number of processes; the S gradients
are gathered, and every process adds them up in the order of the parts. That costs S small steps in
the place of one large one, and S gradients sent instead of two. What looks at several examples at
once is refused, as the parts are computed one after the other.

mpi4py is imported by `launch.py` alone, which finds out whether there are several processes.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from ..engine.backend import Array, Backend, get_backend
from ..engine.company import Company
from ..errors import OptionError
from .settings import Training


class Crew(Company):
    """The process that runs, and those that train with it; without `comm`, it is alone.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        The processes.
    direct : bool
        Whether MPI takes arrays of a device as they are; else they go through pinned memory of the
        host.
    """

    def __init__(self, comm: Any = None, *, direct: bool = False) -> None:
        self.comm, self.direct = comm, direct
        self.rank: int = 0 if comm is None else comm.rank
        self.size: int = 1 if comm is None else comm.size
        self.cut(None)
        # My part of the minibatch, how many rows of it count, and how many all have.
        self.part, self.weighing, self.batch = slice(0, 0), 0, 0
        self.backend: Backend = get_backend("numpy")

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and says something."""
        return self.rank == 0

    def cut(self, shards: int | None) -> None:
        """Set the number of parts; without it, as many as there are processes."""
        self.several = self.size > 1 or shards is not None
        self.sharded, self.shards = shards is not None, shards or self.size

    def parts_of(self, rank: int) -> range:
        """Numbers of the parts that a process computes."""
        S, n = self.shards, self.size
        return range(rank * S // n, (rank + 1) * S // n)

    def step(
        self, model: Any, fetch: Callable[[slice], Array], noise: Any, beta: float, batch: int
    ) -> list[tuple[Any, int]]:
        """Overwrite the gradient with that of the whole minibatch, (1).

        Parameters
        ----------
        model : Model
            The same in all processes.
        fetch : callable
            Gives the rows of the minibatch that a slice stands for.
        noise : array or None
            Of the whole minibatch.
        beta : float
            Weight of the KL.
        batch : int
            Rows of the whole minibatch.

        Returns
        -------
        list of (terms, int)
            What the model gave for each part of this process, and how many of its rows count.
        """
        if not self.several:
            return [(model.step(fetch(slice(0, batch)), noise, beta), batch)]
        self.backend, params = model.backend, model.params
        found: list[tuple[Any, int]] = []
        gradients: dict[int, Array] = {}
        carried = params.carried.copy()
        for number in self.parts_of(self.rank):
            start, stop = (i * batch // self.shards for i in (number, number + 1))
            self.batch, self.weighing = batch, stop - start
            self.part = slice(start, stop) if stop > start else slice(0, 1)
            if carried.size:  # a step carries on once, whatever the number of its parts
                params.carried[...] = carried
            with params.training.among(self):
                terms = model.step(fetch(self.part), model.noise_of(noise, self.part), beta)
            params.grad *= params.dtype.type(self.weighing / batch)
            found.append((terms, self.weighing))
            if self.sharded:
                gradients[number] = params.grad.copy()
        if self.sharded:
            self._add_in_order(gradients, params.grad)  # (1)
        else:
            self.add_up(params.grad)  # (1)
        return found

    def _add_in_order(self, gradients: dict[int, Array], total: Array) -> None:
        """Overwrite `total` with the sum of the gradients of all parts, in their order."""
        for owner in range(self.size):
            for number in self.parts_of(owner):
                part = gradients.get(number)
                part = total.copy() if part is None else part
                self.send(part, owner)
                total[...] = total + part if number else part

    # ---- what a step asks for, see `Company` ----

    def rows(self, mine: Array, who: str) -> Array:
        """Rows of all processes."""
        self._seeing_all(who)
        whole = self.backend.xp.zeros((self.batch, *mine.shape[1:]), mine.dtype)
        if self.weighing:
            whole[self.part] = mine
        return self.add_up(whole)

    def own(self, whole: Array) -> Array:
        """Rows of this process."""
        return whole[self.part]

    def total(self, mine: Array, who: str) -> Array:
        """Sum over the processes."""
        self._seeing_all(who)
        counts = 1.0 if self.weighing else 0.0
        return self.add_up(mine.astype("float64") * counts)

    def gradient(self, mine: Array, who: str) -> Array:
        """Sum of gradients over the processes."""
        rows = self.part.stop - self.part.start
        return self.total(mine * rows, who) / rows

    def count(self, n: int) -> int:
        """How many there are in the minibatch."""
        return n // (self.part.stop - self.part.start) * self.batch

    def _seeing_all(self, who: str) -> None:
        if self.sharded:
            raise OptionError(
                f"{who} looks at all examples of a minibatch at once, but shards are computed one "
                "after the other; leave out the shards (--shards)."
            )

    # ---- what MPI does ----

    def add_up(self, array: Array) -> Array:
        """Add an array up over the processes, in place, and return it."""
        if self.size > 1:
            from mpi4py.MPI import IN_PLACE, SUM

            self.backend.hand_out(
                array, lambda there: self.comm.Allreduce(IN_PLACE, there, SUM), self.direct
            )
        return array

    def send(self, array: Array, owner: int = 0) -> None:
        """Overwrite an array with that of one process."""
        if self.size > 1:
            self.backend.hand_out(array, lambda there: self.comm.Bcast(there, owner), self.direct)

    def every(self, value: Any) -> list[Any]:
        """Values of all processes, in their order; any that can be pickled."""
        return [value] if self.comm is None else self.comm.allgather(value)

    def agreed(self, value: Any) -> Any:
        """Return the first process's value, in all of them."""
        return value if self.comm is None else self.comm.bcast(value)

    def sums(self, mine: Sequence[dict[str, Array]]) -> dict[str, float]:
        """Sums of an epoch over all parts, in their order, from those of each part of this one."""
        here = [{name: float(total) for name, total in part.items()} for part in mine]
        first, *others = [part for parts in self.every(here) for part in parts]
        for part in others:
            first = {name: total + part[name] for name, total in first.items()}
        return first

    def align(self, training: Training) -> None:
        """Give all the first process's weights, carried numbers, moments and random numbers.

        At the start they differ if files do. Later they would if processors round otherwise.
        """
        if self.size == 1:
            return
        params, optimizer, rng = training.model.params, training.optimizer, training.rng
        self.backend = params.backend
        rng.bit_generator.state = self.agreed(rng.bit_generator.state)
        for array in (params.theta, params.carried, *optimizer.state.values()):
            if array.size:
                self.send(array)

    def expect_alike(self, training: Training, x: np.ndarray) -> None:
        """Refuse processes that would not make the same run, and more of them than examples.

        Raises
        ------
        OptionError
            Naming the first process that differs from the first one, and in what.
        """
        settings, params = training.settings, training.model.params
        self.cut(settings.shards)
        fewest = min(settings.batch, len(x))
        if self.shards > fewest or self.shards < self.size:
            raise OptionError(
                f"{self.size} processes with {self.shards} parts of a minibatch of {fewest} "
                "examples were given, but each process needs a part, and each part an example; "
                "start fewer processes, or give a larger --batch."
            )
        if self.size == 1:
            return
        from .. import __version__

        layout = params.shapes, params.carried_shapes, str(params.dtype)
        mine = {
            "another version of minivae": __version__,
            "another version of NumPy": np.__version__,
            "parameters of other shapes": str(layout),
            "other settings": str((settings, training.optimizer.config, training.model.config)),
            "another number of finished epochs": str((len(training.history), training.optimizer.t)),
            "other training data": sha256(np.ascontiguousarray(x).data).hexdigest(),
        }
        first, *others = self.every(mine)
        for rank, other in enumerate(others, 1):
            for what, value in other.items():
                if value != first[what]:
                    raise OptionError(
                        f"process {rank} of {self.size} has {what} than process 0; let all of them "
                        "see the same files, and install the same versions everywhere."
                    )
