"""The public names: all of the modules that are not listed as inside, and what `__all__` lists.

A new module, function or class is public by being there, so the tests fail for one that has no
door; whoever adds what nobody outside calls says so here.
"""

import importlib
import inspect
import pkgutil

import minivae
from minivae.engine.backend import kernels

INSIDE = {
    "minivae.check.diagnosis": "asked by `check_gradients`",
    "minivae.check.report": "made by a check",
    "minivae.check.tape": "asked by `check_gradients`",
    "minivae.check.verdict": "asked by `check_gradients`",
    "minivae.check.values.bound_parts": "asked by `check_bounds`",
    "minivae.check.values.formulas": "asked by the checks of values",
    "minivae.check.values.matching": "asked by the checks of values",
    "minivae.cli": "the command, which has tests of its own",
    "minivae.course": "the command's; what others call is in `__all__`",
    "minivae.data.alphabet": "asked by `load`, and by models and runs of sequences",
    "minivae.data.build": "a script",
    "minivae.data.download": "asked by `load`",
    "minivae.data.embedded": "asked by `load`",
    "minivae.data.files": "asked by `load`",
    "minivae.data.hold_out": "asked by `load`",
    "minivae.data.idx": "asked by `load`",
    "minivae.data.names": "asked by `load`",
    "minivae.data.melodies": "asked by `load` and by the commands",
    "minivae.data.sequences": "asked by `load`",
    "minivae.data.sources": "asked by `load`",
    "minivae.data.tables": "asked by `load`",
    "minivae.data.minibatch": "a step of training",
    "minivae.engine.company": "asked in a step, by layers that look at several examples",
    "minivae.engine.cpu": "called by kernels, after their layer has looked",
    "minivae.data.statistics": "asked by a model before a training",
    "minivae.engine.available": "asked by constructors",
    "minivae.engine.door": "the door",
    "minivae.engine.gpu": "called by kernels, after their layer has looked",
    "minivae.engine.hints": "the door",
    "minivae.engine.kinds": "the door",
    "minivae.engine.progress": "asked by whoever shows a bar",
    "minivae.engine.shapes": "the door",
    "minivae.engine.switch": "asked by `Params`",
    "minivae.errors": "raised by the package",
    "minivae.files": "asked by whoever writes a file",
    "minivae.interrupts": "asked by the training loop",
    "minivae.models.code_prior": "made by a VQ-VAE's constructor",
    "minivae.models.declare": "what a model says when it is defined",
    "minivae.models.flow_encoder": "made by a flow VAE's constructor",
    "minivae.models.halves": "asked by a model's constructor",
    "minivae.models.summary": "asked by a model",
    "minivae.models.ladder_encoder": "made by a ladder VAE's constructor",
    "minivae.models.registry": "what a model says when it is defined",
    "minivae.models.sequence_decoder": "made by a sequence VAE's constructor",
    "minivae.ops.activations.base": "what an activation says when it is defined",
    "minivae.ops.likelihoods.base": "called by kernels, after their layer has looked",
    "minivae.ops.pooling": "asked by the two layers that pool",
    "minivae.ops.scratch": "called by kernels",
    "minivae.ops.registry": "what an operation says when it is defined",
    "minivae.ops.windows": "asked by layers with windows",
    "minivae.show.derivations": "asked by the reader",
    "minivae.show.scaling": "asked by the command",
    "minivae.train.launch": "asked by the command",
    "minivae.train.parallel": "asked by the training loop",
    "minivae.show.reader": "the command's; what others call is in `__all__`",
    "minivae.show.sequences": "asked by the commands",
    "minivae.show.trace": "what others call is in `__all__`",
    "minivae.train.kept": "asked by a run",
    "minivae.train.metrics": "asked by a run",
    "minivae.train.optim": "a step of training; what others call is in `__all__`",
    "minivae.uses.anomaly.odd": "the command's",
    "minivae.uses.estimator.habits": "asked by scikit-learn",
    "minivae.uses.estimator.state": "asked by pickle",
    "minivae.uses.estimator.tables": "asked by the estimator",
    "minivae.uses.quality.verdict": "asked by the command",
    "minivae.uses.experiments": "the command's",
    "minivae.uses.explore.melodies": "what others call is in `__all__`",
    "minivae.uses.explore.page": "what others call is in `__all__`",
}
"""Packages and modules that nobody outside of the package calls, and why."""


HELPERS = {
    "minivae.engine.init.initialiser": "what a file says when it is imported",
    "minivae.models.objectives.Terms": "made by a step",
    "minivae.models.objectives.weighed": "called by a step",
    "minivae.models.gan.Contest": "made by a step",
    "minivae.models.base.expect_examples": "a check itself",
    "minivae.models.mlp.check_widths": "a check itself",
    "minivae.models.vamp.PseudoInputs": "made by the encoder of a VAE with a VampPrior",
    "minivae.ops.codebook.perplexity": "asked by a codebook",
    "minivae.ops.conv2d.as_matrix": "called by kernels",
    "minivae.ops.conv2d.check_channels": "a check itself",
    "minivae.ops.conv2d.flat": "called by kernels",
    "minivae.ops.conv_transpose2d.check_channels": "a check itself",
    "minivae.ops.linear.gradient_of_W": "called by kernels",
    "minivae.ops.linear.product": "called by kernels",
    "minivae.ops.linear.turned_product": "called by kernels",
    "minivae.ops.masked_conv2d.mask": "called by kernels",
    "minivae.ops.patches.gather": "called by kernels",
    "minivae.ops.patches.scatter": "called by kernels",
    "minivae.ops.patches.numbers": "called by kernels",
    "minivae.ops.standardise.one_by_root": "called by kernels",
    "minivae.ops.standardise.in_rows": "called by kernels",
    "minivae.data.dataset.class_numbers": "asked by what makes a data set",
    "minivae.data.pixels.in_range": "a check itself",
    "minivae.train.runs.place": "asked by a run",
    "minivae.show.plots.apart": "asked by `latent`",
    "minivae.train.loop.tally": "called by each step",
    "minivae.check.gradients.check_subject": "asked by `check_gradients`",
    "minivae.check.gradients.crash_line": "asked by `check_gradients`",
    "minivae.check.values.kl.closed_form": "asked by the checks of values",
    "minivae.check.values.kl.draw_heads": "asked by the checks of values",
    "minivae.check.values.kl.judge_kl": "asked by the checks of values",
    "minivae.check.values.kl.probe_kl": "asked by the checks of values",
    "minivae.check.values.result.NoAnswerError": "raised by the checks of values",
    "minivae.check.values.result.call": "asked by the checks of values",
    "minivae.check.values.result.show": "asked by the checks of values",
    "minivae.check.values.result.value_check": "asked by the checks of values",
    "minivae.uses.quality.disentangled.Apart": "made by `apart`",
    "minivae.uses.anomaly.rates.check_quantile": "a check itself",
}
"""Functions of public modules that nobody outside of the package calls, and why."""


def modules():
    """Every module, and whether all its names are public."""
    yield minivae, False
    for entry in pkgutil.walk_packages(minivae.__path__, "minivae."):
        inside = any(f"{entry.name}.".startswith(f"{name}.") for name in INSIDE)
        if not entry.name.endswith("__main__") and "worker" not in entry.name:
            yield importlib.import_module(entry.name), not inside


def listed(package):
    """Whether `__all__` of a package is for users: it is not, in what is inside of `check`."""
    return not package.startswith(
        ("minivae.check.diagnosis", "minivae.check.tape", "minivae.cli", "minivae.check.verdict")
    )


def names():
    """Dotted name -> function or class, each once, where it is defined."""
    found, everything = {}, [*modules()]
    fast = {id(kernel) for kernel in kernels().values()}
    for module, open_ in everything:
        own = [n for n in vars(module) if n[0] != "_"] if open_ else []
        wanted = [*own, *(getattr(module, "__all__", ()) if listed(module.__name__) else ())]
        for name in wanted:
            value = getattr(module, name)
            home = getattr(value, "__module__", None) or ""
            if not (inspect.isfunction(value) or inspect.isclass(value)) or id(value) in fast:
                continue
            own_module = home == module.__name__
            if home.startswith("minivae.") and (own_module or name not in own):
                found[f"{home}.{value.__qualname__}"] = value
    return {name: value for name, value in found.items() if name not in HELPERS}
