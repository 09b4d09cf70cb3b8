"""Processes that would not make the same run: what the first of them says of it."""

from dataclasses import replace

import minivae
import ranks
from minivae.errors import OptionError
from minivae.train.launch import join

crew = join()
case = next(iter(ranks.cases()))[1:]


def tell(training, x):
    """Print what differs, once."""
    try:
        crew.expect_alike(training, x)
    except OptionError as error:
        if crew.leads:
            print(str(error).partition(";")[0])


training, x = ranks.make(*case)
tell(training, x + crew.rank)
training.settings = replace(training.settings, seed=crew.rank)
tell(training, x)
training, x = ranks.make(*case)
wider, _ = ranks.make(case[0], {"latent": 3}, case[2])
tell(wider if crew.rank else training, x)
minivae.__version__ += "1" * crew.rank
tell(training, x)
