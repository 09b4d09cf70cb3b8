"""A detector of a run: what `minivae train` left behind, with thresholds from its test rows.

The model was not trained on them, so half of them can set the thresholds and half check them, as in
`detector.py`. All that the run was trained on counts as normal.
"""

import numpy as np

from ...data.examples import Examples
from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import DataError, OptionError
from ...train.runs import Run
from .detector import Alarm, Detector
from .rates import enough_for, threshold
from .scores import SCORES


@door
def of_run(run: Run, *, quantile: float = 0.95, samples: int = 32, seed: Whole = 0) -> Detector:
    """Make a detector of a run.

    Parameters
    ----------
    run : Run
        Of a VAE without labels, on data that were not binarized.
    quantile, samples, seed
        As in `detector.fit`.

    Raises
    ------
    OptionError, DataError
        If the run's model gives no such scores, as that of sequences, or its test rows are too few.
    """
    if run.training.model.sequential:
        raise OptionError(
            f"{run.folder} is a model of sequences, and scores are of pixels or columns; name a "
            "run on pictures or a table."
        )
    if "bound" not in run.can or "condition" in run.can or run.training.settings.binarize != "none":
        raise OptionError(
            f"{run.folder} holds {run.training.model.title}, or one of binary pixels that were "
            "drawn from grey ones, which gives no scores of rows as they are; make a detector with "
            "`minivae anomaly fit`."
        )
    data = run.load_data()
    x = data.pixels_test
    n = 0 if x is None else len(x)
    if x is None or n < 2 * enough_for(quantile):
        raise DataError(
            f"{run.folder} has {n} test rows, but the thresholds and their check need "
            f"{2 * enough_for(quantile)}; train on more rows, or use `minivae anomaly fit`."
        )
    columns = None if run.form is None else list(run.form.columns)
    about = {"name": data.name, "shape": list(data.shape), "normal": None, "columns": columns}
    about |= {"n_train": len(data.pixels_train), "note": run.extra["note"], "notes": []}
    detector = Detector(run.training, about, None, samples, seed, {})
    order = np.random.default_rng(seed).permutation(n)
    halves = [np.sort(order[: n // 2]), np.sort(order[n // 2 :])]
    first, second = (
        detector.score(Examples(data.name, x[rows], data.shape, rows)) for rows in halves
    )
    for name in SCORES:
        limit = threshold(first[name], quantile)
        false = int((second[name] > limit).sum())
        detector.alarms[name] = Alarm(limit, quantile, len(halves[0]), false, len(halves[1]))
    detector.form = run.form  # only now: the test rows above were standardised already
    return detector
