"""One flat theta, one flat grad, and views that share their memory."""

import copy
import pickle

import numpy as np
import pytest

from minivae.engine.layer import Sequential
from minivae.engine.params import Params
from minivae.errors import BackendError, DtypeError, OptionError, ShapeError
from minivae.ops import Linear

SHAPES = {"W": (2, 3), "b": (3,), "s": ()}


def filled(start=0):
    params = Params(SHAPES)
    params.theta[...] = np.arange(start, start + 10)
    return params


def test_starts_at_zero_in_the_dtype_asked_for():
    for dtype in ["float32", "float64"]:
        params = Params(SHAPES, dtype)
        assert params.theta.dtype == params.grad.dtype == params.dtype == dtype
        assert params.theta.shape == params.grad.shape == (10,)
        assert not params.theta.any()
        assert not params.grad.any()
    assert Params({}).theta.shape == (0,)


def test_views_lie_in_order_and_share_memory():
    params = filled()
    assert params["W"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert params["b"].tolist() == [6, 7, 8]
    assert params["s"].shape == ()
    assert params["s"] == 9
    params["b"][1] = -1
    assert params.theta[7] == -1
    params.theta[0] = 50
    assert params["W"][0, 0] == 50
    params.grad_of("W")[1, 2] = 4
    assert params.grad[5] == 4
    assert not np.shares_memory(params.theta, params.grad)


def test_set_grads_overwrites():
    params = filled()
    params.grad[...] = np.nan
    params.set_grads(W=np.ones((2, 3)), b=np.full(3, 2), s=np.float32(3))
    params.set_grads(b=np.full(3, 5))
    assert params.grad.tolist() == [1, 1, 1, 1, 1, 1, 5, 5, 5, 3]


def test_join_keeps_the_values_and_shares_the_memory():
    first, second = filled(0), filled(10)
    joined = Params.join({"encoder": first, "decoder": second})
    assert list(joined) == [f"{part}.{name}" for part in ["encoder", "decoder"] for name in SHAPES]
    assert len(joined) == 6
    assert joined.theta.tolist() == list(range(20))
    joined.theta[...] = -np.arange(20)
    assert first["b"].tolist() == [-6, -7, -8]
    assert second["W"].tolist() == [[-10, -11, -12], [-13, -14, -15]]
    second["W"][0, 0] = 99
    assert joined["decoder.W"][0, 0] == joined.theta[10] == 99
    second.set_grads(b=np.ones(3))
    assert joined.grad.nonzero()[0].tolist() == [16, 17, 18]
    first.theta[...] = 7
    assert (joined.theta[:10] == 7).all()


def test_join_of_joins_reaches_the_innermost_views():
    a, b, c = filled(0), filled(10), Params({})
    outer = Params.join({"x": Params.join({"a": a, "none": c}), "y": Params.join({"b": b})})
    assert list(outer)[:2] == ["x.a.W", "x.a.b"]
    assert outer.theta.tolist() == list(range(20))
    outer.theta[...] += 100
    assert a["s"] == 109
    assert b["W"][0, 0] == 110
    a["W"][...] = 0
    b.grad_of("s")[...] = 3
    assert not outer.theta[:6].any()
    assert outer.grad[-1] == 3


def test_join_refuses_two_dtypes(refuses):
    with refuses(OptionError, "'b'", "float64", "float32", "'numba'"):
        Params.join({"a": filled(), "b": Params(SHAPES, "float64")})


def test_name_at_finds_the_parameter_of_every_entry(refuses):
    joined = Params.join({"0": filled(), "1": filled()})
    assert [joined.name_at(i) for i in range(20)] == [
        *["0.W"] * 6,
        *["0.b"] * 3,
        "0.s",
        *["1.W"] * 6,
        *["1.b"] * 3,
        "1.s",
    ]
    for outside in [20, -1]:
        with refuses(ShapeError, str(outside), "0 to 19"):
            joined.name_at(outside)


def test_load_copies_and_converts(refuses):
    params, saved = filled(), np.arange(10, 20, dtype="float64")
    view = params["W"]
    params.load(saved)
    saved[...] = 0
    assert view.tolist() == [[10, 11, 12], [13, 14, 15]]
    assert params.theta.dtype == "float32"
    for wrong in [np.zeros(9), np.zeros(11), np.zeros((10, 1)), np.zeros(1), 0.0]:
        with refuses(ShapeError, str(np.shape(wrong)), "(10,)"):
            params.load(wrong)
    assert params.theta.tolist() == list(range(10, 20))


# ---- numbers that a step carries on ----


def carrying(start, dtype="float32"):
    params = Params({"W": (2,)}, dtype, carried={"mean": (3,), "count": ()})
    params.theta[...] = start
    params.carried[...] = np.arange(start, start + 4)
    return params


def test_carried_numbers_lie_apart_in_order():
    params = carrying(5)
    assert params.theta.shape == params.grad.shape == (2,)
    assert params.carried.tolist() == [5, 6, 7, 8]
    assert params.carried_of("mean").tolist() == [5, 6, 7]
    assert params.carried_of("count").shape == ()
    params.carried_of("count")[...] = -1
    assert params.carried[3] == -1
    assert list(params) == ["W"]
    assert Params({}).carried.shape == (0,)


def test_join_lays_them_in_one_array_too():
    a, b, plain = carrying(0), carrying(10), filled()
    inner = Params.join({"a": a, "plain": plain})
    outer = Params.join({"inner": inner, "b": b})
    assert list(outer.carried_shapes) == [
        "inner.a.mean",
        "inner.a.count",
        "b.mean",
        "b.count",
    ]
    assert outer.carried.tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    b.carried_of("mean")[...] = 7
    assert outer.carried_of("b.mean").tolist() == [7, 7, 7]
    outer.carried[...] = 0
    assert a.carried_of("count") == 0
    assert plain.carried.size == 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_carry_on_by_themselves(duplicate):
    parts = [carrying(0), carrying(10)]
    joined = Params.join({"a": parts[0], "b": parts[1]})
    other, other_parts = duplicate((joined, parts))
    other_parts[1].carried_of("mean")[...] = 99
    assert other.carried.tolist() == [0, 1, 2, 3, 99, 99, 99, 13]
    assert joined.carried.tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    with other.training:
        assert other_parts[0].training
        assert not parts[0].training


def test_one_switch_for_all_parts():
    a, b = carrying(0), carrying(10)
    outer = Params.join({"inner": Params.join({"a": a}), "b": b})
    assert not any(params.training for params in (outer, a, b))
    with outer.training:
        assert a.training
        with b.training:
            assert outer.training
        assert outer.training
    assert not a.training


def test_a_rehearsal_is_a_step_that_leaves_nothing():
    params = carrying(0)

    def rehearse():
        with params.rehearsal():
            assert params.training
            params.carried[...] = 50
            raise KeyError

    with pytest.raises(KeyError):
        rehearse()
    assert params.carried.tolist() == [0, 1, 2, 3]
    assert not params.training


def test_load_takes_them_along(refuses):
    params = carrying(0)
    params.load([8, 8], [1, 2, 3, 4])
    assert params.carried_of("mean").tolist() == [1, 2, 3]
    params.load([9, 9])
    assert params.carried.tolist() == [1, 2, 3, 4]
    with refuses(ShapeError, "carried", "(3,)", "(4,)"):
        params.load([0, 0], [1, 2, 3])
    assert params.theta.tolist() == [9, 9], "nothing is loaded, or all"


def test_a_pickle_from_before_there_were_any_wakes():
    params = filled()
    state = params.__getstate__()
    for name in ("carried", "carried_shapes", "training"):
        del state[name]
    old = Params.__new__(Params)
    old.__setstate__(state)
    assert old["W"].tolist() == params["W"].tolist()
    assert old.carried.shape == (0,)
    assert not old.training


def test_what_is_not_carried_is_refused(refuses):
    with refuses(OptionError, "'W'", "mean, count"):
        carrying(0).carried_of("W")


def test_unknown_names_are_refused(refuses):
    params = filled()
    for ask in [params.__getitem__, params.grad_of, lambda name: params.set_grads(**{name: 0})]:
        with refuses(OptionError, "'c'", "W, b, s"):
            ask("c")
    with refuses(OptionError, "none"):
        Params({})["W"]


@pytest.mark.parametrize("dtype", ["float16", "int32", "complex128", "no dtype", None])
def test_other_dtypes_are_refused(dtype, refuses):
    with refuses(DtypeError, repr(dtype)):
        Params(SHAPES, dtype)


def test_unknown_backend_is_refused(refuses):
    with refuses(BackendError, "'abacus'"):
        Params(SHAPES, backend="abacus")


def test_prints_names_and_shapes():
    text = repr(filled())
    assert text.splitlines()[0] == "Params(10 numbers, float32)"
    assert len(text.splitlines()) == 4
    assert "(2, 3)" in text


def test_a_layer_cannot_be_in_two_models(refuses):
    layer = Linear(3, 3, rng=np.random.default_rng(0))
    Sequential(layer)
    with refuses(OptionError, "already part of a model"):
        Sequential(layer)


def test_a_gradient_of_another_shape_is_refused(refuses):
    params = Params({"b": (4,)})
    with refuses(ShapeError, "(3, 4)", "(4,)"):
        params.set_grads(b=np.zeros((3, 4), "float32"))
