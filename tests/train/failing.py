"""Three processes of which one fails in the middle of a run, and never calls MPI again."""

import sys

import ranks
from minivae.cli.failures import said
from minivae.train.launch import ending_all, join
from minivae.train.loop import fit

crew = join()
training, x = ranks.make(*next(iter(ranks.cases()))[1:])


def after_step(training, terms):
    """Fail once, in one process."""
    if crew.rank == 1 and training.optimizer.t == 3:
        raise OSError("the disk is on fire")


with ending_all(crew, said):
    fit(training, x, progress=False, crew=crew, after_step=after_step)
print("went on", file=sys.stderr)
