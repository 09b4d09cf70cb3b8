"""The reader of ABC: each feature that it knows, and a sentence for what it does not know."""

from fractions import Fraction

import pytest

from minivae.data.melodies.abc_reader import read_abc
from minivae.errors import DataError

HEAD = "X:1\nT:A tune\nM:4/4\nL:1/4\nK:C\n"


def played(music, head=HEAD):
    """(pitch, quarters) of all notes and rests, in the order in which they are played."""
    (tune,) = read_abc(head + music, "a.abc")
    return [(sound.pitch, float(4 * sound.length)) for bar in tune.bars for sound in bar]


def pitches(music, head=HEAD):
    return [pitch for pitch, _ in played(music, head)]


def quarters(music, head=HEAD):
    return [length for _, length in played(music, head)]


def test_notes_are_numbered_from_middle_c():
    assert pitches("CDEF|GABc|defg|ab") == [60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83]


def test_octaves():
    assert pitches("C,C,,c'c''c,C'") == [48, 36, 84, 96, 60, 72]


def test_lengths():
    assert quarters("C2 C/ C// C3/2 C/4 C3/ C12") == [2, 0.5, 0.25, 1.5, 0.25, 1.5, 12]


def test_without_a_unit_length_the_metre_gives_it():
    assert quarters("C", "X:1\nM:4/4\nK:C\n") == [0.5]
    assert quarters("C", "X:1\nM:2/4\nK:C\n") == [0.25]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("C", "60 62 64 65 67 69 71"),
        ("G", "60 62 64 66 67 69 71"),
        ("D", "61 62 64 66 67 69 71"),
        ("Eb", "60 62 63 65 67 68 70"),
        ("F#", "61 63 65 66 68 70 71"),
        ("Am", "60 62 64 65 67 69 71"),
        ("E minor", "60 62 64 66 67 69 71"),
        ("Ador", "60 62 64 66 67 69 71"),
        ("D mixolydian", "60 62 64 66 67 69 71"),
        ("FLyd", "60 62 64 65 67 69 71"),
        ("Bphr", "60 62 64 66 67 69 71"),
        ("F#loc", "60 62 64 66 67 69 71"),
        ("none", "60 62 64 65 67 69 71"),
        ("HP", "60 62 64 65 67 69 71"),
        ("Hp", "61 62 64 66 67 69 71"),
        ("D =c", "60 62 64 66 67 69 71"),
        ("D exp _b", "60 62 64 65 67 69 70"),
        ("G clef=treble", "60 62 64 66 67 69 71"),
        ("Gm treble", "60 62 63 65 67 69 70"),
        ("", "60 62 64 65 67 69 71"),
    ],
)
def test_keys(key, expected):
    head = f"X:1\nM:4/4\nL:1/4\nK:{key}\n"
    assert pitches("CDEFGAB", head) == [int(n) for n in expected.split()]


def test_an_accidental_holds_until_the_bar_line_and_for_all_octaves():
    assert pitches("^FFfG|F _B=B ^^C__D") == [66, 66, 78, 67, 65, 70, 71, 62, 60]
    assert pitches("=FF|F", "X:1\nL:1/4\nK:G\n") == [65, 65, 66]


def test_rests():
    assert played("C z2 x/ Z2 C") == [
        (60, 1),
        (None, 2),
        (None, 0.5),
        (None, 4),
        (None, 4),
        (60, 1),
    ]


def test_a_tie_goes_over_the_bar_line_with_its_accidental():
    (tune,) = read_abc(HEAD + "C3 ^F-|F4|F4", "a.abc")
    (_, first), (second,), (third,) = tune.bars
    assert (first.pitch, first.tied, second.pitch, second.tied) == (66, True, 66, False)
    assert third.pitch == 65


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("|:C D:|E", "CDCDE"),
        ("C D:|E", "CDCDE"),
        ("C|D||E F:|G", "CDEFEFG"),
        ("|:C::D:|", "CCDD"),
        ("|:C:|:D:|", "CCDD"),
        ("C|:D:||:E:|]", "CDDEE"),
        ("|:C|1D:|2E|F", "CDCEF"),
        ("|:C[1D:|[2E||F:|", "CDCEFF"),
        ("|:C|1,3D:|2E:|G", "CDCECDG"),
        ("|:C|1-2D:|3E|G", "CDCDCEG"),
        ("|:C|2-1D:|G", "CDCDG"),
        ("C|1D:|2E|]", "CDCE"),
        ("|:C|1D:|2E|:F|1G:|2A|]", "CDCEFGFA"),
    ],
)
def test_repeats_and_endings(music, expected):
    assert pitches(music) == pitches(expected)


def test_broken_rhythm():
    assert quarters("C>D C<D C>>D C > D") == [1.5, 0.5, 0.5, 1.5, 1.75, 0.25, 1.5, 0.5]


def test_tuplets():
    third = pytest.approx(2 / 3)
    assert quarters("(3CDE F") == [third, third, third, 1]
    assert quarters("(2CD") == [1.5, 1.5]
    assert quarters("(3:2:2C2D") == [pytest.approx(4 / 3), third]
    assert quarters("(3::4CDEFG") == [third] * 4 + [1]
    assert quarters("(5CDEFG", HEAD.replace("4/4", "6/8")) == [pytest.approx(3 / 5)] * 5


def test_fields_on_the_way():
    assert played("C|[L:1/8]C[K:G]F|\nK:F\nB\nL:1/4\nB") == [
        (60, 1),
        (60, 0.5),
        (66, 0.5),
        (70, 0.5),
        (70, 1),
    ]


def test_metres():
    for text, metre in [("C", 1), ("C|", 1), ("3/4", Fraction(3, 4)), ("none", None)]:
        (tune,) = read_abc(f"X:1\nM:{text}\nL:1/4\nK:C\nC", "a.abc")
        assert tune.metre == metre


def test_comments_words_and_ornaments_are_passed_over():
    music = (
        '%%score\n"Am"C{gf}D ~E (FG) .A !trill!B % a comment: |\nw: words - words\n% alone\n'
        "+fermata+C vTuMHC y`D\\\nE $ F !\ns: x\nN: a note\n+: more\n[r: a remark]G"
    )
    assert pitches(music) == pitches("CDEFGABCCDEFG")


def test_a_letter_of_the_user_s_stands_for_an_ornament():
    assert pitches("kCkD", HEAD.replace("T:", "U:k=!accent!\nT:")) == [60, 62]


def test_several_tunes_in_a_file():
    text = (
        f"% a file\nL:1/8\nM:4/4\n\n{HEAD}C|\n\nsome words\n\nX:2\nT:Another\nK:G\nF\nX:3\nK:C\nG"
    )
    tunes = read_abc(text, "a.abc")
    assert [tune.title for tune in tunes] == ["A tune", "Another", "a.abc"]
    assert [4 * tune.bars[0][0].length for tune in tunes] == [1, 0.5, 0.5]
    assert [tune.bars[0][0].pitch for tune in tunes] == [60, 66, 67]


def test_a_file_without_a_number_is_one_tune():
    assert pitches("CD", "T:A\nL:1/4\nK:C\n") == [60, 62]


def test_line_ends_of_other_systems():
    assert pitches("C\r\nD\r\n", HEAD.replace("\n", "\r\n")) == [60, 62]


def test_fields_are_kept():
    (tune,) = read_abc("X:1\nT:A\nT:B\nC:Somebody\nS:1800\nK:C\nC", "a.abc")
    assert (tune.title, tune.fields["C"], tune.fields["S"]) == ("A", "Somebody", "1800")


@pytest.mark.parametrize(
    ("music", "said"),
    [
        ("C#D", "'#' in '#D' is not read here"),
        ("[CEG]", r"several notes at once, '\[CEG\]'"),
        ("C&E", "several notes at once, '&'"),
        ("V:1\nC\nV:2\nD", "several voices"),
        ("C-D", "a tie to another note"),
        ("C-", "a tie, a tuplet or < > without its notes"),
        ("(3CD", "a tie, a tuplet or < > without its notes"),
        ("C>", "a tie, a tuplet or < > without its notes"),
        (">C", "> without a note before it"),
        ("C/0", "the length '/0'"),
        ("C0", "the length '0'"),
        ("C99999999", "the length '99999999'"),
        ("C|[M:3/4]C", "a new metre, 3/4,"),
        ("C|[K:H]C", "the key 'H'"),
        ("C|[L:x]C", "the length L:x"),
        ("m:~n = n", "a macro"),
        ("|:C|1D:|3E|", "there is no ending for pass 2"),
        ("Z9999C", "the tune has over 4096 bars"),
        ("z4", None),
    ],
)
def test_what_is_not_known_is_refused_in_one_sentence(music, said):
    if said is None:
        assert pitches(music) == [None]
        return
    with pytest.raises(DataError, match=said) as caught:
        read_abc(HEAD + music, "a.abc")
    assert str(caught.value).startswith("a.abc, line ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no tune"),
        ("some text\n", "holds no tune"),
        ("X:1\nT:A\nCDE\n", "before the key"),
        ("X:1\nT:A\nK:C\n", "no key .* or no note"),
        ("X:1\nM:5\nK:C\nC", "the metre M:5"),
        ("X:1\nM:0/4\nK:C\nC", "the metre M:0/4"),
        ("X:1\nP:ABA\nK:C\nC", "an order of parts"),
        ("X:1\nK:Cquux\nC", "the key 'Cquux'"),
        ("X:1\nK:C octave=1\nC", "the key"),
        ("X:1\nK:B#lyd\nC", "the key"),
    ],
)
def test_files_that_are_refused(text, said):
    with pytest.raises(DataError, match=said):
        read_abc(text, "a.abc")


def test_tunes_that_cannot_be_read_can_be_passed_over():
    passed_over = []
    tunes = read_abc(f"{HEAD}[CE]\n\n{HEAD}C", "a.abc", passed_over)
    assert len(tunes) == 1
    assert passed_over == [
        "a.abc, line 6: several notes at once, '[CE]' is not read here; give one voice alone."
    ]
