"""What `minivae anomaly` says and writes: thresholds, a table of scores, the map."""

import csv
import io
from typing import Any

import numpy as np

from ..data.examples import Examples
from ..uses.anomaly.detector import Detector
from ..uses.anomaly.odd import odd_columns
from ..uses.anomaly.rates import auroc
from ..uses.anomaly.scores import explain
from ..uses.statistics import Interval, proportion_interval


def fitted(detector: Detector) -> str:
    """What was fitted, and the thresholds with their false-alarm rates."""
    data, last = detector.data, detector.training.history[-1]
    alarm = next(iter(detector.alarms.values()))
    classes = f", classes {' '.join(data['normal'])}" if data["normal"] else ""
    lines = [
        f"data   {data['name']}{classes}: {data['n_train']} to train on, {alarm.n_threshold} for "
        f"the thresholds, {alarm.n_checked} to check them",
        *(f"       {note}" for note in data["notes"]),
        f"model  {detector.model!r}",
        f"loss   {last['loss']:.2f} nats per example after {last['epoch']} epochs",
        "",
        f"false alarms among {alarm.n_checked} other normal examples, with a 95 % interval",
        "",
        f"{'score':<15}{'threshold':>10}   false alarms",
    ]
    for name, alarm in detector.alarms.items():
        rate = f"{alarm.false_alarms:>4} {percent(alarm.interval)}"
        lines.append(f"{name:<15}{alarm.threshold:>10.2f}   {rate}")
    note = []
    if data["note"]:
        note = ["", f"{data['note']}; the deviance leaves out what grey pixels cost by being grey"]
    return "\n".join([*lines, *note, ""])


def percent(rate: Interval) -> str:
    """A rate and its interval."""
    return f"= {100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f} %)"


def judged(scores: dict[str, Any], alarms: np.ndarray, is_normal: np.ndarray) -> str:
    """What the known classes say: alarms on either side, and the AUROC of each score."""
    lines = []
    for what, side in (("false alarms", is_normal), ("found", ~is_normal)):
        n, k = int(side.sum()), int(alarms[side].sum())
        if n:
            kind = "normal examples" if side is is_normal else "anomalies"
            lines.append(f"{what:<13}{k} of {n} {kind} {percent(proportion_interval(k, n))}")
    if is_normal.all() or not is_normal.any():
        lines.append("AUROC        none: all examples are of one kind")
    else:
        values = {name: auroc(s[~is_normal], s[is_normal]) for name, s in scores.items()}
        lines.append(f"{'AUROC':<13}" + ", ".join(f"{n} {v:.3f}" for n, v in values.items()))
    return "\n".join(lines)


def table(detector: Detector, examples: Examples, scores: dict[str, Any], name: str) -> str:
    """CSV text: a line for each example, numbered from 0 as in the data; alarms by one score."""
    columns: dict[str, Any] = {"row": examples.rows}
    if examples.files is not None:
        columns["file"] = examples.files
    if examples.labels is not None:
        columns["label"] = examples.labels
    columns |= {name: [f"{value:.6g}" for value in values] for name, values in scores.items()}
    columns["alarm"] = (scores[name] > detector.alarms[name].threshold).astype(int)
    if detector.form is not None:
        u = detector.prepare(examples)
        columns["odd_column"] = odd_columns(detector, u, scores[name], name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def picture(detector: Detector, top: Examples, n: int, score: str) -> bytes:
    """PNG of the maps of the most anomalous examples."""
    from ..show.canvas import DPI
    from ..uses.anomaly.map import draw

    x = np.asarray(detector.prepare(top))
    parts, rebuilt = explain(detector.model, x, detector.noise)
    limits = min(0.0, float(x.min())), max(1.0, float(x.max()))
    title = f"The {len(top)} of {n} with the highest {score}: example, reconstruction, map"
    content = io.BytesIO()
    ax = draw(x, parts, rebuilt, detector.shape, limits=limits, title=title)
    ax.figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()
