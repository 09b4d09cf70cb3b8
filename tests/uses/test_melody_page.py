"""The page of melodies in a real browser: what it decodes is the library's, and it is heard."""

import io

import numpy as np
import pytest

from minivae import data
from minivae.data.melodies.alphabet import ALPHABET, Note, to_notes
from minivae.errors import OptionError
from minivae.models.sequence import SequenceVAE
from minivae.uses.explore.melodies import page_html
from minivae.uses.explore.page import page_html as picture_page

MELODIES = data.load("melodies")
RATE = 22050
STEP = 60 / 112 / 4
"""Seconds of a sixteenth."""

DECODERS = [
    {"decoder_kind": "mlp"},
    {"decoder_kind": "conv"},
    {"decoder_kind": "gru"},
    {"decoder_kind": "gru", "word_dropout": 1.0},
    {"decoder_kind": "mlp", "activation": "gelu", "dtype": "float64"},
]


def model(latent=3, **options):
    """A model whose random weights are large enough that all of its parts matter."""
    how = {"alphabet": ALPHABET, "states": 9, "embedding": 4, **options}
    made = SequenceVAE(32, (12,), latent, rng=np.random.default_rng(0), **how)
    made.params.theta[...] = 0.5 * np.random.default_rng(1).standard_normal(made.params.theta.size)
    return made


def page(folder, made, n=60):
    path = folder / "page.html"
    x, y = MELODIES.pixels_test[:], MELODIES.y_test
    text = page_html(
        made, x[:: len(x) // n], y[:: len(x) // n], labels=MELODIES.labels, name="some"
    )
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for all models."""
    context = chromium.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("options", DECODERS, ids=str)
def test_the_decoders_are_the_library_s(tab, tmp_path, options):
    made = model(**options)
    tab.goto(page(tmp_path, made).as_uri())
    tab.wait_for_selector("#main", state="visible")
    z = np.random.default_rng(3).standard_normal((25, 3)) * 2
    said = tab.evaluate("(z) => z.map((row) => minivae.network.symbols(row))", z.tolist())
    expected = made.symbols(z.astype(made.params.dtype))
    np.testing.assert_array_equal(said, expected)
    assert len(np.unique(expected, axis=0)) > 5
    assert len(np.unique(expected)) > 5


@pytest.fixture
def opened(visit, tmp_path):
    seen = visit(page(tmp_path, model(decoder_kind="mlp")), size=(1200, 900))
    seen.page.wait_for_selector("#main", state="visible")
    yield seen.page
    assert seen.errors == []
    assert seen.outside == []


def notes_of(opened):
    return [Note(**note) for note in opened.evaluate("minivae.state().notes")]


def test_each_note_is_heard_at_its_pitch(opened):
    notes = notes_of(opened)
    assert len(notes) >= 3
    y = np.array(opened.evaluate("minivae.render().then((y) => Array.from(y))"))
    assert len(y) == int(np.ceil(32 * STEP * RATE))
    assert 0.1 < np.abs(y).max() < 1
    for start, length, pitch in notes:
        part = y[round(start * STEP * RATE) : round((start + length) * STEP * RATE)]
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 17))
        heard = power.argmax() * RATE / (1 << 17)
        assert heard == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.01)
    silent = np.ones(32, bool)
    for start, length, _ in notes:
        silent[start : start + length] = False
    for step in np.flatnonzero(silent):
        part = y[round((step + 0.05) * STEP * RATE) : round((step + 0.95) * STEP * RATE)]
        assert np.abs(part).max() < 1e-3


def test_the_page_sounds_as_the_library_s_file(opened):
    from minivae.data.melodies.sound import samples

    notes = notes_of(opened)
    ours = samples(notes, 32)
    page_s = np.array(opened.evaluate("minivae.render().then((y) => Array.from(y))"))
    n = min(len(ours), len(page_s))
    assert np.corrcoef(ours[:n], page_s[:n])[0, 1] > 0.98


def test_the_saved_midi_file_is_read_back(opened):
    mido = pytest.importorskip("mido")
    with opened.expect_download() as download:
        opened.click("#midi")
    assert download.value.suggested_filename == "melody.mid"
    with open(download.value.path(), "rb") as saved:
        content = saved.read()
    assert content == bytes(opened.evaluate("Array.from(minivae.midi())"))
    file = mido.MidiFile(file=io.BytesIO(content))
    now, begun, found = 0, {}, []
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on":
            begun[message.note] = now
        elif message.type == "note_off":
            start = begun.pop(message.note)
            found.append(Note(start // 120, (now - start) // 120, message.note))
    assert sorted(found) == notes_of(opened)
    assert file.length == pytest.approx(32 * STEP, rel=1e-4)


def test_the_midi_file_is_the_library_s(opened):
    from minivae.data.melodies.midi import midi

    assert bytes(opened.evaluate("Array.from(minivae.midi())")) == midi(notes_of(opened), 32)


def test_dragging_changes_the_melody_and_play_plays_it(opened):
    before = opened.evaluate("minivae.state().melody")
    box = opened.locator("#plane").bounding_box()
    x, y = box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"]
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(x + 0.5 * box["width"], y + 0.4 * box["height"], steps=4)
    opened.mouse.up()
    after = opened.evaluate("minivae.state()")
    assert after["melody"] != before
    assert opened.evaluate("(z) => minivae.network.symbols(z)", after["z"]) == (after["melody"])
    opened.click("#play")
    assert opened.text_content("#play") == "Stop"
    opened.wait_for_function("minivae.player.step > 0")
    opened.click("#play")
    assert not opened.evaluate("minivae.player.playing")


def test_the_way_leads_from_one_melody_to_the_other(opened):
    def z():
        return opened.evaluate("minivae.state().z")

    def move(t):
        js = "(t) => { const w = document.getElementById('way'); w.value = t; "
        opened.evaluate(js + "w.dispatchEvent(new Event('input')); }", t)
        return np.array(z())

    ends = [int(opened.input_value(name)) for name in ("#from", "#to")]
    codes = [opened.evaluate("(i) => minivae.examples.code(i)", i) for i in ends]
    for t, expected in ((0, codes[0]), (1, codes[1]), (0.5, np.mean(codes, axis=0))):
        np.testing.assert_allclose(move(t), expected, atol=1e-6)


def test_the_examples_are_the_melodies(opened):
    got = opened.evaluate("Array.from(minivae.examples.picture(5))")
    x = MELODIES.pixels_test[:]
    np.testing.assert_array_equal(got, x[:: len(x) // 60][5])
    assert to_notes(np.array(got))


def test_what_a_page_cannot_do_is_refused():
    x = MELODIES.pixels_test[:][:20]
    with pytest.raises(OptionError, match="the model has 1 latent dimensions"):
        page_html(model(latent=1), x)
    letters = SequenceVAE(4, (3,), 2, alphabet=("·", "a", "b"), rng=np.random.default_rng(0))
    with pytest.raises(OptionError, match="a page of sequences plays melodies"):
        page_html(letters, x)
    with pytest.raises(OptionError, match="a page cannot run"):
        picture_page(model(), (4, 8), x)
