"""A step that is replayed is the step: the same bits, or it is computed as ever."""

import copy
import os
import threading

import numpy as np
import pytest

from minivae import VAE, Adam
from minivae.data.minibatch import gather
from minivae.engine.backend import get_backend
from minivae.engine.cpu import recorded, team
from minivae.engine.cpu.blas import Blas
from minivae.engine.layer import Layer, Sequential
from minivae.models import ConditionalVAE
from minivae.ops import Dense, Linear

pytestmark = pytest.mark.skipif(Blas.find() is None, reason="no team without NumPy's OpenBLAS")

NEVER, SOON = 10**9, 3
PIXELS, BATCH = 300, 40


def make(kind=VAE, patience=SOON, **options):
    sizes = {"hidden": (120,), "latent": 8, "backend": "numba", **options}
    model = kind(PIXELS, rng=np.random.default_rng(0), **sizes)
    model.workspace.calls.patience = patience
    return model


def images(few=False, pixels=PIXELS):
    rng = np.random.default_rng(1)
    x = rng.random((500, pixels), dtype="float32")
    return x * (rng.random(x.shape) < 0.1) if few else x


def train(model, data, steps=14, batch=BATCH, beta=1.0, before_step=None):
    """Train; return every number that came out, as bytes, and for each step if it was replayed."""
    rng, optimizer = np.random.default_rng(2), Adam(1e-2)
    numbers, replayed = [], []
    for i in range(steps):
        if before_step is not None:
            before_step(i)
        n, rows_of = (value(i) if callable(value) else value for value in (batch, data))
        with model.workspace:
            x = model.backend.call(gather, rows_of, rng.integers(0, len(rows_of), n))
            noise = model.draw_noise(rng, n)
            terms = model.step(x, noise, beta(i) if callable(beta) else beta)
            numbers += [terms.loss.tobytes(), terms.nll.tobytes(), terms.kl.tobytes()]
            numbers.append(model.params.grad.tobytes())
            optimizer.step(model.params)
        replayed.append(model.workspace.calls.replayed)
    return [*numbers, model.params.theta.tobytes()], replayed


def same_as_computed(make_model, **how):
    """Train twice, once without a recording; compare all bits; return which steps were replayed."""
    (computed, none), (numbers, replayed) = (
        train(make_model(patience=patience), **how) for patience in (NEVER, SOON)
    )
    assert not any(none)
    assert numbers == computed
    return replayed


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "tanh", "hidden": (60, 50)},
        {"hidden": ()},
        {"samples": 1},
        {"samples": 5, "latent": 3},
        {"free_bits": 0.3},
        {"activation": "gelu", "likelihood": "gaussian"},
    ],
    ids=str,
)
def test_a_replayed_step_has_the_same_bits(options):
    replayed = same_as_computed(
        lambda **how: make(**options, **how),
        data=images(),
    )
    # Four steps on one memory, one that is recorded, two proofs.
    assert replayed == [False] * 6 + [True] * 8


def test_digits_are_multiplied_by_their_entries_in_a_replay_too():
    replayed = same_as_computed(
        lambda **how: make(hidden=(700,), **how), data=images(few=True), steps=9
    )
    assert replayed[-1]


def test_data_that_decide_otherwise_end_the_replay():
    dense, few = images(), images(few=True)
    replayed = same_as_computed(
        lambda **how: make(hidden=(700,), **how),
        data=lambda i: dense if i == 8 else few,
        steps=20,
    )
    # The list is recorded anew, after twice as many steps.
    assert replayed[7:9] == [True, False]
    assert replayed[9:15] == [False] * 6
    assert replayed[-1]


def test_after_a_smaller_last_batch_the_list_is_known_still():
    replayed = same_as_computed(
        make, data=images(), batch=lambda i: 17 if i % 8 == 7 else BATCH, steps=24
    )
    assert replayed[6:] == [i % 8 != 7 for i in range(6, 24)]


def test_a_weight_of_the_kl_that_changes_is_taken_as_it_is():
    replayed = same_as_computed(make, data=images(), beta=lambda i: min(1, i / 5), steps=16)
    assert not any(replayed[:10])
    assert replayed[-1]


def test_a_part_that_is_changed_is_computed_as_it_is_now():
    models = []

    def make_model(**how):
        models.append(make(**how))
        return models[-1]

    def change(i):
        if i == 9:
            models[-1].objective.free_bits = 0.5
        if i == 11:
            models[-1].encoder.clamp.low = -0.01

    replayed = same_as_computed(make_model, data=images(), before_step=change, steps=13)
    assert replayed[8]
    assert not any(replayed[9:])


def test_another_call_in_a_part_sees_every_operation():
    model = make()
    train(model, images())
    assert model.workspace.calls.replayed
    heads, seen = model.encoder.heads, []
    own = heads.call

    def watching(reference, *arrays, **options):
        seen.append(reference.__name__)
        return own(reference, *arrays, **options)

    heads.call = watching
    _, replayed = train(model, images())
    assert seen == ["forward", "backward"] * 14
    assert not any(replayed)
    heads.call = own
    assert train(model, images(), steps=1)[1] == [True]


class Silent(Linear):
    """A layer that promises nothing."""


class Untrue(Linear):
    """A layer that promises what it does not keep: NumPy computes here."""

    same_calls = True

    def forward(self, x):
        return super().forward(x) * 2

    def backward(self, dy):
        return super().backward(2 * dy)


class Counting(Linear):
    """A layer that counts its steps, and computes with the count."""

    same_calls = True
    steps = 0

    def forward(self, x):
        self.steps += 1
        return super().forward(x)


class Noted(Layer):
    """A layer with numbers that are carried on."""

    same_calls = True

    def __init__(self, **where):
        super().__init__(carried={"n": (1,)}, **where)

    def forward(self, x):
        self.cache = ()
        self.params.carried_of("n")[...] += 1
        return x

    def backward(self, dy):
        return dy


@pytest.mark.parametrize("kind", [Silent, Untrue, Counting, Noted])
def test_who_does_not_promise_or_keep_it_is_never_replayed(kind):
    where = {"dtype": "float32", "backend": "numba"}

    def make_model(**how):
        rng = np.random.default_rng(3)
        middle = kind(**where) if kind is Noted else kind(60, 60, rng=rng, **where)
        decoder = Sequential(
            Dense(8, 60, "relu", rng=rng, **where), middle, Linear(60, PIXELS, rng=rng, **where)
        )
        return make(decoder=decoder, **how)

    assert not any(same_as_computed(make_model, data=images()))


def test_a_subclass_promises_for_itself():
    class Mine(VAE, listed=False):
        pass

    assert not any(same_as_computed(lambda **how: make(Mine, **how), data=images()))
    assert "same_calls" not in vars(ConditionalVAE)


def test_what_a_caller_receives_is_its_own_and_other_arrays_are_computed():
    model = make()
    train(model, images())
    x, rng = images()[:BATCH].copy(), np.random.default_rng(4)
    noise = model.draw_noise(rng, BATCH)
    first = model.step(x, noise)  # arrays of a caller's own: no recorded step was on them
    assert not model.workspace.calls.replayed
    given = x.copy()
    for i in range(9):
        x[...] = given[::-1] if i % 2 else given  # a proof takes steps that are not the same
        again = model.step(x, noise)
    assert model.workspace.calls.replayed
    assert again.nll.tobytes() == first.nll.tobytes()
    kept = again.nll.copy()
    x[...] = 1 - x  # read where it lies
    assert model.step(x, noise).nll.tobytes() != kept.tobytes()
    assert model.workspace.calls.replayed
    np.testing.assert_array_equal(again.nll, kept)


def test_backward_goes_through_the_step_and_not_through_what_came_between():
    model = make()
    train(model, images())
    x, noise = images()[:BATCH], model.draw_noise(np.random.default_rng(4), BATCH)
    for _ in range(9):
        x[...] = x[::-1].copy()
        model.step(x, noise)
        model.reconstruct(images()[:7])
    model.step(x, noise)
    assert model.workspace.calls.replayed
    grad = model.params.grad.copy()
    model.params.grad[...] = 0
    model.backward()  # into new memory, and outside of a step the team does not divide it
    np.testing.assert_allclose(model.params.grad, grad, rtol=1e-5, atol=1e-7)


def test_an_error_while_a_step_is_recorded_leaves_nothing_behind():
    model = make()
    own = model.backward

    def broken():
        raise RuntimeError("mine")

    def change(i):
        model.backward = broken if i == SOON + 1 else own

    with pytest.raises(RuntimeError, match="mine"):
        train(model, images(), before_step=change)
    assert recorded.now.calls is None
    del model.backward
    assert train(model, images())[1][-1]


def test_a_copy_begins_without_a_recording():
    model = make()
    train(model, images())
    twin = copy.deepcopy(model)
    assert twin.workspace.calls.recordings == {}
    assert twin.workspace.calls.patience == recorded.PATIENCE
    twin.workspace.calls.patience = NEVER
    (numbers, replayed), (computed, none) = train(model, images()), train(twin, images())
    assert any(replayed)
    assert not any(none)
    assert numbers == computed


def test_each_team_has_a_recording_of_its_own():
    alone = team.Team(Blas.find(), 1)
    model = make()
    train(model, images())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(team._now, "team", alone)
        assert train(model, images())[1] == [False] * 6 + [True] * 8
    assert all(train(model, images())[1])
    assert len(model.workspace.calls.recordings) == 2
    alone.end()


def test_two_trainings_at_once_are_each_as_alone():
    alone, _ = train(make(patience=NEVER), images(), steps=40)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(train(make(), images(), steps=40)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [numbers for numbers, _ in results] == [alone, alone]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_computes_its_first_steps_and_records_them_anew():
    model = make()
    train(model, images())
    other = copy.deepcopy(model)
    other.workspace.calls.patience = NEVER
    want, _ = train(other, images())
    pid = os.fork()
    if pid == 0:
        try:
            have, replayed = train(model, images())
            os._exit(0 if have == want and not replayed[0] and replayed[-1] else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0


def test_short_runs_record_nothing_and_the_plain_backend_never():
    model = make(patience=recorded.PATIENCE)
    assert not any(train(model, images(), steps=recorded.PATIENCE)[1])
    assert model.workspace.calls.recordings == {}
    assert not any(train(make(backend="numpy"), images())[1])
    assert get_backend("numpy").shares is False


def test_the_same_step_again_and_again_is_not_proven_for_ever():
    model = make()
    rng = np.random.default_rng(0)
    x, eps = images()[:BATCH], rng.standard_normal((BATCH, 8), dtype="float32")
    played = []
    play = recorded.Recording.play
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded.Recording, "play", lambda self: played.append(1) or play(self))
        for _ in range(200):
            model.step(x, eps)
    assert 0 < len(played) < 25
