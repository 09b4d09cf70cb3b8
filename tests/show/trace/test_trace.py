"""A trace holds what a step computed, and leaves the model as it was."""

import inspect
import sys

import numpy as np
import pytest

from arrays import here, there
from minivae import VAE, Autoencoder, Dropout, Linear, Sequential, models, ops
from minivae.engine import backend, layer
from minivae.errors import OptionError, ShapeError, StateError
from minivae.ops.likelihoods import bernoulli
from minivae.show.trace import trace

KINDS = {
    "vae": lambda **o: VAE(5, (4,), 2, **o),
    "linear vae": lambda **o: VAE(5, (), 2, **o),
    "importance-weighted": lambda **o: VAE(5, (4, 3), 2, samples=3, **o),
    "free bits, tanh": lambda **o: VAE(5, (4,), 2, free_bits=0.1, activation="tanh", **o),
    "gaussian_learned": lambda **o: VAE(5, (4,), 2, likelihood="gaussian_learned", **o),
    "gaussian_shared": lambda **o: VAE(5, (4,), 2, likelihood="gaussian_shared", **o),
    "categorical": lambda **o: VAE(5, (4,), 2, likelihood="categorical", **o),
    "autoencoder": lambda **o: Autoencoder(5, (4,), 2, **o),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def problem(kind="vae", **options):
    rng = np.random.default_rng(3)
    model = KINDS[kind](rng=rng, dtype="float64", **options)
    x = model.prepare((rng.random((6, 5)) < 0.5).astype(float))
    return model, x, model.draw_noise(rng, 6)


def traced(kind="vae", **options):
    model, x, eps = problem(kind, **options)
    with trace(model) as t:
        model.step(x, eps)
    return model, t


@each_kind
def test_every_record_follows_from_its_inputs(kind):
    """On "numpy" an operation is its reference, so it can be run again on what was recorded."""
    _, t = traced(kind, backend="numpy")
    again = 0
    for record in t:
        module, _, name = record.operation.rpartition(".")
        room = getattr(ops, module, None) or getattr(models, module)
        reference = getattr(room, name)
        parameters = inspect.signature(reference).parameters
        given = {a.name: a.values for a in record.inputs} | record.options
        ordered = [given.pop(name) for name in parameters if name in given]
        result = reference(*ordered, *given.values())  # what is left was in `*saved`
        if "forward" in name:
            result = result[0]
        result = result if isinstance(result, tuple) else (result,)
        for array, expected in zip(record.outputs, result, strict=True):
            np.testing.assert_array_equal(array.values, expected, err_msg=f"{record}")
        again += 1
    assert again >= 8


@each_kind
def test_every_parameters_gradient_is_in_the_trace(kind, each_backend):
    model, t = traced(kind)
    for name in model.params:
        where, _, parameter = name.rpartition(".")
        expected = here(model.params.grad_of(name))
        found = [
            array.values
            for record in t
            if record.phase == "backward" and record.where in (where, "likelihood")
            for array in record.outputs
            if array.name == f"d{parameter}" and array.shape == expected.shape
        ]
        assert any(np.array_equal(values, expected) for values in found), name


@each_kind
def test_a_traced_step_computes_the_same(kind, each_backend):
    model, x, eps = problem(kind)
    outside = model.step(x, eps)
    grad = model.params.grad.copy()
    model.params.grad[...] = 0
    with trace(model):
        inside = model.step(x, eps)
    assert here(inside.loss) == here(outside.loss)
    np.testing.assert_array_equal(here(model.params.grad), here(grad))


def find(t, operation, where=None):
    (record,) = (r for r in t if r.operation == operation and where in (None, r.where))
    return record


def test_the_order_and_the_places():
    _, t = traced(backend="numpy")
    said = [(r.phase, r.where, r.operation) for r in t]
    assert said == [
        ("forward", "encoder.trunk.0", "dense.forward"),
        ("forward", "encoder.heads", "linear.forward"),
        ("forward", "encoder", "split.forward"),
        ("forward", "encoder.clamp", "clamp.forward"),
        ("forward", "objective.reparameterize", "reparameterize.forward"),
        ("forward", "decoder.0", "dense.forward"),
        ("forward", "decoder.1", "linear.forward"),
        ("forward", "likelihood", "bernoulli.forward"),
        ("forward", "objective.kl", "kl.forward"),
        ("forward", "objective", "negative_elbo.negative_elbo_forward"),
        ("backward", "objective", "negative_elbo.negative_elbo_backward"),
        ("backward", "likelihood", "bernoulli.backward"),
        ("backward", "decoder.1", "linear.backward"),
        ("backward", "decoder.0", "dense.backward"),
        ("backward", "objective.reparameterize", "reparameterize.backward"),
        ("backward", "objective.kl", "kl.backward"),
        ("backward", "objective", "fork.backward_two"),
        ("backward", "objective", "fork.backward_two"),
        ("backward", "encoder.clamp", "clamp.backward"),
        ("backward", "encoder", "split.backward"),
        ("backward", "encoder.heads", "linear.backward"),
        ("backward", "encoder.trunk.0", "dense.backward_params"),
    ]


def test_the_sum_at_a_fan_out_is_a_record(each_backend):
    _, t = traced()
    sample = find(t, "reparameterize.backward")
    kl = find(t, "kl.backward")
    both = [record for record in t if record.operation == "fork.backward_two"]
    for added, name in zip(both, ("dmu", "dlogvar"), strict=True):
        assert added.code == "return dy_1 + dy_2  # (2)"
        np.testing.assert_array_equal(added[name], sample[name] + kl[name])
        assert np.abs(added[name] - sample[name]).max() > 1e-3
        assert [a.origin for a in added.inputs] == [sample.index, kl.index]


def test_every_sum_over_samples_is_a_record(each_backend):
    _, t = traced("importance-weighted")
    sums = [record for record in t if record.operation.startswith("fork.")]
    assert [record.operation for record in sums] == [
        "fork.backward_two",  # z: the decoder and the prior
        "fork.backward",
        "fork.backward",
        "fork.backward_two",  # logvar: the samples and the entropy
    ]
    dmu, dlogvar = find(t, "reparameterize.backward").outputs
    np.testing.assert_allclose(sums[1]["dmu"], dmu.values.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sums[2].outputs[0].values, dlogvar.values.sum(axis=1), rtol=1e-12)
    assert sums[3].inputs[0].origin == sums[2].index
    # An array that was only reshaped comes from where it was made.
    assert sums[0].inputs[0].origin == find(t, "dense.backward", "decoder.0").index


def test_cutting_and_joining_the_heads_are_records(each_backend):
    _, t = traced()
    heads = find(t, "linear.forward", "encoder.heads")
    cut = find(t, "split.forward")
    assert cut.inputs[0].origin == heads.index
    np.testing.assert_array_equal(cut["mu"], heads["y"][:, :2])
    np.testing.assert_array_equal(cut["logvar"], heads["y"][:, 2:])
    clamped = find(t, "clamp.forward")
    np.testing.assert_array_equal(clamped["x"], cut["logvar"])
    assert clamped.inputs[0].origin == cut.index
    joined = find(t, "split.backward")
    dmu = next(record for record in t if record.operation == "fork.backward_two")["dmu"]
    dlogvar = find(t, "clamp.backward")["dx"]
    np.testing.assert_array_equal(joined.outputs[0].values, np.concatenate([dmu, dlogvar], axis=1))


def test_a_record_tells_formula_code_names_and_numbers():
    _, t = traced(backend="numpy")
    record = find(t, "reparameterize.forward")
    assert record.formula[2] == r"z = \mu + s"
    assert "s = xp.exp(0.5 * logvar) * eps  # (1)" in record.code
    assert record.file.endswith("reparameterize.py")
    source = inspect.getsource(ops.reparameterize)
    assert source.splitlines()[record.line - 1].strip() == record.code.splitlines()[0]
    assert [a.name for a in record.inputs] == ["mu", "logvar", "eps"]
    assert [a.name for a in record.outputs] == ["z"]
    (s,) = record.inner
    np.testing.assert_array_equal(s.values, np.exp(0.5 * record["logvar"]) * record["eps"])
    (z,) = record.outputs
    assert z.mean == pytest.approx(z.values.mean())
    assert z.spread == pytest.approx(z.values.std())
    assert record.norms == {}
    backward = find(t, "linear.backward", "decoder.1")
    assert backward.norms["dW"] == pytest.approx(np.linalg.norm(backward["dW"]))
    assert set(backward.norms) == {"dx", "dW", "db"}
    with pytest.raises(KeyError):
        backward["nothing"]


def test_a_kernel_is_named():
    _, t = traced(backend="numba")
    kernel = backend.kernels()["numba", bernoulli.forward]
    assert find(t, "bernoulli.forward").kernel == kernel.__name__ != ""
    _, t = traced(backend="numpy")
    assert {record.kernel for record in t} == {""}


def test_the_arrays_are_copies(each_backend):
    model, t = traced()
    before = [a.values.copy() for r in t for a in (*r.inputs, *r.inner, *r.outputs)]
    rng = np.random.default_rng(9)
    for _ in range(2):
        model.step(model.prepare((rng.random((6, 5)) < 0.5) * 1.0), model.draw_noise(rng, 6))
    model.params.theta[...] = 7
    after = [a.values for r in t for a in (*r.inputs, *r.inner, *r.outputs)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_several_steps_and_a_step_before(each_backend):
    model, x, eps = problem()
    model.step(x, eps)  # the layers' caches and the memory of the step are full
    with trace(model) as t:
        model.step(x, eps)
        once = len(t)
        model.step(x, -eps)
    assert once == 22
    assert len(t) == 44
    first, second = ([(r.where, r.operation) for r in part] for part in (t[:22], t[22:]))
    assert first == second
    origins = [[a.origin for r in part for a in r.inputs] for part in (t[:22], t[22:])]
    assert origins[1] == [None if i is None else i + 22 for i in origins[0]]


def state_of(model):
    parts = [model.encoder.trunk[0], model.encoder.heads, model.decoder[1], model.objective]
    return [part.call for part in parts], sys.gettrace()


def test_nothing_is_left_behind_and_nothing_was_there(each_backend):
    model, x, eps = problem()
    before = state_of(model)
    with trace(model):
        during, _ = state_of(model)
        model.step(x, eps)
    assert state_of(model) == before
    assert not set(map(id, during)) & set(map(id, before[0]))
    # Outside of a block a layer's `call` is the backend's own method, which knows no trace.
    assert all(call == model.backend.call for call in before[0])
    assert "trace" not in inspect.getsource(backend) + inspect.getsource(layer)


def test_an_exception_in_the_block_restores_everything():
    model, x, eps = problem()
    before = state_of(model)
    t = trace(model)
    with pytest.raises(ShapeError), t:
        model.step(x[:, :3], eps)
    assert state_of(model) == before
    with trace(model) as other:
        model.step(x, eps)
    assert len(other) == 22


def test_traces_do_not_nest_and_are_made_once(refuses):
    model, x, eps = problem()
    t = trace(model)
    with t:
        with refuses(StateError, "do not nest"), trace(model):
            pass
        model.step(x, eps)
    assert len(t) == 22
    with refuses(StateError, "make a new one"), t:
        pass


@pytest.mark.parametrize("thing", [3, None, np.ones(3), object(), VAE])
def test_another_kind_of_model(thing, refuses):
    with refuses(OptionError, f"a {type(thing).__name__} was given"):
        trace(thing)


def test_a_record_that_is_not_there():
    _, t = traced()
    assert t[-1] is t[21]
    with pytest.raises(IndexError, match="record 22 was asked for, but 22 were made"):
        t[22]


def test_layers_alone(each_backend):
    rng = np.random.default_rng(0)
    net = Sequential(Linear(3, 4, rng=rng), Dropout(0.5), Linear(4, 2, rng=rng))
    x = there(rng.standard_normal((5, 3)), "float32")
    with trace(net) as t:
        net.forward(x, net.draw_noise(rng, x.shape))
        net.backward(there(np.ones((5, 2)), "float32"))
    assert [r.where for r in t] == ["0", "1", "2", "2", "1", "0"]
    assert find(t, "linear.backward", "0")["dW"].shape == (3, 4)


def test_the_table():
    _, t = traced(backend="numpy")
    text = str(t)
    assert repr(t) == text
    lines = text.splitlines()
    assert lines[1] == "-- forward"
    assert lines.count("-- backward") == 1
    (line,) = (line for line in lines if "kl: kl.backward" in line)
    kl = find(t, "kl.backward")
    assert f"{kl.norms['dmu']:.4g}" in line
    assert "dkl 6x2, mu 6x2, excess 6x2" in line
    assert "dμ = dKL · μ" in line
    empty = trace(problem()[0])
    assert "nothing was recorded" in str(empty)
    assert "Nothing was recorded" in empty._repr_html_()
