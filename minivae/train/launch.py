"""Finds out whether this process was started as one of several, and ends all if one fails.

`mpiexec`, `srun` and their like say so in the environment, each in its own words. Only then is
mpi4py imported.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import MinivaeError, OptionError
from .parallel import Crew

LAUNCHERS = {
    "PMI_RANK": "PMI_SIZE",
    "OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_SIZE",
    "PMIX_RANK": "SLURM_STEP_NUM_TASKS",
}
"""Variables that say which process this is, and how many there are: of MPICH and its like, of Open
MPI, and of whatever speaks PMIx, as `srun` does."""

INSTALL = (
    '`pip install "minivae[mpi]" mpich`, or load the MPI of your cluster and `pip install mpi4py`'
)

GRACE = 1.0
"""Seconds that a process which fails leaves to the first one, which may have the same to say."""


def started() -> tuple[int, int]:
    """Which process this is, and how many a launcher has started; 0 of 1 without one."""
    for rank, size in LAUNCHERS.items():
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def join() -> Crew:
    """Return the processes that this one was started with; a crew of one where there are none.

    Raises
    ------
    OptionError
        If there are others, but no mpi4py, no library of MPI, or another one than the launcher's.
    """
    rank, size = started()
    if size == 1:
        return Crew()
    try:
        try:
            from mpi4py import MPI
        except ModuleNotFoundError:
            raise OptionError(
                f"{size} processes were started, but mpi4py, by which they would speak to each "
                f"other, is not installed; {INSTALL}."
            ) from None
        except (ImportError, RuntimeError) as error:
            raise OptionError(
                f"{size} processes were started, but mpi4py finds no library of MPI "
                f"({str(error).splitlines()[0].rstrip('.')}); {INSTALL}."
            ) from None
        if MPI.COMM_WORLD.size != size:
            raise OptionError(
                f"{size} processes were started, but to mpi4py there are {MPI.COMM_WORLD.size}, so "
                "its MPI is another than that of the launcher; start them with the `mpiexec` of "
                "the MPI that mpi4py was installed for."
            )
    except OptionError:
        if rank:
            raise SystemExit(2) from None  # the first one says why
        raise
    kinds = MPI.COMM_WORLD.Get_info().get("mpi_memory_alloc_kinds") or ""
    return Crew(MPI.COMM_WORLD, direct="cuda" in kinds)


@contextmanager
def ending_all(crew: Crew, said: Callable[[BaseException], tuple[int, str] | None]) -> Iterator:
    """Within this block, whoever fails says why and ends all: the others wait for it for ever.

    Parameters
    ----------
    crew : Crew
        The processes; of one that is alone, an error goes on as ever.
    said : callable
        Gives exit code and sentence of an error, or None of an unexpected one.
    """
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        if crew.size == 1:
            raise
        end(crew, *(said(error) or (1, traceback.format_exc())))


def end(crew: Crew, status: int, why: str) -> None:
    """Say why, and end all processes with this exit code."""
    if not crew.leads:
        time.sleep(GRACE)  # if all fail alike, the first one has ended all by then
        why = f"process {crew.rank} of {crew.size}: {why}"
    print(f"minivae: {why}", file=sys.stderr, flush=True)
    crew.comm.Abort(status)
    os._exit(status)  # some MPIs return from it, and end this process later


def alike(crew: Crew, function: Callable[[], Any]) -> Any:
    """Call what fails in all processes if in one; the first one alone says why."""
    try:
        return function()
    except MinivaeError:
        if crew.leads:
            raise
        raise SystemExit(2) from None


def first_one_first(crew: Crew, function: Callable[[], Any]) -> Any:
    """Call what may write files for later ones to read; if it fails in one process, all end.

    Raises
    ------
    OptionError
        In the first process, if it has failed in another one.
    """
    result = None
    for first in (True, False):
        failure: Any = None
        if crew.leads == first:
            try:
                result = function()
            except (MinivaeError, OSError) as error:
                failure = error
        sentences = crew.every(None if failure is None else str(failure))
        for rank, sentence in enumerate(sentences):
            if sentence is None:
                continue
            if not crew.leads:
                raise SystemExit(2)
            raise failure or OptionError(f"process {rank} of {crew.size}: {sentence}")
    return result
