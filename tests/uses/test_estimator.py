"""The estimator: scikit-learn's own checks, the model underneath, and what it refuses."""

import copy
import os
import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest

from minivae import VAE, Adam, Settings, Training, fit
from minivae.data.batches import by_rows
from minivae.errors import (
    BackendError,
    DataError,
    DtypeError,
    NonFiniteError,
    OptionError,
    ShapeError,
    StateError,
)
from minivae.train.evaluate import evaluate
from minivae.train.settings import STREAMS
from minivae.uses.estimator import estimator as module
from minivae.uses.estimator.estimator import VAEEstimator, generator

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

ROUNDING = (
    "BLAS adds in another order for another row of the matrix, so float32 results differ by about "
    "1e-6; the check wants 1e-7"
)
EXCEPTED_IN_FLOAT32 = {
    "check_methods_sample_order_invariance": ROUNDING,
    "check_methods_subset_invariance": ROUNDING,
}
SMALL = {"latent": 2, "hidden": (8,), "epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def x():
    """Rows from a plane with noise, far from zero mean; float64."""
    rng = np.random.default_rng(0)
    return 2 + rng.normal(size=(30, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(30, 5))


@pytest.fixture(scope="module")
def fitted(x):
    return VAEEstimator(**SMALL).fit(x)


@pytest.mark.filterwarnings("ignore:Estimator VAEEstimator does not inherit:UserWarning")
@pytest.mark.parametrize(
    ("options", "excepted"),
    [
        ({"dtype": "float64", "epochs": 3}, {}),
        ({"dtype": "float64", "epochs": 3, "samples": 3, "hidden": ()}, {}),
        ({"epochs": 3}, EXCEPTED_IN_FLOAT32),
    ],
    ids=["float64", "float64-linear-iw", "float32"],
)
def test_scikit_learns_checks(options, excepted):
    results = check_estimator(
        VAEEstimator(**options), expected_failed_checks=excepted, on_fail=None, on_skip=None
    )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert failed == {}
    # This one needs an environment variable before SciPy is imported: see the next test.
    assert skipped <= {"check_array_api_input"}
    assert len(results) >= 45


ALONE = """
import sys, warnings
import minivae.estimator
assert not [name for name in sys.modules if name.split(".")[0] in ("sklearn", "scipy")]
from sklearn.utils.estimator_checks import check_estimator
warnings.filterwarnings("ignore", "Estimator VAEEstimator does not inherit")
estimator = minivae.estimator.VAEEstimator(dtype="float64", epochs=2, hidden=(8,))
results = check_estimator(estimator, on_skip=None)
assert {r["status"] for r in results} == {"passed"}, results
"""


def test_import_leaves_scikit_learn_alone_and_then_no_check_is_skipped():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        env={**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_in_float32_a_rows_result_does_not_depend_on_the_others(method, x):
    # What the two excepted checks ask, at the precision of float32.
    est = VAEEstimator(epochs=3, random_state=0).fit(x)
    compute = getattr(est, method)
    whole = compute(x)
    order = np.random.default_rng(1).permutation(len(x))
    np.testing.assert_allclose(compute(x[order]), whole[order], rtol=1e-5, atol=1e-5)
    alone = np.concatenate([compute(row[None]) for row in x])
    np.testing.assert_allclose(alone, whole, rtol=1e-5, atol=1e-5)
    assert np.ptp(whole) > 0.1


def test_fit_is_the_training_loop(x):
    est = VAEEstimator(**SMALL, samples=2, lr=0.01, batch=7).fit(x)

    rng = np.random.default_rng(0)
    model = VAE(5, (8,), 2, likelihood="gaussian_shared", samples=2, rng=rng)
    model.start_at(x.astype("float32").mean(axis=0, dtype="float64"))
    seed = int(rng.integers(2**63))
    training = Training(model, Adam(0.01), rng, Settings(epochs=2, batch=7))
    fit(training, x.astype("float32"), progress=False)

    np.testing.assert_array_equal(est.model_.params.theta, model.params.theta)
    assert est.history_ == training.history
    assert [record["epoch"] for record in est.history_] == [1, 2]
    assert est.noise_seed_ == seed
    assert est.n_features_in_ == 5


@pytest.mark.parametrize("samples", [None, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_are_the_models(monkeypatch, x, dtype, samples):
    # 30 rows: four parts and a ragged one
    monkeypatch.setitem(by_rows.__wrapped__.__kwdefaults__, "rows", 7)
    est = VAEEstimator(**SMALL, dtype=dtype, samples=samples).fit(x)
    model, data = est.model_, x.astype(dtype)
    close = {"rtol": 1e-5 if dtype == "float32" else 1e-12, "atol": 1e-6}

    z = est.transform(x)
    np.testing.assert_allclose(z, model.encode(data)[0], **close)
    np.testing.assert_allclose(est.inverse_transform(z), model.decode(z), **close)

    noise = [
        model.draw_noise(np.random.default_rng([est.noise_seed_, zlib.crc32(row.tobytes())]), 1)
        for row in data
    ]
    bound = est.score_samples(x)
    np.testing.assert_allclose(bound, model.elbo(data, np.concatenate(noise)), **close)
    assert est.score(x) == pytest.approx(bound.mean(dtype="float64"), rel=1e-12)

    assert (z.shape, bound.shape, est.inverse_transform(z).shape) == ((30, 2), (30,), (30, 5))
    assert {z.dtype, bound.dtype, est.inverse_transform(z).dtype} == {np.dtype(dtype)}


def test_linear_estimator_nears_the_likelihood_of_probabilistic_pca():
    x = StandardScaler().fit_transform(load_iris().data)
    for latent in (1, 2):
        est = VAEEstimator(latent, hidden=(), epochs=200, lr=0.01, random_state=0).fit(x)
        scores = []
        for est.noise_seed_ in range(200):  # one score has a standard error of about 0.1
            scores.append(est.score(x))
        best = PCA(latent).fit(x).score(x)  # largest mean ln p(x) of any model of this kind
        error = np.std(scores) / np.sqrt(len(scores))
        assert best - 0.1 < np.mean(scores) < best + 3 * error
        assert est.score(x) == scores[-1]
        assert 0.01 < np.std(scores) < 0.2


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_learned"])
def test_every_real_likelihood_fits_a_standardised_table(likelihood):
    x = StandardScaler().fit_transform(load_iris().data)
    est = VAEEstimator(2, hidden=(16,), likelihood=likelihood, epochs=20, random_state=0).fit(x)
    assert est.history_[-1]["loss"] < est.history_[0]["loss"] - 0.1
    assert np.isfinite(est.score_samples(x)).all()


def test_sample_decodes_the_prior(fitted):
    drawn = fitted.sample(4, random_state=3)
    np.testing.assert_array_equal(drawn, fitted.model_.sample(4, np.random.default_rng(3)))
    noisy = fitted.sample(4, 3, draw=True)
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(noisy, fitted.model_.sample(4, rng, draw=True))
    assert fitted.sample().shape == (1, 5)
    assert not np.array_equal(fitted.sample(4), fitted.sample(4))


def test_random_state(x):
    def transformed(random_state):
        return VAEEstimator(**{**SMALL, "random_state": random_state}).fit_transform(x)

    first = transformed(5)
    for same in (5, np.int64(5), np.random.default_rng(5)):
        np.testing.assert_array_equal(transformed(same), first)
    assert not np.array_equal(transformed(6), first)
    assert not np.array_equal(transformed(None), transformed(None))
    legacy = [np.random.RandomState(5) for _ in range(2)]
    second = transformed(legacy[0])
    np.testing.assert_array_equal(transformed(legacy[1]), second)
    assert not np.array_equal(transformed(legacy[1]), second)  # it has been drawn from
    used = np.random.default_rng(5)
    assert generator(used) is used


@pytest.mark.parametrize("samples", [None, 2])
def test_pickle_copy_and_clone(x, samples):
    est = VAEEstimator(**SMALL, samples=samples, likelihood="gaussian", dtype="float64")
    est.set_params(likelihood_options={"sigma": 0.5}).fit(x)
    for twin in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est), copy.copy(est)):
        np.testing.assert_array_equal(twin.transform(x), est.transform(x))
        np.testing.assert_array_equal(twin.score_samples(x), est.score_samples(x))
        assert twin.history_ == est.history_
        assert repr(twin) == repr(est)
        # The weights are still one flat array, of which the layers' are views.
        twin.model_.params.theta[...] = 0
        assert not twin.transform(x).any()
    assert est.transform(x).any()
    fresh = clone(est)
    assert fresh.get_params() == est.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)
    np.testing.assert_array_equal(fresh.fit_transform(x), est.transform(x))


def test_pipeline_on_digits():
    images, y = load_digits(return_X_y=True)
    options = {"latent": 10, "hidden": (64,), "epochs": 15, "lr": 3e-3, "random_state": 0}
    grey = make_pipeline(
        FunctionTransformer(lambda pixels: pixels / 16, feature_names_out="one-to-one"),
        VAEEstimator(likelihood="bernoulli", **options),
        LogisticRegression(max_iter=1000),
    )
    table = make_pipeline(
        StandardScaler(), VAEEstimator(**options), LogisticRegression(max_iter=1000)
    )
    for pipeline in (grey, table):
        pipeline.fit(images[:1200], y[:1200])
        assert pipeline.score(images[1200:], y[1200:]) > 0.75
        names = pipeline[:-1].get_feature_names_out(np.arange(64).astype(str))
        assert list(names) == [f"vaeestimator{i}" for i in range(10)]
    assert "VAEEstimator(latent=10" in grey._repr_html_()

    shown = grey[:-1].inverse_transform(grey[:-1].transform(images[:100]))
    error = np.mean((shown - images[:100] / 16) ** 2)
    assert error < 0.6 * images[:100].var(axis=0).mean() / 16**2


def test_grid_search_over_latent():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(120, 8))
    est = VAEEstimator(hidden=(), epochs=60, batch=20, lr=0.02, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), est), {"vaeestimator__latent": [1, 3]})
    search.fit(x)
    assert search.best_params_ == {"vaeestimator__latent": 3}
    one, three = search.cv_results_["mean_test_score"]
    assert three > one + 1
    assert search.transform(x).shape == (120, 3)


def test_fit_is_silent_unless_asked(capfd, x):
    VAEEstimator(**SMALL).fit(x)
    assert capfd.readouterr() == ("", "")
    VAEEstimator(**SMALL, verbose=True).fit(x)
    assert "epoch 1/2" in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (9, 1), (3, 3)])
@pytest.mark.parametrize("likelihood", ["gaussian_shared", "bernoulli", "categorical"])
def test_few_rows_and_columns(shape, likelihood):
    x = np.ones(shape, dtype=int)
    est = VAEEstimator(**SMALL, likelihood=likelihood).fit(x)
    assert est.transform(x).shape == (shape[0], 2)
    assert np.isfinite(est.score(x))
    assert est.sample(2).shape == (2, shape[1])


class Frame:
    """What the estimator needs of a data frame: column names and an array."""

    def __init__(self, values, columns):
        self.values, self.columns = values, columns

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_feature_names(x, refuses):
    est = VAEEstimator(**SMALL).fit(Frame(x, list("abcde")))
    assert est.feature_names_in_.dtype == object
    assert est.feature_names_in_.tolist() == list("abcde")
    np.testing.assert_array_equal(est.transform(Frame(x, list("abcde"))), est.transform(x))
    for call in (est.transform, est.score):
        with refuses(DataError, "['b', 'a', 'c', 'd', 'e']", "feature names should match"):
            call(Frame(x, list("bacde")))
    assert est.get_feature_names_out().tolist() == ["vaeestimator0", "vaeestimator1"]
    assert est.get_feature_names_out().dtype == object
    assert not hasattr(est.fit(x), "feature_names_in_")
    assert not hasattr(est.fit(Frame(x, [0, 1, "c", 3, 4])), "feature_names_in_")


@pytest.mark.parametrize("with_sklearn", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        lambda est, x: est.transform(x),
        lambda est, x: est.inverse_transform(x),
        lambda est, x: est.score(x),
        lambda est, x: est.score_samples(x),
        lambda est, x: est.sample(1),
        lambda est, x: est.get_feature_names_out(),
    ],
)
def test_not_fitted(monkeypatch, request, x, call, with_sklearn):
    module.not_fitted_error.cache_clear()
    request.addfinalizer(module.not_fitted_error.cache_clear)
    if not with_sklearn:
        monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    with pytest.raises(StateError, match=r"^this VAEEstimator is not fitted yet; .*\.$") as caught:
        call(VAEEstimator(), x)
    assert isinstance(caught.value, NotFittedError) == with_sklearn
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AttributeError)


@pytest.mark.parametrize(
    ("error", "options", "words"),
    [
        (OptionError, {"latent": 0}, ["latent=0"]),
        (OptionError, {"latent": 2.5}, ["latent=2.5", "whole number"]),
        (OptionError, {"latent": "two"}, ["latent='two'"]),
        (OptionError, {"hidden": 64}, ["hidden=64"]),
        (OptionError, {"hidden": (8, -1)}, ["hidden=(8, -1)"]),
        (OptionError, {"epochs": 0}, ["epochs=0"]),
        (OptionError, {"epochs": 1.5}, ["epochs=1.5"]),
        (OptionError, {"batch": None}, ["batch=None"]),
        (OptionError, {"lr": 0}, ["lr=0"]),
        (OptionError, {"lr": "fast"}, ["lr='fast'"]),
        (OptionError, {"lr": np.nan}, ["lr=nan"]),
        (OptionError, {"beta": -1}, ["beta=-1"]),
        (OptionError, {"beta": np.inf}, ["beta=inf"]),
        (OptionError, {"beta": 0.5, "samples": 2}, ["beta=0.5"]),
        (OptionError, {"free_bits": None}, ["free_bits=None"]),
        (OptionError, {"free_bits": 0.1, "samples": 2}, ["free_bits=0.1", "samples=2"]),
        (OptionError, {"samples": 0}, ["samples=0"]),
        (OptionError, {"samples": "many"}, ["samples='many'"]),
        (OptionError, {"activation": []}, ["activation=[]", "'relu'"]),
        (OptionError, {"activation": "step"}, ["step"]),
        (OptionError, {"likelihood": "poisson"}, ["poisson", "gaussian_shared"]),
        (OptionError, {"likelihood": None}, ["likelihood=None"]),
        (OptionError, {"likelihood_options": 0.5}, ["likelihood_options=0.5"]),
        (OptionError, {"likelihood_options": {"sigma": 1}}, ["sigma", "gaussian_shared"]),
        (DtypeError, {"dtype": "float16"}, ["float16"]),
        (OptionError, {"dtype": None}, ["dtype=None"]),
        (BackendError, {"backend": "abacus"}, ["abacus"]),
        (OptionError, {"random_state": "chance"}, ["random_state='chance'"]),
        (OptionError, {"random_state": -1}, ["random_state=-1"]),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_bad_parameters_are_refused_by_fit(monkeypatch, refuses, x, error, options, words):
    est = VAEEstimator(**{**SMALL, **options})
    steps = []
    monkeypatch.setattr(Adam, "step", lambda *arguments: steps.append(arguments))
    with refuses(error, *words):
        est.fit(x)
    assert steps == []
    assert not hasattr(est, "model_")


def spoiled(value):
    x = np.ones((4, 5))
    x[2, 3] = value
    return x


class Sparse:
    """What gives a sparse matrix away."""

    def tocsr(self):
        return self


BAD_DATA = [
    (DataError, spoiled(np.nan), ["NaN", "row 2, column 3", "1 places"]),
    (DataError, spoiled(-np.inf), ["inf"]),
    (DataError, spoiled(1e300), ["too large for float32"]),
    (DataError, np.ones((4, 5), complex), ["Complex data not supported"]),
    (DataError, np.zeros((4, 5), "datetime64[s]"), ["datetime64[s]"]),
    (DataError, np.full((4, 5), "1"), ["numbers"]),
    (DataError, np.array([[1, 2, 3, 4, "five"]], object), ["could not convert", "'five'"]),
    (DtypeError, np.full((4, 5), {}, object), ["argument must be a string or a real number"]),
    (DataError, [[1, 2], [3]], ["no table of numbers"]),
    (DtypeError, Sparse(), ["sparse", "toarray"]),
    (ShapeError, np.ones(5), ["Reshape your data", "(5,)"]),
    (ShapeError, np.ones((4, 5, 1)), ["(4, 5, 1)", "X.reshape(len(X), -1)"]),
    (ShapeError, np.ones((0, 5)), ["0 sample(s) (shape=(0, 5))"]),
    (ShapeError, np.ones((4, 0)), ["0 feature(s) (shape=(4, 0))"]),
]


@pytest.mark.parametrize("method", ["fit", "transform", "score", "inverse_transform"])
@pytest.mark.parametrize(("error", "bad", "words"), BAD_DATA)
def test_bad_data_are_refused(refuses, fitted, method, error, bad, words):
    before = dict(vars(fitted))
    with refuses(error, *words):
        getattr(fitted, method)(bad)
    assert vars(fitted) == before


def test_what_is_too_large_for_float32_is_not_for_float64():
    with pytest.warns(UserWarning, match="from 4.3e\\+49 to 4.3e\\+49"):
        fitted = VAEEstimator(**SMALL, dtype="float64").fit(spoiled(1e50))
    assert fitted.n_features_in_ == 5


def test_wrong_width_is_refused(refuses, fitted):
    for method in ("transform", "score", "score_samples"):
        with refuses(ShapeError, "X has 2 features, but VAEEstimator is expecting 5 features"):
            getattr(fitted, method)(np.ones((3, 2)))
    with refuses(ShapeError, "X has 5 features, but VAEEstimator is expecting 2 features"):
        fitted.inverse_transform(np.ones((3, 5)))


def test_data_outside_the_likelihoods_domain_are_refused(refuses):
    x = np.linspace(0, 1, 20).reshape(4, 5)
    est = VAEEstimator(**SMALL, likelihood="bernoulli")
    with refuses(DataError, "-1", "bernoulli"):
        est.fit(x - 1)
    assert not hasattr(est, "model_")
    est.fit(x)
    with refuses(DataError, "[0, 1]"):
        est.score(x + 1)
    assert set(np.unique(est.sample(20, 0, draw=True))) == {0, 1}


def test_a_training_that_fails_leaves_the_earlier_fit(x):
    est = VAEEstimator(**SMALL).fit(x)
    model, z = est.model_, est.transform(x)
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError):
        est.set_params(lr=1e30, epochs=9).fit(x)
    assert est.model_ is model
    np.testing.assert_array_equal(est.transform(x), z)


def test_sample_refuses_a_bad_number(refuses, fitted):
    for n in (0, 1.5, "two"):
        with refuses(OptionError, f"n={n!r}"):
            fitted.sample(n)


def test_parameters_are_stored_and_shown(refuses):
    hidden = [3, 4]
    est = VAEEstimator(hidden=hidden, lr=-1)
    assert est.hidden is hidden
    assert est.get_params()["lr"] == -1
    assert repr(est) == "VAEEstimator(hidden=[3, 4], lr=-1)"
    assert est.set_params(lr=0.1, latent=3) is est
    assert (est.lr, est.latent) == (0.1, 3)
    with refuses(OptionError, "'depth'", "latent, hidden"):
        est.set_params(latent=7, depth=2)
    assert est.latent == 3


def test_set_output_gives_frames_with_the_index_of_the_data(fitted, x):
    pandas = pytest.importorskip("pandas")
    est = copy.deepcopy(fitted)
    assert est.set_output(transform="pandas") is est
    frame = pandas.DataFrame(x, columns=list("abcde"), index=range(100, 100 + len(x)))
    z = clone(est).set_output(transform="pandas").fit_transform(frame)
    assert list(z.columns) == ["vaeestimator0", "vaeestimator1"]
    assert list(z.index) == list(frame.index)
    np.testing.assert_array_equal(est.transform(x).to_numpy(), fitted.transform(x))
    est.set_output(transform="default")
    assert type(est.transform(x)) is np.ndarray
    scaled = make_pipeline(StandardScaler(), VAEEstimator(**SMALL)).set_output(transform="pandas")
    assert list(scaled.fit_transform(frame).index) == list(frame.index)


def test_set_output_follows_scikit_learns_configuration(fitted, x):
    pandas = pytest.importorskip("pandas")
    from sklearn import config_context

    with config_context(transform_output="pandas"):
        assert isinstance(fitted.transform(x), pandas.DataFrame)
    assert type(fitted.transform(x)) is np.ndarray


def test_set_output_refuses_what_is_not_there(refuses, monkeypatch, fitted, x):
    with refuses(OptionError, "transform='parquet'", "default, pandas, polars"):
        fitted.set_output(transform="parquet")
    monkeypatch.setitem(sys.modules, "polars", None)
    with refuses(OptionError, "polars is not installed", "pip install polars"):
        copy.deepcopy(fitted).set_output(transform="polars").transform(x)


@pytest.mark.parametrize("with_sklearn", [True, False])
def test_notebook_shows_the_parameters(monkeypatch, with_sklearn):
    if not with_sklearn:
        monkeypatch.setitem(sys.modules, "sklearn.utils", None)
    html = VAEEstimator(latent=7, random_state=5)._repr_html_()
    assert "latent=7" in html
    assert ("sk-container" in html) == with_sklearn
    assert ("<th>n_iter_no_change</th><td>10</td>" in html) != with_sklearn


def test_early_stopping_goes_back_to_the_best_of_rows_set_aside():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6))  # nothing to learn, so a large model soon learns rows by heart
    options = {"latent": 4, "hidden": (64,), "lr": 1e-2, "random_state": 0}
    est = VAEEstimator(
        **options, epochs=200, early_stopping=True, validation_fraction=0.25, n_iter_no_change=5
    ).fit(x)
    losses = [record["val_loss"] for record in est.history_]
    assert est.n_iter_ == len(losses) == int(np.argmin(losses)) + 1 + 5 < 200
    order = np.random.default_rng(0).permutation(60)
    again = evaluate(est.model_, x[order[:15]], rng=np.random.default_rng([0, STREAMS["noise"]]))
    assert est.model_.held_out_loss(again) == pytest.approx(min(losses), rel=1e-6)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_part_that_leaves_nothing_is_refused(refuses, x, fraction):
    with refuses(DataError, f"validation_fraction={fraction}", "30 rows"):
        VAEEstimator(**SMALL, early_stopping=True, validation_fraction=fraction).fit(x)
    with refuses(OptionError, "early_stopping='yes'", "True or False"):
        VAEEstimator(**SMALL, early_stopping="yes").fit(x)


def test_partial_fit_is_one_epoch_more_even_after_a_pickle(x):
    whole = VAEEstimator(**SMALL | {"epochs": 3}).fit(x)
    parts = VAEEstimator(**SMALL)
    for k in range(3):
        parts = pickle.loads(pickle.dumps(parts)).partial_fit(x)
        assert parts.n_iter_ == k + 1
    np.testing.assert_array_equal(parts.transform(x), whole.transform(x))
    assert parts.score(x) == whole.score(x)
    with pytest.raises(ShapeError, match="is expecting 5 features"):
        parts.partial_fit(x[:, :4])


@pytest.mark.parametrize(("scale", "warned"), [(1.0, False), (9.0, False), (100.0, True)])
def test_a_table_that_is_not_scaled_is_warned_about(recwarn, scale, warned):
    x = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, scale]
    VAEEstimator(**SMALL).fit(x)
    assert len(recwarn) == warned
    assert not warned or "StandardScaler" in str(recwarn[0].message)
    VAEEstimator(**SMALL).fit(StandardScaler().fit_transform(x))
    assert len(recwarn) == warned


def test_images_in_rows_under_convolutions(x, refuses):
    """Running moments of a batch norm go with a pickle too."""
    options = {"channels": (3,), "norm": "batch", "kernel": 2}
    images = np.random.default_rng(0).random((30, 20)).astype("float32")
    est = VAEEstimator(**SMALL, network="conv", shape=(5, 4), network_options=options)
    codes = est.fit(images).transform(images)
    assert codes.shape == (30, 2)
    assert est.model_.params.carried.any()
    assert pickle.loads(pickle.dumps(est)).transform(images).tobytes() == codes.tobytes()
    assert est.inverse_transform(codes).shape == est.sample(30).shape == (30, 20)
    with refuses(ShapeError, "shape=(5, 5)", "20 columns"):
        est.set_params(shape=(5, 5)).fit(images)
    with refuses(ShapeError, "takes images"):
        est.set_params(shape=None).fit(images)
    with refuses(OptionError, "network_options=3"):
        est.set_params(network_options=3).fit(images)
