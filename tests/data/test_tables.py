"""CSV files and the scale of their columns."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from minivae.data.table import Scale, read_csv
from minivae.errors import DataError, ShapeError


@pytest.fixture
def write(tmp_path):
    def write(text, **options):
        path = tmp_path / "t.csv"
        path.write_text(text, **options)
        return path

    return write


def test_a_table(write):
    table = read_csv(write("a,b,kind\n1,2.5,x\n-3,4e2,y\n"), label="kind")
    assert table.columns == ("a", "b")
    assert table.x.tolist() == [[1, 2.5], [-3, 400]]
    assert table.labels.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    "text", ["a;b\n1;2\n", "a\tb\n1\t2\n", "\ufeffa,b\r\n1,2\r\n", '"a", b\n\n 1 ,"2"\n\n']
)
def test_separators_marks_and_empty_lines(write, text):
    table = read_csv(write(text, encoding="utf-8"))
    assert table.columns == ("a", "b")
    assert table.x.tolist() == [[1, 2]]


def test_columns_are_chosen_by_name(write):
    path = write("a,note,b\n1,cold,2\n3,hot,4\n")
    assert read_csv(path, ignore=["note"]).columns == ("a", "b")
    table = read_csv(path, columns=["b", "a"])
    assert table.columns == ("b", "a")
    assert table.x.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\n1,2\n3,hot\n", {}, ["row 2 (line 3)", "'b'", "'hot'"]),
        ('a,b\n"1\n",2\n3,hot\n', {}, ["row 2 (line 4)", "'b'"]),
        ("a,b\n1,2\n,3\n\n?,4\n", {}, ["'a'", "2 of 3", "row 2 (line 3)"]),
        ("a,b\n1,NaN\n", {}, ["'b'", "lacks 1 of 1"]),
        ("a,b\n1,inf\n", {}, ["row 1 (line 2)", "'b'", "'inf'"]),
        ("a,b\n1,1_0\n", {}, ["'b'", "'1_0'"]),
        ("a,b\n1\n", {}, ["line 2", "1 cells", "2 columns"]),
        ("a,a\n1,2\n", {}, ["'a' twice"]),
        ("1,2\n3,4\n", {}, ["first line"]),
        (",b\n1,2\n", {}, ["no name for its column 1"]),
        ("a,b\n", {}, ["1 lines"]),
        ("", {}, ["0 lines"]),
        ("a,b\n1,2\n", {"columns": ["b", "c"]}, ["lacks the column 'c'", "'a', 'b'"]),
        ("a,b\n1,2\n", {"label": "kind"}, ["lacks the column 'kind'"]),
        ("a,b\n1,2\n", {"ignore": ["c", "d"]}, ["lacks the columns 'c', 'd'"]),
        ("a,b\n1,2\n", {"ignore": ["a"], "label": "b"}, ["no column of numbers left"]),
        ('a,b\n1,"2\n', {}, ["no CSV file"]),
    ],
)
def test_refusals(write, refuses, text, options, words):
    with refuses(DataError, *words):
        read_csv(write(text), **options)


def test_other_files_are_refused(tmp_path, refuses):
    with refuses(DataError, "No such file"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n\xff\xfe,3\n")
    with refuses(DataError, "UTF-8"):
        read_csv(tmp_path / "bytes.csv")


def test_the_scale_is_that_of_scikit_learn():
    x = np.random.default_rng(0).normal(5, [1, 30, 1e-4], (50, 3))
    scale = Scale.of(x, ["a", "b", "c"])
    u = scale.apply(x)
    assert u.dtype == np.float32
    np.testing.assert_allclose(u, StandardScaler().fit_transform(x), rtol=1e-5, atol=1e-6)


def test_what_leaves_float32_becomes_its_largest():
    scale = Scale(("a",), (0.0,), (1e-9,))
    assert scale.apply(np.array([[1e300], [-1e300]])).tolist() == [
        [float(np.finfo("f4").max)],
        [float(np.finfo("f4").min)],
    ]


def test_a_scale_is_refused(refuses):
    with refuses(DataError, "'b'", "is 7 in all 3 rows"):
        Scale.of(np.array([[1, 7], [2, 7], [3, 7]]), ["a", "b"])
    with refuses(DataError, "'a' (and 1 more)"):
        Scale.of(np.ones((3, 2)), ["a", "b"])
    with refuses(DataError, "'a'", "another unit"):
        Scale.of(np.array([[1e200], [2e200], [-1e200]]), ["a"])
    with refuses(ShapeError, "(2, 3)", "2 columns"):
        Scale(("a", "b"), (0.0, 0.0), (1.0, 1.0)).apply(np.ones((2, 3)))
