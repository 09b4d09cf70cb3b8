"""Tables as people have them: how a file is written, what its cells hold, what is refused."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from minivae.data import load
from minivae.data.tables import cells, reading
from minivae.data.tables.form import Form
from minivae.data.tables.options import TableOptions
from minivae.data.tables.reading import read_table
from minivae.errors import DataError, OptionError, ShapeError


@pytest.fixture
def read(tmp_path):
    """`read(text, **options)`: the table in a file of that text, or of those bytes."""

    def read(text, fields=None, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, TableOptions(**options), fields=fields)

    return read


def rows(n, separator=",", decimal="."):
    """Lines of n rows of three numbers."""
    x = np.random.default_rng(0).normal(20, 3, (n, 3)).round(3)
    return x, "".join(
        separator.join(f"{v:.3f}".replace(".", decimal) for v in row) + "\n" for row in x
    )


def test_a_table(read):
    table = read("a,b,kind\n1,2.5,x\n-3,4e2,y\n", label="kind")
    assert table.columns == ("a", "b")
    assert table.x.tolist() == [[1, 2.5], [-3, 400]]
    assert table.labels.tolist() == ["x", "y"]
    assert table.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "a;b\n1;2\n",
        "a\tb\n1\t2\n",
        "a|b\n1|2\n",
        "a  b\n 1   2\n",
        "\ufeffa,b\r\n1,2\r\n",
        '"a", b\n\n 1 ,"2"\n\n',
        "a,b\r1,2\r",
        "sep=;\na;b\n1;2\n",
        '"sep=;"\r\na;b\r\n1;2\r\n',
        "a,b\n1, 2",
    ],
)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_separators_encodings_and_line_ends(read, text, encoding):
    if encoding != "utf-8":
        text = text.removeprefix("\ufeff")  # the encoding writes a mark of its own, or needs none
    table = read(text.encode(encoding))
    assert table.columns == ("a", "b")
    assert table.x.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("head", "separator", "decimal", "names"),
    [
        ('"T, in";"T, out";"U at 0,5 V"\n', ";", ".", ["T, in", "T, out", "U at 0,5 V"]),
        ('"T, in";"T, out";"U at 0,5 V"\n', ";", ",", ["T, in", "T, out", "U at 0,5 V"]),
        ("T, in;T, out;U, bias\n", ";", ".", ["T, in", "T, out", "U, bias"]),
        ("in a;in b;in c\n", ";", ",", ["in a", "in b", "in c"]),
        ("x in mm\ty in mm\tz in mm\n", "\t", ",", ["x in mm", "y in mm", "z in mm"]),
        ('"a; b","c; d","e"\n', ",", ".", ["a; b", "c; d", "e"]),
    ],
)
def test_the_separator_is_that_of_the_rows(read, head, separator, decimal, names):
    x, text = rows(40, separator, decimal)
    table = read(head + text)
    assert list(table.columns) == names
    np.testing.assert_array_equal(table.x, x)
    said = "t.csv: decimal commas are read as points"
    assert table.notes == ((said,) if decimal == "," else ())


def test_a_point_among_decimal_commas_is_refused(read, refuses):
    with refuses(DataError, "row 201 (line 202)", "'b'", "'1.234'"):
        read("a;b\n" + "1,5;2,5\n" * 200 + "3,5;1.234\n")


@pytest.mark.parametrize("name", ["<TICKER>", "PKey", "PAR1", "#", "{x}"])
def test_names_may_begin_as_other_files_do(read, name):
    assert read(f"b,{name}\n1,2\n").columns == ("b", name)
    if name != "#":
        assert read(f"{name},b\n1,2\n").columns == (name, "b")


def test_an_export_with_all_that_goes_with_it(read):
    x, text = rows(300, ";", ",")
    lines = [f"10/03/2004;18.00.{i % 60:02};{line};;" for i, line in enumerate(text.splitlines())]
    head = "Date;Time;CO(GT);NMHC, in ppm;T;;"
    content = "\r\n".join([head, *lines, ";" * 6, ";" * 6, ""])
    table = read(content, ignore=["Date", "Time"])
    assert table.columns == ("CO(GT)", "NMHC, in ppm", "T")
    np.testing.assert_array_equal(table.x, x)
    assert [note.partition(": ")[2] for note in table.notes] == [
        "decimal commas are read as points",
        "2 rows without any entry passed over",
        "2 columns with neither a name nor an entry passed over",
    ]


@pytest.mark.parametrize(
    ("head", "notes"),
    [
        ("#Scope\n#Name: X, Serial, 1\n\na,b,c\n", ["2 lines of remarks"]),
        ("Report of the month\n\na,b,c\n", ["1 line of title"]),
        ("# sep\n#\nReport\na,b,c\n", ["2 lines of remarks", "1 line of title"]),
        ("a,b,c\ns,mbar,\n", ["line 2, text above numbers (s, mbar), is taken as units"]),
        (
            "# x\na,b,c\n[s],[mbar],[V]\n",
            ["1 line of remarks", "line 3, text above numbers ([s], [mbar], [V]), is"],
        ),
        ("Report of the month,,\na,b,c\n", ["1 line of title"]),
        ("Report of the month,,\n,,\na,b,c\ns,mbar,V\n", ["2 lines of title", "line 4, text"]),
        ("# a, b, c\n", ["1 line of remarks", "those of the remark '# a, b, c'"]),
    ],
)
def test_what_stands_above_the_rows(read, head, notes):
    x, text = rows(30)
    table = read(head + text)
    assert table.columns == ("a", "b", "c")
    np.testing.assert_array_equal(table.x, x)
    assert len(table.notes) == len(notes)
    for said, words in zip(table.notes, notes, strict=True):
        assert words in said
        assert said.startswith("t.csv: ")


@pytest.mark.parametrize("end", ["", ","])
def test_what_is_more_than_a_title_is_refused_for_what_it_is(read, refuses, end):
    _, text = rows(30)
    words = ["line 1", "2 of its 3 cells", "line 4"] if end else ["line 1", "has 2 cells"]
    with refuses(DataError, *words, "begin"):
        read(f"Device,X{end}\nSerial,12{end}\n{end * 2}\na,b,c\n{text}")


def test_numbers_with_marks_are_numbers_when_names_are_looked_for(read, refuses):
    row = '"1,5","2,25"\n'
    with refuses(DataError, "'a'", "numbers written as '1,5'"):
        read("a,b\n" + row * 5)
    with refuses(DataError, "--header no"):
        read(row * 5)
    table = read("25%,b\n" + "1,2\n" * 5)  # a name, for the numbers below have no mark
    assert table.columns == ("25%", "b")


def test_a_named_column_does_not_make_names_of_numbers(read, refuses):
    text = "5.1,setosa\n" + "4.9,setosa\n4.7,virginica\n" * 3
    with refuses(DataError, "--header no"):
        read(text, label="setosa")
    assert len(read(text, label="2", header=False).labels) == 7


def test_what_lies_between_the_rows_is_counted(read):
    table = read("a,b\n1,2\n,\n\n# pause\n3,4\n , \n")
    assert table.x.tolist() == [[1, 2], [3, 4]]
    assert table.notes == (
        "t.csv: 2 rows without any entry passed over",
        "t.csv: 1 line of remarks between the rows passed over",
    )


@pytest.mark.parametrize(
    "first",
    ["5.1,3.5,setosa", "1,2,3", "2019,2020,kind", "a,2019,2020", "?,3.5,setosa"],
)
def test_a_first_row_that_may_be_data_is_asked_about(read, refuses, first):
    text = f"{first}\n" + "4.9,3.0,7\n4.7,3.2,8\n" * 5
    with refuses(DataError, "line 1", "--header no", "called 1 to 3", "--header yes"):
        read(text)
    assert read(text, header=True, ignore=first.split(",")[1:]).x.shape == (10, 1)
    told = read(text, header=False, ignore=["1"], label="3")
    assert told.columns == ("2",)
    assert len(told.labels) == 11
    assert "they are called 1 to 3" in told.notes[0]


def test_texts_above_texts_are_asked_about_unless_a_column_is_named(read, refuses):
    text = "kind,colour\n" + "a,red\nb,blue\n" * 3
    with refuses(DataError, "--header no"):
        read(text)
    table = read(text, label="kind", one_hot=["colour"])
    assert table.columns == ("colour=blue", "colour=red")
    assert len(table.x) == 6


def test_columns_are_chosen_by_name(read):
    text = "a,note,b\n1,cold,2\n3,hot,4\n"
    assert read(text, ignore=["note"]).columns == ("a", "b")
    table = read(text, fields=[("b", ()), ("a", ())])
    assert table.columns == ("b", "a")
    assert table.x.tolist() == [[2, 1], [4, 3]]


def test_text_becomes_zeros_and_ones_on_request(read, refuses):
    text = "a,colour,b\n1,red,2\n3,blue,4\n5,red,6\n"
    with refuses(DataError, "'colour' holds text ('red', 'blue')", "--one-hot colour", "--ignore"):
        read(text)
    table = read(text, one_hot=["colour"])
    assert table.columns == ("a", "colour=blue", "colour=red", "b")
    assert table.x.tolist() == [[1, 0, 1, 2], [3, 1, 0, 4], [5, 0, 1, 6]]
    new = "b,a,colour\n7,8,blue\n9,1,green\n"
    with refuses(DataError, "row 2", "'colour'", "'green'", "'blue', 'red'", "--missing drop"):
        read(new, fields=table.fields)
    kept = read(new, fields=table.fields, missing="drop")
    assert kept.x.tolist() == [[8, 1, 0, 7]]
    assert kept.rows.tolist() == [0]
    with refuses(DataError, "101 different texts", "--ignore name"):
        read("a,name\n" + "".join(f"{i},n{i}\n" for i in range(101)), one_hot=["name"])
    with refuses(DataError, "'x' in all rows", "--ignore name"):
        read("a,name\n1,x\n2,x\n", one_hot=["name"])


def test_names_of_everything_are_not_offered_as_one_hot(read, refuses):
    lines = "".join(f"{i},2020-01-{i:02},{'xy'[i % 2]}\n" for i in range(31))
    with refuses(DataError, "'day', 'kind' hold text", "--one-hot kind,", "--ignore day kind"):
        read("n,day,kind\n" + lines)


@pytest.mark.parametrize("cell", ['"1,234.5"', "1'234", "12 %", "$5", "12€"])
def test_numbers_with_more_than_digits_are_called_so(read, refuses, cell):
    with refuses(DataError, "'b' holds numbers written as", cell.strip('"'), "--ignore b"):
        read("a,b\n" + f"1,{cell}\n" * 5)


MISSING = "a,b\n1,2\n,3\n\n?,4\n5,NA\n"


def test_missing_cells(read, refuses):
    with refuses(
        DataError,
        "'a', lacks 2 of 4 numbers, the first in row 2 (line 3) (and 1 more column lacks some)",
        "--missing median",
        "--missing drop",
        "--ignore a",
    ):
        read(MISSING)
    kept = read(MISSING, missing="drop")
    assert (kept.x.tolist(), kept.rows.tolist()) == ([[1, 2]], [0])
    assert kept.notes == ("t.csv: 3 of 4 rows with a missing cell were left out",)
    holes = read(MISSING, missing="median")
    np.testing.assert_array_equal(holes.x, [[1, 2], [np.nan, 3], [np.nan, 4], [5, np.nan]])
    assert "3 missing cells ('a' 2, 'b' 1) are filled with the median" in holes.notes[0]
    form = Form.of(holes.x, holes.fields)
    assert form.fill == (3, 3)
    np.testing.assert_allclose(
        form.undo(form.apply(holes.x)), [[1, 2], [3, 3], [3, 4], [5, 3]], rtol=1e-6
    )


def test_the_most_frequent_text_fills_a_missing_one(read):
    table = read("a,kind\n1,x\n2,\n3,y\n4,y\n", one_hot=["kind"], missing="median")
    form = Form.of(table.x, table.fields)
    assert form.apply(table.x)[:, 1:].tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]


@pytest.mark.parametrize("blank", ["", "  ", "NaN", "?"])
def test_a_row_without_a_class_is_refused_or_left_out(read, refuses, blank):
    text = f"a,kind\n1,good\n2,{blank}\n3,none\n4,-\n5,{blank}\n"
    with refuses(DataError, "'kind'", "2 of 5 rows", "row 2 (line 3)", "--drop-unlabelled"):
        read(text, label="kind")
    kept = read(text, label="kind", drop_unlabelled=True)
    assert kept.labels.tolist() == ["good", "none", "-"]
    assert kept.rows.tolist() == [0, 2, 3]
    assert kept.notes == ("t.csv: 2 of 5 rows without a class were left out",)


def test_columns_without_name_and_entry_are_passed_over(read, refuses):
    table = read("a,b,\n1,2,\n3,4,\n")
    assert table.x.tolist() == [[1, 2], [3, 4]]
    assert table.notes == ("t.csv: 1 column with neither a name nor an entry passed over",)
    with refuses(DataError, "no name for its column 1", "--ignore ''"):
        read(",b\n1,2\n")
    assert read(",b\n1,2\n", ignore=[""]).x.tolist() == [[2]]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\n1,2\n3,4\n5,hot\n", {}, ["row 3 (line 4)", "'b'", "'hot'", "--ignore"]),
        ('a,b\n"1\n",2\n3,4\n3,hot\n', {}, ["row 3 (line 5)", "'b'"]),
        ("a,b\n1,2\n3,inf\n", {}, ["row 2 (line 3)", "'b'", "'inf'"]),
        ("a,b\n1,2\n3,1e999\n", {}, ["row 2 (line 3)", "'1e999'"]),
        ("a,b\n1,2\n3,1_0\n", {}, ["'b'", "'1_0'"]),
        ("a,b\n1\n", {}, ["line 2", "1 cell,", "2 columns"]),
        ("a,b\n1,2\n1,2,3\n", {}, ["line 3", "3 cells", "2 columns"]),
        ("a,b\n1\n2\n3\n", {}, ["line 1", "has 2 cells", "most rows have 1"]),
        ("x,y\n1,2,3\n4,5,6\n7,8,9\n", {}, ["line 1", "2 cells", "most rows have 3"]),
        ("a,a\n1,2\n", {}, ["'a' twice"]),
        ("a,b\n", {}, ["no row"]),
        ("", {}, ["no row"]),
        ("a,b\n,\n", {"header": True}, ["no row"]),
        ("a,b\n,2\n3,\n", {"missing": "drop"}, ["no whole row among its 2"]),
        ("a,b\n1,2\n", {"fields": [("b", ()), ("c", ())]}, ["lacks the column 'c'", "'a', 'b'"]),
        ("a,b\n1,2\n", {"label": "kind"}, ["lacks the column 'kind'"]),
        ("a,b\n1,2\n", {"ignore": ["c", "d"]}, ["lacks the columns 'c', 'd'"]),
        ("a,b\n1,2\n", {"ignore": ["a"], "label": "b"}, ["no column of numbers left"]),
        ('a,b\n1,"2\n', {}, ["close every quote"]),
        ("größe,b\n1,2\n".encode("cp1252"), {}, ["line 1", "0xf6", "UTF-8"]),
        (b"a,b\n" + b"1,2\n" * 9000 + b"3,\xe9\n", {}, ["line 9002", "0xe9", "UTF-8"]),
        (b"PK\x03\x04" + b"\0" * 40, {}, ["Excel workbook"]),
        (b"\x1f\x8b" + b"\0" * 40, {}, ["compressed"]),
        (b"<!DOCTYPE html>\n<html>", {}, ["web page"]),
        (b"\r\n  <html>", {}, ["web page"]),
        (b'{"a": [1, 2]}', {}, ["JSON"]),
        (b'[{"a": 1}, {"a": 2}]', {}, ["JSON"]),
        ("@RELATION iris\n@DATA\n1,2\n", {}, ["ARFF"]),
        ("version https://git-lfs.github.com/spec/v1\nsize 3\n", {}, ["git lfs pull"]),
        (b"\x4d\xd6\x8b\xbf\x11\x1b\x8c\xbf\n\x02", {}, ["no text"]),
        (b"a,b\n\0\0\0,\0\1\2\3", {}, ["no text"]),
        ("a,b\n1,2\n".encode("utf-16")[:-1], {}, ["cut short"]),
    ],
)
def test_refusals(read, refuses, text, options, words):
    with refuses(DataError, *words):
        read(text, **options)


def test_a_file_that_is_not_there(tmp_path, refuses):
    with refuses(DataError, "No such file"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"missing": "mean"}, "choose one of: refuse, median, drop"),
        ({"drop_unlabelled": True}, "--label"),
        ({"label": "a", "ignore": ["a"]}, "'a' was named twice"),
        ({"ignore": "a"}, "ignore='a'"),
        ({"header": "yes"}, "True or False"),
    ],
)
def test_options_are_refused(refuses, options, words):
    with refuses(OptionError, words):
        TableOptions(**options)


def test_what_is_said_of_a_table_is_refused_elsewhere(refuses):
    with refuses(OptionError, "--header no was given, but digits8 is no table"):
        load("digits8", header=False)


# ---- fast and slow ----


@pytest.fixture
def few(monkeypatch):
    """Parts of some hundred bytes, and which of them were read cell by cell."""
    slow = []
    by_cells = cells.Cells._by_cells

    def noted(self, lines, line):
        slow.append(line)
        return by_cells(self, lines, line)

    monkeypatch.setattr(cells.Cells, "_by_cells", noted)
    monkeypatch.setattr("minivae.data.tables.columns.PART", 400)
    return slow


LABELLED = "a,b,kind,note\n" + "".join(f"{i},{i / 7:.4f},k{i % 3},n{i}\n" for i in range(400))


def test_parts_and_the_whole_are_the_same(read, few):
    table = read(LABELLED, label="kind", ignore=["note"])
    assert few == []
    assert table.x[:, 0].tolist() == list(range(400))
    np.testing.assert_allclose(table.x[:, 1], np.arange(400) / 7, atol=5e-5)
    assert table.labels.tolist() == [f"k{i % 3}" for i in range(400)]


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("\n200,", "\n ,", lambda t: np.isnan(t.x).sum() == 1),
        ("\n200,", "\nnan,", lambda t: np.isnan(t.x).sum() == 1),
        ("\n200,", "\n\n200,", lambda t: len(t.x) == 400),
        (",k2,n200", ',"k 2\nx",n200', lambda t: t.labels[200] == "k 2\nx"),
        (",k2,n200", ',"k ""2""",n200', lambda t: t.labels[200] == 'k "2"'),
        (",k2,n200", f",{'k' * 100},n200", lambda t: t.labels[200] == "k" * 100),
        (",k2,n200", ', "k,2",n200', lambda t: t.labels[200] == "k,2"),
        (",k2,n200", ",  k2  ,n200", lambda t: t.labels[200] == "k2"),
        (",n200", ',"n\n\n200, 1"', lambda t: len(t.x) == 400),
    ],
)
def test_one_cell_in_the_middle_is_read_as_it_is(read, few, old, new, check):
    table = read(LABELLED.replace(old, new), label="kind", ignore=["note"], missing="median")
    assert check(table)
    assert len(few) <= 2
    others = np.delete(np.arange(400), 200)
    assert table.x[others, 0].tolist() == others.tolist()
    assert table.labels[others].tolist() == [f"k{i % 3}" for i in others]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\n300,", "\nhot,", ["row 301 (line 302)", "'hot'"]),
        (",k0,n300", ",,n300", ["1 of 400", "row 301 (line 302)"]),
        (",n300", "", ["line 302", "3 cells"]),
        (",n300", ",n300,5", ["line 302", "5 cells"]),
        ("\n300,", "\n,", ["'a'", "1 of 400", "row 301 (line 302)"]),
    ],
)
def test_a_bad_cell_in_the_middle_is_named_by_its_line(read, few, refuses, old, new, words):
    with refuses(DataError, *words):
        read(LABELLED.replace(old, new), label="kind", ignore=["note"])


def test_a_part_that_is_read_twice_is_counted_once(read, few):
    lines = [f"{'nan' if i % 2 else i},{'' if i == 301 else 'k'}" for i in range(400)]
    options = {"label": "kind", "drop_unlabelled": True, "missing": "median"}
    table = read("a,kind\n" + "\n".join(lines), **options)
    assert "1 of 400 rows without a class" in table.notes[0]
    assert "200 missing cells ('a' 200)" in table.notes[1]


def test_a_quote_that_is_never_closed_is_not_looked_for_to_the_end(read, monkeypatch, refuses):
    monkeypatch.setattr(cells, "LARGEST", 5000)
    monkeypatch.setattr("minivae.data.tables.columns.PART", 400)
    text = LABELLED + '"1,2,k,n\n' + LABELLED.partition("\n")[2]
    with refuses(DataError, "after line", "opens a quote that does not close"):
        read(text, label="kind", ignore=["note"])


def test_many_missing_cells_are_counted_on_the_fast_way_too(read, few):
    text = "a,b\n" + "".join(f"{i},{'nan' if i % 2 else i}\n" for i in range(400))
    table = read(text, missing="median")
    assert len(few) == 1  # the first of them was looked for
    assert "200 missing cells ('b' 200)" in table.notes[0]


def test_a_bar_goes_over_all_bytes_and_changes_nothing(read, few, monkeypatch, tmp_path):
    moves = []

    class Bar:
        def __init__(self, total, **how):
            self.n, self.total = 0, total

        def __enter__(self):
            return self

        def __exit__(self, *error):
            moves.append(("end", self.n, self.total))

        def update(self, n):
            self.n += n
            moves.append(n)

    monkeypatch.setattr("tqdm.tqdm", Bar)
    table = read(LABELLED, label="kind", ignore=["note"])
    assert moves == []
    options = TableOptions(label="kind", ignore=["note"])
    again = read_table(tmp_path / "t.csv", options, progress=True)
    np.testing.assert_array_equal(again.x, table.x)
    assert len(moves) > 10
    assert moves[-1] == ("end", len(LABELLED), len(LABELLED))


def test_work_grows_with_the_columns_and_not_with_their_square(tmp_path, monkeypatch):
    asked = []
    known = reading.places

    def counted(path, layout, named):
        place = known(path, layout, named)
        asked.append(len(place))
        return place

    monkeypatch.setattr(reading, "places", counted)
    D = 20_000
    text = ",".join(f"c{d}" for d in range(D)) + "\n" + (",".join(["1.5"] * D) + "\n") * 3
    (tmp_path / "wide.csv").write_text(text)
    import time

    started = time.process_time()
    table = read_table(tmp_path / "wide.csv")
    assert table.x.shape == (3, D)
    assert asked == [D]
    # A search through the names for each of them takes 4 seconds or more here.
    assert time.process_time() - started < 3


# ---- the scale ----


def test_the_scale_is_that_of_scikit_learn():
    x = np.random.default_rng(0).normal(5, [1, 30, 1e-4], (50, 3))
    form = Form.of(x, ["a", "b", "c"])
    u = form.apply(x)
    assert u.dtype == np.float32
    np.testing.assert_allclose(u, StandardScaler().fit_transform(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(form.undo(u), x, rtol=1e-6)


def test_a_form_is_the_same_after_json():
    import json

    options = TableOptions(label="kind", one_hot=["c"], header=False)
    x = np.array([[1, 1, 0], [2, 0, 1], [3, 1, 0.0]])
    form = Form.of(x, ["a", ("c", ("x", "y"))], options)
    assert form.columns == ("a", "c=x", "c=y")
    assert (form.mean[1:], form.sd[1:], form.fill) == ((0, 0), (1, 1), (2, 1, 0))
    assert Form.from_record(json.loads(json.dumps(form.record()))) == form
    assert form.cells(form.apply(x)) == {"a": ["1", "2", "3"], "c": ["x", "y", "x"]}
    old = Form.from_record({"columns": ["a"], "mean": [1.0], "sd": [2.0]})
    assert old.apply(np.array([[3.0]])).tolist() == [[1]]
    assert old.known_fields() == (("a", ()),)


def test_what_leaves_float32_becomes_its_largest():
    form = Form(("a",), (0.0,), (1e-9,))
    assert form.apply(np.array([[1e300], [-1e300]])).tolist() == [
        [float(np.finfo("f4").max)],
        [float(np.finfo("f4").min)],
    ]


@pytest.mark.parametrize(
    "two",
    [
        (7.0, 7.0),
        (0.3, 0.1 + 0.2),
        (1e6 + 0.1, 1e6 + 0.1 + 1e-9),
        (0.3, float(np.float32(0.3))),
        (-1e-300, -1e-300),
        (0.0, -0.0),
    ],
)
def test_a_column_that_varies_by_rounding_is_constant(refuses, two):
    x = np.column_stack([np.arange(40.0), np.resize(two, 40)])
    with refuses(DataError, "'b'", "in all 40 rows", "--ignore b"):
        Form.of(x, ["a", "b"], TableOptions())
    with refuses(DataError, "'1'", "in all 40 rows", "out of the array"):
        Form.of(x, ["0", "1"])


@pytest.mark.parametrize(
    "values",
    [
        1.7e9 + np.arange(40),  # seconds since 1970
        1e-12 * np.arange(40),
        np.resize([0.0, 1e-300], 40) * 1e200,
        101325 + np.arange(40) / 100,
        np.resize([300.0, 300.001], 40),
    ],
)
def test_a_column_that_varies_little_is_none(values):
    form = Form.of(values[:, None], ["a"])
    np.testing.assert_allclose(form.apply(values[:, None]).std(), 1, rtol=1e-4)


def test_a_scale_is_refused(refuses):
    with refuses(DataError, "'a' (and 1 more)", "--ignore a b"):
        Form.of(np.ones((3, 2)), ["a", "b"], TableOptions())
    with refuses(DataError, "'a'", "another unit"):
        Form.of(np.array([[1e200], [2e200], [-1e200]]), ["a"])
    with refuses(DataError, "'a' is missing in all 2 rows"):
        Form.of(np.full((2, 1), np.nan), ["a"])
    with refuses(ShapeError, "(2, 3)", "2 columns"):
        Form(("a", "b"), (0.0, 0.0), (1.0, 1.0)).apply(np.ones((2, 3)))


def test_constant_columns_are_left_out_on_request():
    x = np.column_stack([np.arange(9.0), np.ones(9), np.resize([0, 1], (2, 9)).T, np.ones(9)])
    fields = ["a", "b", ("c", ("x", "y")), "d"]
    form = Form.of(x, fields, TableOptions(drop_constant=True))
    assert form.columns == ("a", "c=x", "c=y")
    assert form.fields == (("a", ()), ("c", ("x", "y")))
    columns = ["a", "b", "c=x", "c=y", "d"]
    np.testing.assert_array_equal(form.pick(x, columns), x[:, [0, 2, 3]])
    assert form.note("t.csv", columns) == ("t.csv: left out 2 columns without variation",)
    assert form.note("t.csv", form.columns) == ()


def test_not_all_columns_are_left_out(refuses):
    with refuses(DataError, "--drop-constant"):
        Form.of(np.ones((3, 2)), ["a", "b"], TableOptions(drop_constant=True))


# ---- data to train on ----


def test_a_table_is_data_to_train_on(tmp_path):
    x = np.random.default_rng(0).normal([1e6, -3], [5, 0.1], (200, 2))
    kind = np.resize(["10", "9", "b"], 200)
    lines = [f"{a!r},{b!r},{k}" for (a, b), k in zip(x.tolist(), kind, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,kind", *lines]))
    data = load(tmp_path / "t.csv", label="kind")
    assert (data.name, data.shape, data.labels) == ("t.csv", (2,), ("10", "9", "b"))
    assert (len(data.x_train), len(data.x_test)) == (180, 20)
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-5)
    whole = load(tmp_path / "t.csv", label="kind", hold_out=False)
    np.testing.assert_allclose(whole.form.undo(whole.x_train), x, rtol=1e-7)
    assert [whole.labels[k] for k in whole.y_train] == kind.tolist()
    assert len(load(tmp_path / "t.csv", ignore=["kind"], limit=50).x_train) == 50

    lines = [f"{k},{b!r},{a!r}" for (a, b), k in zip(x.tolist(), kind, strict=True)]
    (tmp_path / "other.csv").write_text("\n".join(["kind,b,a", *lines]))
    other = load(tmp_path / "other.csv", form=data.form, hold_out=False)
    np.testing.assert_array_equal(other.x_train, data.form.apply(x))


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    (tmp_path / "t.csv").write_text("a,k\n" + "".join(f"{i},{i % 11}\n" for i in range(110)))
    assert load(tmp_path / "t.csv", label="k").labels == tuple(map(str, range(11)))
