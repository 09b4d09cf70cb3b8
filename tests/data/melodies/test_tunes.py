"""The tunes of the package, their windows, and the melodies that are made."""

from collections import Counter

import numpy as np
import pytest

from minivae import data
from minivae.data.melodies import embedded, motifs
from minivae.data.melodies.abc_reader import read_abc
from minivae.data.melodies.alphabet import ALPHABET, Note, is_music, joined, to_notes, to_tokens
from minivae.data.melodies.tune import beginning, transposed, whole_bars, windows
from minivae.errors import DataError, ShapeError

TUNES = embedded.tunes()

IN_NO_KEY = {
    "In the Hall of the Mountain King": "half of it is chromatic",
    "What Shall We Do with the Drunken Sailor": "it is neither major nor minor, but dorian",
}


def symbols(tokens):
    return " ".join(ALPHABET[k] for k in np.asarray(tokens, int))


def tune(music, head="X:1\nT:A\nM:4/4\nL:1/4\nK:C\n"):
    return read_abc(head + music, "a.abc")[0]


def test_there_are_about_thirty_tunes_each_with_its_origin():
    assert 28 <= len(TUNES) <= 40
    assert len({tune.title for tune in TUNES}) == len(TUNES)
    for found in TUNES:
        assert found.fields["C"]
        assert found.fields["S"]


@pytest.mark.parametrize("found", TUNES, ids=lambda tune: tune.title)
def test_every_bar_of_a_tune_fills_its_metre_but_for_an_upbeat(found):
    lengths = found.lengths
    if lengths[0] < found.metre:
        assert lengths.pop(0) + lengths.pop() == found.metre or lengths[-1] == found.metre
    assert set(lengths) == {found.metre}


@pytest.mark.parametrize(
    "found", [t for t in TUNES if t.title not in IN_NO_KEY], ids=lambda tune: tune.title
)
def test_a_tune_is_in_its_key(found):
    """Krumhansl's profiles, an independent look: the key that is written is among the likeliest."""
    major = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
    minor = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    weights = np.zeros(12)
    for bar in found.bars:
        for sound in bar:
            if sound.pitch is not None:
                weights[sound.pitch % 12] += float(sound.length)
    fits = {}
    for tonic in range(12):
        for name, profile in (("", major), ("m", minor)):
            fits[tonic, name] = np.corrcoef(np.roll(profile, tonic), weights)[0, 1]
    key = found.fields["K"]
    tonic = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[key[0]]
    written = fits[tonic, key[1:]]
    assert sorted(fits.values(), reverse=True).index(written) < 3


def test_a_known_tune_is_what_everybody_knows():
    assert symbols(embedded.find("Ode to Joy")) == (
        "F#4 - - - F#4 - - - G4 - - - A4 - - - A4 - - - G4 - - - F#4 - - - E4 - - -"
    )
    assert embedded.find("no such tune") is None
    assert embedded.find("frère") is not None


def test_the_data_set():
    found = data.load("melodies")
    rows = np.concatenate([found.pixels_train[:], found.pixels_test[:]])
    assert found.alphabet == ALPHABET
    assert is_music(found.alphabet)
    assert (len(found.pixels_train), len(found.pixels_test), found.shape) == embedded.SIZES
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert rows.min() == 1
    assert not set(found.y_train) & set(found.y_test)
    held = {found.labels[k] for k in found.y_test}
    assert held == {tune.title for tune in TUNES[4::5]}


def test_no_window_of_a_held_out_tune_is_learned_from():
    found = data.load("melodies")
    train = {row.tobytes() for row in found.pixels_train[:].astype(np.uint8)}
    for tune in TUNES[4::5]:
        pitches, _ = windows(tune)
        for by in embedded.KEYS:
            assert not train & {row.tobytes() for row in transposed(pitches, by)}


def test_all_rows_together():
    found = data.load("melodies", hold_out=False)
    assert len(found.pixels_train) == sum(embedded.SIZES[:2])
    assert found.pixels_test is None


def test_windows_begin_at_each_bar():
    pitches, left_out = windows(tune("CDEF|GABc|c2B2|"))
    assert left_out == 0
    assert [symbols(row) for row in transposed(pitches, 0)] == [
        "C4 - - - D4 - - - E4 - - - F4 - - - G4 - - - A4 - - - B4 - - - C5 - - -",
        "G4 - - - A4 - - - B4 - - - C5 - - - C5 - - - - - - - B4 - - - - - - -",
    ]


def test_a_window_of_two_quarters_holds_four_bars():
    pitches, _ = windows(tune("CD|EF|GA|Bc|cB|AG|", "X:1\nM:2/4\nL:1/4\nK:C\n"))
    assert [row[row >= 0].tolist() for row in pitches] == [
        [60, 62, 64, 65, 67, 69, 71, 72],
        [67, 69, 71, 72, 72, 71, 69, 67],
    ]


def test_upbeats_ties_and_rests():
    found = tune("G|c4-|c2z2|zzC2-|C3|]")
    assert whole_bars(found)[0] is None
    pitches, _ = windows(found)
    assert [symbols(row) for row in transposed(pitches, 0)] == [
        "C5 - - - - - - - - - - - - - - - - - - - - - - - z - - - - - - -",
        "C5 - - - - - - - z - - - - - - - - - - - - - - - C4 - - - - - - -",
    ]


def test_a_bar_that_a_repeat_divides_is_put_together():
    found = tune("|:G|cBA:|FEDC|")
    assert [len(bar) if bar else 0 for bar in whole_bars(found)] == [0, 4, 0, 4]


def test_what_is_off_the_grid_is_left_out_and_counted():
    pitches, left_out = windows(tune("(3CDE FF|GABc|CDEF|"))
    assert (len(pitches), left_out) == (1, 1)


def test_the_range():
    pitches, _ = windows(tune("CDEF|GABc|"))
    assert len(transposed(pitches, -5)) == 1
    assert len(transposed(pitches, -6)) == 0
    with pytest.raises(DataError, match="a note C3, but melodies lie between G3 and E6"):
        beginning(tune("C,DEF|GABc|"))


@pytest.mark.parametrize(
    ("music", "head", "said"),
    [
        ("CDE|", "X:1\nM:3/4\nL:1/4\nK:C\n", "bars of 3 quarters"),
        ("CDE|", "X:1\nM:none\nL:1/4\nK:C\n", "no metre"),
        ("CDEF|", None, "fewer than 2 whole bars"),
        ("z4|z4|", None, "no note"),
        ("(3CDE FF|GABc|", None, "do not fit sixteenths"),
    ],
)
def test_tunes_without_a_beginning(music, head, said):
    with pytest.raises(DataError, match=said):
        beginning(tune(music, head) if head else tune(music))


def test_notes_and_symbols_are_the_same():
    rng = np.random.default_rng(0)
    for _ in range(200):
        tokens = rng.integers(1, len(ALPHABET), 32)
        tokens[rng.random(32) < 0.6] = 1
        notes = to_notes(tokens)
        again = to_tokens(notes)
        assert to_notes(again) == notes
        assert Counter(n.pitch for n in notes) == Counter(tokens[tokens >= 3] + 52)


def test_a_hold_after_nothing_is_silence():
    assert to_notes(np.array([1, 1, 3, 1, 2, 1, 0, 4])) == [Note(2, 2, 55), Note(7, 1, 56)]
    assert symbols(to_tokens([], 3)) == "z - -"


def test_melodies_one_after_the_other():
    notes, steps = joined(np.array([[3, 1], [4, 2]]), gap=3)
    assert notes == [Note(0, 2, 55), Note(5, 1, 56)]
    assert steps == 7
    with pytest.raises(ShapeError, match="expected numbers of symbols"):
        joined(np.zeros(3, int))
    with pytest.raises(DataError, match="there is a symbol 37"):
        joined(np.full((1, 2), 37))


def test_motifs_are_every_combination_once():
    x, factors = motifs.melodies(), motifs.factors()
    assert len(x) == len(factors) == np.prod(list(motifs.FACTORS.values()))
    assert len(np.unique(x, axis=0)) == len(x)
    found = data.load("motifs")
    assert (len(found.pixels_train), len(found.pixels_test), found.shape) == motifs.SIZES
    assert np.bincount(found.y_train).min() > 1000


def test_a_factor_does_what_it_says():
    base = dict.fromkeys(("scale", "tonic", "octave", "shape", "first", "second"), 0)
    pitches = lambda **how: [n.pitch for n in to_notes(motifs.melody(**(base | how)))]  # noqa: E731
    up = pitches()
    assert up == [60, 62, 62, 64, 64, 65, 65, 67]
    assert pitches(tonic=2) == [p + 2 for p in up]
    assert pitches(octave=1) == [p + 12 for p in up]
    assert pitches(shape=1) == up[::-1]
    assert pitches(scale=1) == [60, 62, 62, 63, 63, 65, 65, 67]
    assert pitches(scale=2) == [60, 62, 62, 64, 64, 67, 67, 69]
    starts = [n.start for n in to_notes(motifs.melody(0, 0, 0, 0, 1, 2))]
    assert starts == [0, 2, 4, 6, 8, 12, 16, 22, 24, 30]
