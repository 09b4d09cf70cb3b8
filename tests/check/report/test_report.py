"""The report as text, dict and JSON, and the assertion that carries it."""

import json
import re

import numpy as np
import pytest

from minivae import ops
from minivae.check import assert_gradients, check_gradients, table
from minivae.check.report.report import Report
from minivae.check.report.result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Diagnosis
from minivae.check.report.text import tally

WIDTH = 100


def no_constants(word):
    raise AssertionError(f"{word} is not JSON")


def parsed(report, **options):
    return json.loads(report.to_json(**options), parse_constant=no_constants)


def report_of(*arrays, **more):
    more = {"name": "op", "habits": [], "method": "complex step", **more}
    return Report(arrays=list(arrays), tolerance=1e-6, evaluations=12, **more)


def wrong_array(**more):
    values = {
        "name": "w",
        "shape": (2, 3),
        "verdict": WRONG,
        "error": 0.5,
        "worst": (1, 2),
        "yours": np.arange(6.0).reshape(2, 3),
        "numerical": 2 * np.arange(6.0).reshape(2, 3),
        "checked": 6,
        "diagnoses": [Diagnosis("factor", "half of what it should be", 1e-15)],
    }
    return ArrayCheck(**{**values, **more})


def affine(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def unsummed_backward(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout


def doubled_backward(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, 2 * dw, db


def affine_inputs():
    rng = np.random.default_rng(5)
    shapes = {"x": (3, 5), "w": (5, 7), "b": (7,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


LONG_SENTENCE = "the derivative was taken at the output instead of at the input and " * 6
LONG_WORD = "encoder_block_17_attention_output_projection_" * 5
LONG = {
    "name": wrong_array(name=LONG_WORD),
    "shape": wrong_array(
        shape=(2,) * 19, worst=(1,) * 19, yours=np.ones((2,) * 19), numerical=np.ones((2,) * 19)
    ),
    "diagnosis": wrong_array(diagnoses=[Diagnosis("factor", LONG_SENTENCE, 1e-9)] * 3),
    "one word": wrong_array(diagnoses=[Diagnosis("factor", LONG_WORD, 1e-9)]),
    "reason": wrong_array(reason=LONG_SENTENCE),
    "numbers": wrong_array(
        yours=np.full((2, 3), -1.2345678e-300), numerical=np.full((2, 3), -9.8765432e300)
    ),
    "nothing": ArrayCheck("w", (3,), WRONG, reason="no gradient was returned"),
    "lines": wrong_array(reason="first line\nsecond line " + LONG_SENTENCE),
}


@pytest.mark.parametrize("array", LONG.values(), ids=LONG)
@pytest.mark.parametrize("long", [False, True])
def test_text_fits_100_columns(array, long):
    said = {"habits": [LONG_SENTENCE, LONG_WORD], "notes": [LONG_SENTENCE, LONG_WORD]}
    report = report_of(array, **(said | {"name": LONG_SENTENCE} if long else {}))
    lines = str(report).split("\n")
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.lstrip().startswith("d" + array.name[:10]) for line in lines) == 1


def test_nothing_that_is_said_is_lost_by_wrapping():
    array = wrong_array(
        reason=LONG_SENTENCE, diagnoses=[Diagnosis("sign", "a " * 150 + "end", 0.0)]
    )
    report = report_of(array, habits=[LONG_SENTENCE], notes=[LONG_SENTENCE])
    words = " ".join(str(report).split())
    assert words.count(LONG_SENTENCE.strip()) == 3
    assert "likely: " + "a " * 150 + "end" in words


def test_text_holds_verdict_error_worst_entry_with_both_values_and_the_diagnosis():
    half = Diagnosis("factor", "half of what it should be", 1e-15)
    other = Diagnosis("dims", "a mean for a sum", 1e-9)
    with_it = Diagnosis("sign", "the sign is flipped", 1e-9)
    array = wrong_array(diagnoses=[half, other, with_it])
    text = str(report_of(array, habits=["x was changed"], notes=["a note"]))
    assert text.split("\n")[0] == "op: WRONG"
    row = next(line for line in text.split("\n") if line.startswith("  dw"))
    assert re.split(r"  +", row.strip()) == [
        "dw",
        "(2, 3)",
        "wrong",
        "5.0e-01",
        "[1, 2]",
        "5",
        "10",
    ]
    assert "- likely: half of what it should be" in text
    assert "- or: a mean for a sum" in text
    assert "- or: the sign is flipped" in text
    assert "- but: x was changed" in text
    assert "- note: a note" in text


def test_a_table_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    report = check_gradients(ops.CASES[0], max_entries=20)
    report.name = "a name that is longer than any terminal is wide, and then some" * 2
    lines = table([report]).split("\n")
    assert max(map(len, lines)) <= 70
    assert "…" in lines[1]
    assert table([]) == table([]).strip()


@pytest.mark.parametrize("columns", [72, 80, 90])
def test_a_report_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    shape = (3, 5, 2)
    x = np.ones(shape)
    report = Report(
        "op",
        [
            ArrayCheck("weights_of_the_second_layer", shape, WRONG, 0.5, (0, 1, 1), x, -1e-7 * x),
            ArrayCheck("b", (4,), RIGHT),
        ],
        ["x was changed " * 9],
        "complex step",
        1e-6,
        58,
    )
    lines = str(report).split("\n")
    assert max(map(len, lines)) <= columns
    row = next(line for line in lines if "dweights" in line)
    assert row.split()[-2:] == ["1", "-1e-07"]
    assert lines[2].index("shape") == row.index("(3, 5, 2)")


def test_text_of_every_operation_fits_and_so_does_the_table(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    reports = [check_gradients(case, max_entries=20) for case in ops.CASES]
    for report in reports:
        assert max(map(len, str(report).split("\n"))) <= WIDTH
    lines = table(reports).split("\n")
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) == len(reports) + 2
    assert lines[-1] == f"{len(reports)} of {len(reports)} right"


def test_a_tally_names_what_is_not_right():
    assert tally([RIGHT, RIGHT]) == "2 of 2 right"
    assert tally([WRONG, RIGHT, NOT_CHECKED, BUT, WRONG]) == (
        "1 of 5 right, 1 right, but ..., 2 wrong, 1 not checked"
    )


@pytest.mark.parametrize(
    ("verdicts", "habits", "whole"),
    [
        ([RIGHT, RIGHT], [], RIGHT),
        ([RIGHT, NOT_CHECKED], [], NOT_CHECKED),
        ([NOT_CHECKED, WRONG], [], WRONG),
        ([RIGHT, RIGHT], ["x was changed"], BUT),
        ([NOT_CHECKED], ["x was changed"], NOT_CHECKED),
        ([], [], NOT_CHECKED),
    ],
)
def test_verdict_on_the_whole(verdicts, habits, whole):
    arrays = [wrong_array(name=f"w{i}", verdict=v) for i, v in enumerate(verdicts)]
    report = report_of(*arrays, habits=habits)
    assert report.verdict == whole
    assert report.passed == (whole in (RIGHT, BUT))
    assert str(report).startswith(f"op: {whole.upper()}")


def test_json_round_trip():
    report = check_gradients(affine, doubled_backward, affine_inputs(), wrt=["x", "w", "b"])
    data = parsed(report)
    assert data == report.to_dict() == parsed(report, indent=None)
    assert data["name"] == "affine"
    assert data["verdict"] == WRONG
    assert [g["name"] for g in data["gradients"]] == ["x", "w", "b"]
    assert [g["verdict"] for g in data["gradients"]] == [RIGHT, WRONG, RIGHT]
    w = data["gradients"][1]
    assert w["shape"] == [5, 7]
    assert w["error"] == pytest.approx(0.5, rel=1e-12)
    assert w["yours"] == pytest.approx(2 * w["numerical"], rel=1e-12)
    assert w["yours"] == report["w"].yours[tuple(w["worst"])]
    assert w["diagnoses"] == [vars(diagnosis) for diagnosis in report["w"].diagnoses]


def test_json_of_arrays_that_were_not_compared():
    inputs = affine_inputs()
    report = check_gradients(affine, unsummed_backward, inputs, wrt=["x", "w", "b"])
    b = parsed(report)["gradients"][2]
    assert (b["error"], b["worst"], b["yours"], b["numerical"]) == (None, None, None, None)
    assert "(3, 7)" in b["reason"]
    assert "(7,)" in b["reason"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_json_has_no_nan(value):
    yours = np.arange(6.0).reshape(2, 3)
    yours[1, 2] = value
    data = parsed(report_of(wrong_array(yours=yours, error=float("inf"))))
    assert data["gradients"][0]["error"] is None
    assert data["gradients"][0]["yours"] == str(value)
    assert data["gradients"][0]["numerical"] == 10.0


def test_json_keeps_any_text():
    said = 'a "quote", a \\ and a\nnew line, ½ σ² ✗'
    report = report_of(wrong_array(name=said, reason=said), name=said, habits=[said], notes=[said])
    data = parsed(report)
    assert data["name"] == data["habits"][0] == data["notes"][0] == said
    assert data["gradients"][0]["reason"] == said


def test_gradients_are_found_by_name():
    report = report_of(wrong_array(name="x"), wrong_array(name="y"))
    assert report["y"] is report.arrays[1]


def test_error_is_the_largest_that_is_a_number():
    arrays = [wrong_array(error=e) for e in (0.25, float("nan"), 0.5)]
    assert report_of(*arrays).error == 0.5
    assert np.isnan(report_of(wrong_array(error=float("nan"))).error)


def test_assert_gradients_is_silent_when_right():
    assert assert_gradients(affine, affine_backward, affine_inputs(), wrt=["x", "w", "b"]) is None


@pytest.mark.parametrize("backward", [doubled_backward, unsummed_backward])
def test_assert_gradients_raises_with_the_report(backward):
    inputs = affine_inputs()
    with pytest.raises(AssertionError) as caught:
        assert_gradients(affine, backward, inputs, wrt=["x", "w", "b"])
    report = check_gradients(affine, backward, inputs, wrt=["x", "w", "b"])
    assert str(caught.value) == f"\n{report}"
    assert "affine: WRONG" in str(caught.value)


def test_assert_gradients_raises_when_nothing_can_be_told():
    def relu(x):
        return np.maximum(x, 0), x

    def relu_backward(dout, x):
        return dout * (x > 0)

    x = np.zeros((3, 5))  # every entry lies on the kink
    report = check_gradients(relu, relu_backward, {"x": x})
    assert report.verdict == NOT_CHECKED
    with pytest.raises(AssertionError, match="NOT CHECKED"):
        assert_gradients(relu, relu_backward, {"x": x})
