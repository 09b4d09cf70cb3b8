"""`minivae evaluate`: measure a trained model: ELBO, its terms, log p(x)."""

import argparse
import textwrap
from typing import Any

from ..numbers import whole
from ..options import add_data, add_run, add_shared, refuse_idle
from ..table_options import table_of
from ..voice import width

EPILOG = """\
examples:
  minivae evaluate                                   the newest run on its test data
  minivae evaluate runs/001-mnist5k-vae --importance-samples 1000 --limit 100
  minivae evaluate --data mnist                      on other data of the same shape
  minivae evaluate --quality                         Fréchet distance, precision and recall
  minivae evaluate --json > numbers.json
"""

ACTIVE = 0.01
"""Nats of KL above which a latent dimension counts as active."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    add_run(parser)
    add_data(parser)
    importance = "also estimate ln p(x) by importance sampling with K samples for each example"
    parser.add_argument("--importance-samples", type=whole, metavar="K", help=importance)
    limit = "use at most N test examples, evenly spread"
    parser.add_argument("--limit", type=whole, metavar="N", help=limit)
    quality = "also compare samples with test data: Fréchet distance, precision and recall, in the "
    quality += "features of a small classifier that is trained for this"
    parser.add_argument("--quality", action="store_true", help=quality)
    add_shared(parser, "seed", default=None, help="of the noise (default: that of the run)")
    add_shared(parser, "backend", "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Evaluate and print the numbers."""
    from .. import outputs

    run = outputs.chosen_run(options)
    if options.quality:
        outputs.refuse_sequences(run, "--quality")
    numbers = measure(run, options)
    if options.quality:
        numbers["quality"] = quality(run, options)
    options.voice.tell(**numbers)
    options.voice.say(table(numbers, run.training.model))
    return 0


def measure(run: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Compute what is printed; what an autoencoder has not is None, and a GAN has none of it.

    The noise and the binary pixels are those of the validation while training, so the numbers of
    the last epoch come out again.
    """
    import numpy as np

    from ...errors import OptionError
    from ...train.evaluate import evaluate, log_likelihood
    from ...train.settings import STREAMS
    from ...uses.quality.collapse import usage
    from .. import outputs, pictures

    samples, seed = options.importance_samples, seed_of(run, options)
    model = run.training.model
    if len(model.players()) > 1:
        if not options.quality or samples is not None:
            raise OptionError(
                f"{run.folder} holds {model.title}, under which data have no loss, no ELBO and no "
                "ln p(x); measure its samples with --quality alone."
            )
        return {"run": str(run.folder), "model": repr(model), "epochs": run.saved_epochs}
    if samples is not None and "bound" not in run.can:
        raise OptionError(
            f"{lacks(model)}, so ln p(x) cannot be estimated; leave out --importance-samples."
        )
    if not options.quality and model.draw_noise(np.random.default_rng(seed), 1) is None:
        refuse_idle(options, f"{model.title} takes no noise", "seed")
    x, what = outputs.chosen_rows(run, options.data, options.voice, table_of(options))
    if options.limit is not None:
        x = pictures.spread(x, options.limit)
    note = model.likelihood.note(x)
    noise = [seed, STREAMS["noise"]]
    terms = evaluate(model, x, rng=np.random.default_rng(noise))
    numbers: dict[str, Any] = {
        "run": str(run.folder),
        "model": repr(model),
        "epochs": run.saved_epochs,
        "data": what,
        "examples": len(x),
        **dict.fromkeys(("nll", "kl", "elbo", "kl_per_dim", "active_dims")),
        **dict.fromkeys(("mu_variance_per_dim", "active_units", "collapse")),
        **dict.fromkeys(("constant", "still_falls")),
        "importance_weighted_bound": None,
        "importance_samples": samples,
        "log_likelihood": None,
        "log_likelihood_se": None,
        "note": note,
        "also": model.also(x),
    }
    numbers |= {name: terms[name] for name in model.terms if name in model.columns}
    if "bound" in run.can:
        numbers["elbo"] = terms["elbo"]
        if "kl_per_dim" in terms and "encode" in run.can:
            kl_per_dim = terms["kl_per_dim"].tolist()
            active = sum(kl > ACTIVE for kl in kl_per_dim)
            numbers |= {"kl_per_dim": kl_per_dim, "active_dims": active}
            used = usage(run.codes(x), terms["kl_per_dim"])
            numbers |= {"mu_variance_per_dim": used.variance.tolist()}
            numbers |= {"active_units": int(used.active.sum())}
            numbers |= judged(run, used, x, -terms["elbo"])
        if getattr(model, "samples", None) is not None:
            numbers["importance_weighted_bound"] = terms["bound"]
    if samples is not None:
        estimate = log_likelihood(model, x, rng=np.random.default_rng([*noise, 1]), samples=samples)
        numbers["log_likelihood"] = float(estimate.mean())
        numbers["log_likelihood_se"] = float(estimate.std() / np.sqrt(len(x)))
    return numbers


def judged(run: Any, used: Any, x: Any, loss: float) -> dict[str, Any]:
    """Say what may be concluded, and from what: the course of the loss, and a constant picture."""
    from ...data.statistics import spread
    from ...show import plots
    from ...uses.quality import verdict

    model, training = run.training.model, run.training
    what = "picture" if plots.has_picture(run.shape) else "row"
    what = "guess at each symbol" if model.alphabet else what
    x_train = run.load_data().pixels_train
    deviation = spread(x_train)
    constant = verdict.constant_loss(model, x_train.mean(axis=0), deviation, x)
    losses = [record.get("val_loss", record["loss"]) for record in training.history]
    asked = run.extra["options"]
    text = verdict.verdict(
        used,
        loss=loss,
        constant=constant,
        losses=losses,
        cures=verdict.cures_for(asked, model.likelihood.suited(deviation)),
        what=what,
        on=f"minivae train --resume {run.folder} --epochs {2 * max(1, len(losses))}",
    )
    fall = verdict.still_falls(losses)[0]
    return {"constant": -constant, "still_falls": fall, "collapse": text}


def quality(run: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Compare samples from the prior with the test data, in a classifier's features.

    As many samples are drawn as there are test examples, and shown by their means; the test data
    stay as they are. As many training examples take the samples' place, to show what is good; the
    classifier was trained on them, so it sees them a little farther from the test data than they
    are.
    """
    import numpy as np

    from ...data.labelled import class_names
    from ...uses.quality.judge import Judge
    from .. import outputs, pictures

    data = run.load_data(options.data, **table_of(options))
    outputs.check_shape(run, data.shape, data.name)
    judge = Judge.train(data, progress=options.voice.progress)
    real = pictures.spread(data.pixels_test, options.limit or len(data.pixels_test))
    samples = pictures.sampled(run, len(real), seed=seed_of(run, options))
    rng = np.random.default_rng(seed_of(run, options))
    others = data.pixels_train[rng.permutation(len(data.pixels_train))[: len(real)]]
    numbers: dict[str, Any] = {
        "classifier_accuracy": vars(judge.accuracy),
        "classifier": repr(judge.classifier),
        "test_examples": len(real),
        "samples": vars(judge.compare(real, samples)),
        "training_examples": vars(judge.compare(real, others)),
    }
    if "condition" in run.can and class_names(data) == run.training.model.labels:
        turns = np.arange(len(samples)) % pictures.classes(run)
        numbers["as_asked"] = judge.classifier.accuracy(samples, turns)
    return numbers


def seed_of(run: Any, options: argparse.Namespace) -> int:
    """Seed of the noise: the one asked for, or the run's, which gives its own numbers again."""
    return run.training.settings.seed if options.seed is None else options.seed


def lacks(model: Any) -> str:
    """Say why a model has no ELBO."""
    return f"{model.title} has no {'bound on ln p(x)' if 'prior' in model.can else 'prior'}"


WHAT = {"nll": "reconstruction, -ln p(x|z)", "kl": "q(z|x) from the prior"}
"""What the table says of the usual terms; of others it gives their titles."""

CONSTANT = "a decoder that knows the mean picture alone"
ALIKE = "a decoder to which all symbols are alike"


def table(numbers: dict[str, Any], model: Any) -> str:
    """Lay out the numbers for people."""
    head = f"run      {numbers['run']}, {numbers['epochs']} epochs: {numbers['model']}"
    if "data" not in numbers:  # under several players data have no loss
        return "\n".join([head, "", *table_of_quality(numbers["quality"])])
    lines = [
        head,
        f"data     {numbers['examples']} examples of {numbers['data']}",
        "",
        "nats per example",
        *(
            f"  {'KL' if name == 'kl' else name:<7}{numbers[name]:10.3f}   {WHAT.get(name, title)}"
            for name, title in model.terms.items()
            if numbers.get(name) is not None
        ),
    ]
    if numbers["elbo"] is not None:
        how = "".join(f" - {'KL' if name == 'kl' else name}" for name in model.summed)
        lines += [f"  ELBO   {numbers['elbo']:10.3f}  {how.replace(' - ', ' -', 1)}"]
        if numbers["constant"] is not None:
            constant = ALIKE if model.alphabet else CONSTANT
            lines += [f"  {'':<7}{numbers['constant']:10.3f}   of {constant}"]
        if numbers["importance_weighted_bound"] is not None:
            lines += [f"  bound  {numbers['importance_weighted_bound']:10.3f}   as trained"]
        if numbers["log_likelihood"] is not None:
            how = f"{numbers['importance_samples']} importance samples"
            how += f"; standard error over the examples {numbers['log_likelihood_se']:.3f}"
            lines += [f"  ln p(x){numbers['log_likelihood']:10.3f}   {how}"]
        lines += table_of_usage(numbers) if numbers["kl_per_dim"] is not None else []
    else:
        lines += [f"  {lacks(model)}, hence no KL and no ELBO"]
    if numbers["also"]:
        lines += ["", *(f"  {value:10.3f}  {what}" for what, value in numbers["also"].items())]
    if numbers["note"]:
        lines += ["", numbers["note"]]
    if "quality" in numbers:
        lines += ["", *table_of_quality(numbers["quality"])]
    return "\n".join(lines)


def table_of_usage(numbers: dict[str, Any]) -> list[str]:
    """Lay out how the latent dimensions are used."""
    per_dim = numbers["kl_per_dim"]
    active = f"{numbers['active_dims']} of {len(per_dim)}"
    lines = ["", f"KL of each latent dimension ({active} active, above {ACTIVE} nats)"]
    lines += in_rows(per_dim)
    active = f"{numbers['active_units']} of {len(per_dim)}"
    what = "variance of the posterior mean above 0.01, Burda et al. 2016"
    lines += ["", *textwrap.wrap(f"active units: {active} ({what})", width())]
    lines += in_rows(numbers["mu_variance_per_dim"])
    return [*lines, "", *textwrap.wrap(numbers["collapse"], width(), break_on_hyphens=False)]


def in_rows(values: list[float]) -> list[str]:
    """Lay out a number for each latent dimension, ten in a row if the terminal has room."""
    n = max(1, min(10, (width() - 7) // 8))
    return [
        f"  {start + 1:>3}: " + "".join(f" {value:7.3f}" for value in values[start : start + n])
        for start in range(0, len(values), n)
    ]


def table_of_quality(numbers: dict[str, Any]) -> list[str]:
    """Lay out how samples compare with test data."""
    n, accuracy = numbers["test_examples"], numbers["classifier_accuracy"]
    interval = "{value:.1%} of test examples right [{low:.1%}, {high:.1%}]".format(**accuracy)
    lines = [
        f"quality, beside {n} test examples, in the last hidden layer of a classifier",
        f"  ({numbers['classifier']}: {interval})",
        f"  {'':<24}{'Fréchet':>9}{'precision':>11}{'recall':>8}",
    ]
    for key, what in (("samples", "samples"), ("training_examples", "it was trained on")):
        row = numbers[key]
        cells = f"{row['frechet']:>9.2f}{row['precision']:>11.3f}{row['recall']:>8.3f}"
        lines += [f"  {f'{n} {what}':<24}{cells}"]
    if "as_asked" in numbers:
        lines += [f"  {numbers['as_asked']:.1%} of samples are taken for the class asked for"]
    return lines
