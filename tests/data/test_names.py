"""First names, and sequences of symbols: what is there, what comes back, what is refused."""

import numpy as np
import pytest

from minivae import data
from minivae.data import names
from minivae.data.alphabet import END, PADDING, check_alphabet, closed, numbered, spelled
from minivae.errors import DataError

AB = (PADDING, "a", "b", END)


def test_the_names_are_those_of_the_census():
    every, y = names.read()
    assert len(every) == len(set(every)) == 5163
    assert every == sorted(every)
    assert np.bincount(y).tolist() == [3944, 888, 331]
    assert {len(name) for name in every} == set(range(2, 12))
    assert [y[every.index(name)] for name in ("adelia", "abdul", "mary")] == [0, 1, 2]


def test_a_tenth_is_held_out_and_no_name_is_on_both_sides():
    found = data.load("names")
    assert (len(found.pixels_train), len(found.pixels_test), found.shape) == names.SIZES
    assert found.alphabet == names.ALPHABET
    assert found.labels == ("women", "men", "both")
    train, test = (
        set(spelled(x[:], found.alphabet)) for x in (found.pixels_train, found.pixels_test)
    )
    assert not train & test
    assert sorted(train | test) == names.read()[0]
    assert len(data.load("names", hold_out=False).pixels_train) == 5163
    assert data.load("names", limit=50).alphabet == names.ALPHABET
    assert "of 27 symbols" in repr(found)
    assert data.fetch("names") == names.PATH


def test_texts_become_numbers_and_come_back():
    rows = numbered("x", ["ab", "b", "aba"], AB)
    assert rows.tolist() == [[1, 2, 3, 0], [2, 3, 0, 0], [1, 2, 1, 3]]
    assert spelled(rows, AB) == ["ab", "b", "aba"]
    assert numbered("x", ["ab", "ba"], AB[:3]).tolist() == [[1, 2], [2, 1]]
    assert spelled(np.array([[1, 2, 0]]), (PADDING, "C4", "hold")) == ["C4 hold"]


def test_nothing_stands_behind_the_end():
    rows = np.array([[1, 3, 2, 3], [3, 3, 3, 3], [1, 1, 1, 1]])
    assert closed(rows, AB).tolist() == [[1, 3, 0, 0], [3, 0, 0, 0], [1, 1, 1, 1]]
    assert closed(rows, AB[:3]) is rows


@pytest.mark.parametrize(
    ("texts", "alphabet", "steps", "words"),
    [
        (["ab", "axb"], AB, None, ("'axb'", "'x'", "a b")),
        (["a·b"], AB, None, ("'a·b'", "'·'")),
        (["a.b"], AB, None, ("'a.b'", "'.'")),
        (["ab", ""], AB, None, ("empty",)),
        ([], AB, None, ("empty",)),
        (["ab", "aba"], AB[:3], None, ("2 to 3 symbols", "expected 3")),
        (["ab"], AB[:3], 4, ("2 to 2 symbols", "expected 4")),
        (["abab"], AB, 4, ("'abab'", "at most 3")),
    ],
)
def test_texts_that_are_no_sequences_are_refused(texts, alphabet, steps, words, refuses):
    with refuses(DataError, "mine:", *words):
        numbered("mine", texts, alphabet, steps)


def test_an_alphabet_without_its_padding_is_refused(refuses):
    for wrong in ((), ("a", "b"), (PADDING, "a", "a")):
        with refuses(DataError, "alphabet"):
            check_alphabet("mine", wrong, 0, 1)
    for low, high in ((0, 4), (-1, 2)):
        with refuses(DataError, "0 to 3"):
            check_alphabet("mine", AB, low, high)
    from dataclasses import replace

    with refuses(DataError, "names:", "27"):
        replace(data.load("names"), alphabet=AB)


def test_a_damaged_file_is_refused(tmp_path, monkeypatch, refuses):
    monkeypatch.setattr(names, "PATH", tmp_path / "names.txt")
    with refuses(DataError, "install"):
        names.read()
    (tmp_path / "names.txt").write_text("mary x\n")
    with refuses(DataError, "install"):
        names.read()


@pytest.mark.parametrize("rows", [np.array([[1, 4]]), np.array([[-1, 1]])])
def test_what_is_no_symbol_is_not_spelled(rows, refuses):
    with refuses(DataError, "0 to 3"):
        spelled(rows, AB)
