"""Melodies at the command line: what is written can be seen and heard, and nothing is half done."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivae import data
from minivae.cli.main import main
from minivae.data.melodies import embedded
from minivae.data.melodies.alphabet import ALPHABET, joined, to_notes
from minivae.data.melodies.midi import midi
from minivae.show.roll import rolls
from minivae.show.sequences.kind import Sheet
from minivae.show.sequences.melody import KIND
from minivae.train.runs import open_run

mido = pytest.importorskip("mido")

SMALL = "--limit 60 --latent 3 --hidden 8 --decoder-kind mlp --batch 16 --quiet"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    at = tmp_path_factory.mktemp("melodies") / "run"
    assert main(f"train melodies --model sequence {SMALL} --epochs 2 --out {at}".split()) == 0
    return at


def call(run, *words):
    return main([str(word).replace("RUN", str(run)) for word in words])


def onsets(path):
    file = mido.MidiFile(path)
    return [message.note for message in file.tracks[0] if message.type == "note_on"]


def seconds(path):
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_run_leaves_something_to_see_and_to_hear(run):
    names = {path.name for path in run.iterdir()}
    assert {"samples.txt", "samples.png", "samples.mid", "samples.wav"} <= names


def test_samples_are_a_folder_of_files(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(run, "sample", "RUN", "--n", 3, "--seed", 5, "--draw", "--out", "s") == 0
    names = sorted(path.name for path in Path("s").iterdir())
    alone = [f"{i}{suffix}" for i in (1, 2, 3) for suffix in (".mid", ".wav")]
    assert names == [*alone, "samples.mid", "samples.png", "samples.wav"]
    assert capsys.readouterr().out.split() == [f"s/{name}" for name in names]
    assert call(run, "sample", "RUN", "--n", 3, "--seed", 5, "--draw", "--out", "s.npz") == 0
    rows = np.load("s.npz")["x"]
    assert rows.shape == (3, 32)
    for i, row in enumerate(rows):
        assert onsets(f"s/{i + 1}.mid") == [note.pitch for note in to_notes(row)]
    assert onsets("s/samples.mid") == [note.pitch for note in joined(rows)[0]]
    assert seconds("s/samples.wav") == pytest.approx(
        (3 * 32 + 2 * 16) * 60 / 112 / 4 + 0.3, abs=0.01
    )
    with Image.open("s/samples.png") as picture:
        assert min(picture.size) > 100


@pytest.mark.parametrize("suffix", [".mid", ".wav", ".png", ".npy"])
def test_samples_in_one_file(run, tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    assert call(run, "sample", "RUN", "--n", 2, "--out", out, "--quiet") == 0
    assert out.stat().st_size > 100


def test_a_morph_begins_and_ends_with_what_was_given(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = embedded.find("Korobeiniki")
    Path("own.mid").write_bytes(midi(to_notes(own), 32))
    words = ("explore", "RUN", "--morph", 7, "own.mid", "--steps", 5, "--out", "m", "--quiet")
    assert call(run, *words) == 0
    files = sorted(path.name for path in Path("m").iterdir())
    assert len([name for name in files if name.endswith(".wav")]) == 5 + 2 + 1
    given = data.load("melodies", limit=60).pixels_test[7]
    assert onsets("m/1.mid") == [note.pitch for note in to_notes(given)]
    assert onsets("m/7.mid") == [note.pitch for note in to_notes(own)]
    made = open_run(run)
    ends = made.reconstruct(np.stack([given, own]).astype("f4"))
    for name, row in (("m/2.mid", ends[0]), ("m/6.mid", ends[1])):
        assert onsets(name) == [note.pitch for note in to_notes(row)]


def test_tunes_are_named_by_their_titles_or_are_files(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.abc").write_text("X:1\nM:4/4\nL:1/4\nK:G\nGABc|d2G2|\n")
    assert call(run, "explore", "RUN", "--morph", "ode to joy", "a.abc", "--out", "m") == 0
    assert onsets("m/01.mid") == [66, 66, 67, 69, 69, 67, 66, 64]
    assert onsets("m/11.mid") == [67, 69, 71, 72, 74, 67]


def test_without_ends_there_are_four_ways_to_see_and_to_hear(run, tmp_path):
    out = tmp_path / "e"
    words = ("--only", "interpolation", "--steps", 3, "--out", out, "--quiet")
    assert call(run, "explore", "RUN", *words) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["interpolation.mid", "interpolation.png", "interpolation.wav"]
    x, made = data.load("melodies", limit=60).pixels_test, open_run(run)
    firsts = np.unique(data.load("melodies", limit=60).y_test, return_index=True)[1]
    heard = onsets(out / "interpolation.mid")
    first, last = x[firsts[0]], x[firsts[len(firsts) // 2 - 1 + len(firsts) // 2]]
    start = [
        note.pitch for row in (first, made.reconstruct(first[None])[0]) for note in to_notes(row)
    ]
    assert heard[: len(start)] == start
    end = [note.pitch for row in (made.reconstruct(last[None])[0], last) for note in to_notes(row)]
    assert heard[-len(end) :] == end


def test_names_morph_in_lines_of_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = f"train names --model sequence {SMALL} --epochs 1 --out r"
    assert main(words.split()) == 0
    assert (
        main(["explore", "r", "--morph", "3", "anna", "--steps", "4", "--out", "m", "--quiet"]) == 0
    )
    assert [path.name for path in Path("m").iterdir()] == ["morph.txt"]
    lines = Path("m/morph.txt").read_text().splitlines()
    assert len(lines) == 4 + 2
    assert lines[-1].split() == ["given:", "anna", "anna"]
    assert main(["explore", "r", "--morph", "3", "Ann4", "--out", "n", "--quiet"]) == 2
    capsys.readouterr()
    assert main(["explore", "r", "--html", "n.html", "--quiet"]) == 2
    assert "a page of sequences plays melodies" in capsys.readouterr().err
    assert not Path("n").exists()


def test_the_page(run, tmp_path):
    assert call(run, "explore", "RUN", "--html", tmp_path / "a.html", "--quiet") == 0
    assert "A map of imagined melodies" in (tmp_path / "a.html").read_text()


def test_data_are_read_from_abc_files_and_can_be_trained_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("own.abc").write_text(embedded.PATH.read_text() + "\nX:99\nT:bad\nK:C\n[CE]\n")
    assert main(["data", "melodies", "--from", "own.abc", "--out", "own.npz"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["own.npz"]
    assert "1 tune was passed over" in said.err
    again, ours = data.load("own.npz"), data.load("melodies")
    assert again.alphabet == ours.alphabet
    np.testing.assert_array_equal(again.pixels_train[:], ours.pixels_train[:])
    np.testing.assert_array_equal(again.pixels_test[:], ours.pixels_test[:])
    words = f"train own.npz --model sequence {SMALL} --epochs 1 --out r"
    assert main(words.split()) == 0
    assert main(["sample", "r", "--n", "1", "--out", "s.wav", "--quiet"]) == 0


REFUSED = [
    ("sample RUN --nearest", "--nearest was given"),
    ("sample RUN --label 3", "--label was given"),
    ("sample RUN --out a.txt", "its name must end in .png or .mid or .wav"),
    ("explore RUN --only latents --morph 1 2", "leave out"),
    ("explore RUN --morph 1 9999", "the test sequences are 0 to"),
    ("explore RUN --morph 1 nonsense", "expected the number of a held-out sequence or the title"),
    ("explore RUN --morph 1 voices.mid", "has several voices"),
    ("explore RUN --morph 1 empty.mid", "holds no note"),
    ("explore RUN --morph 1 low.mid", "but melodies lie between G3 and E6"),
    ("explore RUN --morph 1 short.abc", "fewer than 2 whole bars"),
    ("explore RUN --morph 1 text.mid", "is no MIDI file"),
    ("explore RUN --morph 1 missing.abc", "cannot be read"),
    ("explore RUN --html a.png", "its name must end in"),
    ("data melodies", "from where"),
    ("data melodies --from nowhere", "there is no 'nowhere'"),
    ("data melodies --from text.mid", "is no MIDI file"),
    ("data list --from text.mid", "--from was given"),
    ("train text.mid --model sequence", "is no MIDI file"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_makes_no_sense_is_one_sentence_and_writes_nothing(
    line, said, run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    on = [mido.Message("note_on", note=note) for note in (60, 64)]
    off = [mido.Message("note_off", note=note, time=480) for note in (60, 64)]
    for name, messages in (
        ("voices", [*on, *off]),
        ("empty", []),
        ("low", [m for _ in range(8) for m in (on[0].copy(note=30), off[0].copy(note=30))]),
    ):
        mido.MidiFile(tracks=[mido.MidiTrack(messages)], ticks_per_beat=480).save(f"{name}.mid")
    Path("short.abc").write_text("X:1\nM:4/4\nL:1/4\nK:G\nGABc|\n")
    Path("text.mid").write_text("words")
    before = sorted(tmp_path.rglob("*")), sorted(run.rglob("*"))
    assert call(run, *line.split()) == 2
    told = capsys.readouterr().err
    assert told.startswith("minivae: ")
    assert told.count("\n") == 1
    assert said in told
    assert (sorted(tmp_path.rglob("*")), sorted(run.rglob("*"))) == before


def test_a_roll_has_a_bar_for_each_note():
    rows = data.load("melodies").pixels_test[:5]
    figure = rolls(rows, [f"melody {i}" for i in range(5)], title="some")
    axes = [ax for ax in figure.axes if ax.axison]
    assert len(axes) == 5
    for ax, row in zip(axes, rows, strict=True):
        bars = [(p.get_x(), p.get_y() + p.get_height() / 2) for p in ax.patches]
        assert bars == [(n.start, pytest.approx(n.pitch)) for n in to_notes(row)]
    content = io.BytesIO()
    figure.savefig(content)
    assert content.tell() > 1000


def test_several_ways_are_columns_of_a_picture():
    rows = data.load("melodies").pixels_test[:6].astype(int)
    captions = [f"{way}, {step}" for way in "ab" for step in range(3)]
    figure = KIND.formats[".png"](Sheet(rows, ALPHABET, captions, ways=2))
    shown = [ax.get_title(loc="left") for ax in figure.axes]
    assert shown == ["a, 0", "b, 0", "a, 1", "b, 1", "a, 2", "b, 2"]
    assert figure.axes[1].patches[0].get_y() + 0.45 == pytest.approx(to_notes(rows[3])[0].pitch)
