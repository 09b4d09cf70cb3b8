"""MIDI and WAV files: read back by `mido`, which is not ours, and by their spectrum."""

import io
import wave

import numpy as np
import pytest

from minivae import data
from minivae.data.melodies import embedded, midi, own, sound
from minivae.data.melodies.alphabet import Note, joined, to_notes
from minivae.data.melodies.tune import beginning
from minivae.errors import DataError, OptionError

mido = pytest.importorskip("mido")

NOTES = to_notes(embedded.find("Ode to Joy"))


def read_back(content):
    """(start, length, pitch) in sixteenths of all notes of a MIDI file, by mido."""
    file = mido.MidiFile(file=io.BytesIO(content))
    assert (file.type, len(file.tracks)) == (0, 1)
    now, begun, found = 0, {}, []
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on":
            begun[message.note] = now
        elif message.type == "note_off":
            start = begun.pop(message.note)
            step = file.ticks_per_beat / 4
            found.append(Note(start / step, (now - start) / step, message.note))
    assert not begun
    return sorted(found), now * 4 / file.ticks_per_beat


def test_a_midi_file_is_read_back_note_for_note():
    notes, end = read_back(midi.midi(NOTES, 32))
    assert notes == NOTES
    assert end == 32


def test_all_melodies_are_read_back():
    rows = data.load("melodies").pixels_test[:60]
    notes, steps = joined(rows)
    found, end = read_back(midi.midi(notes, steps))
    assert found == notes
    assert end == steps == 60 * 32 + 59 * 16


def test_the_tempo_gives_the_length_in_seconds():
    file = mido.MidiFile(file=io.BytesIO(midi.midi(NOTES, 32, tempo=90)))
    assert file.length == pytest.approx(32 / 4 * 60 / 90, rel=1e-4)


@pytest.mark.parametrize("ticks", [0, 127, 128, 200, 16383, 16384, 2097152])
def test_delays_are_those_of_mido(ticks):
    from mido.midifiles.meta import encode_variable_int

    assert list(midi._delay(ticks)) == encode_variable_int(ticks)


def spectrum_peak(y, rate):
    """Hertz of the largest peak, between the bins."""
    window = np.hanning(len(y))
    size = 1 << 17
    power = np.abs(np.fft.rfft(y * window, size))
    return power.argmax() * rate / size


def test_each_note_has_its_pitch_in_the_spectrum():
    with wave.open(io.BytesIO(sound.wav(NOTES, 32))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22050)
        y = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    step = 60 / midi.TEMPO / 4 * sound.RATE
    assert len(y) == round((32 * step / sound.RATE + sound.TAIL) * sound.RATE)
    assert 0.2 * 32767 < np.abs(y).max() < 32767
    for start, length, pitch in NOTES:
        heard = spectrum_peak(y[round(start * step) : round((start + length) * step)], sound.RATE)
        assert heard == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.01)


@pytest.mark.parametrize("pitch", range(55, 89))
def test_pitches_are_those_of_equal_temperament(pitch):
    heard = spectrum_peak(sound.tone(pitch, 0.25), sound.RATE)
    assert heard == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.01)


def test_a_rest_is_silent_and_a_note_fades():
    y = sound.samples([Note(0, 4, 69), Note(8, 4, 72)], 16)
    step = 60 / midi.TEMPO / 4 * sound.RATE
    assert np.all(y[round(4 * step) + 2 : round(8 * step) - 2] == 0)
    assert abs(y[0]) < 1e-9
    assert abs(y[round(4 * step) - 1]) < 0.01


# Files of the user's own, as mido writes them.


def written(folder, *notes, name="own.mid", channels=None, ticks=96, tracks=1, gap=0):
    """A file with notes (start, length, pitch) in sixteenths."""
    file = mido.MidiFile(ticks_per_beat=ticks)
    events = []
    for i, (start, length, pitch) in enumerate(notes):
        channel = (channels or {}).get(i, 0)
        on, off = round(start * ticks / 4), round((start + length) * ticks / 4) - gap
        events.append((on, 1, i, mido.Message("note_on", note=pitch, channel=channel)))
        end = mido.Message("note_on", note=pitch, velocity=0, channel=channel)
        events.append((off, 0, i, end))
    for k in range(tracks):
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("set_tempo", tempo=400_000))
        now = 0
        for tick, _, i, message in sorted(events, key=lambda event: event[:2]):
            if i % tracks == k:
                track.append(message.copy(time=tick - now))
                now = tick
        file.tracks.append(track)
    file.save(folder / name)
    return folder / name


SCALE = [(2 * i, 2, 60 + i) for i in range(16)]


@pytest.mark.parametrize("how", [{}, {"ticks": 480, "gap": 20}, {"tracks": 2}, {"ticks": 4}])
def test_a_midi_file_of_one_voice_is_read(tmp_path, how):
    tokens = beginning(midi.read_midi(written(tmp_path, *SCALE, **how)))
    assert to_notes(tokens) == [Note(*note) for note in SCALE]


def test_notes_over_a_bar_line_and_rests_are_read(tmp_path):
    notes = [(0, 4, 60), (8, 16, 62), (28, 4, 64)]
    tokens = beginning(midi.read_midi(written(tmp_path, *notes)))
    assert to_notes(tokens) == [Note(*note) for note in notes]


def test_our_own_files_are_read(tmp_path):
    path = tmp_path / "own.mid"
    path.write_bytes(midi.midi(NOTES, 32))
    assert to_notes(beginning(midi.read_midi(path))) == NOTES


@pytest.mark.parametrize(
    ("notes", "how", "said"),
    [
        ([(0, 4, 60), (0, 4, 64)], {}, "has several voices: at quarter 0 the notes 60 and 64"),
        ([(0, 8, 60), (4, 4, 64)], {}, "has several voices: at quarter 1"),
        ([(0, 4, 60), (0, 4, 64)], {"tracks": 2, "channels": {1: 3}}, "has several voices"),
        ([], {}, "holds no note"),
        ([(0, 1, 60), (1.5, 1, 61)], {}, "does not fit sixteenths: the note 2 begins at"),
        ([(0, 4 / 3, 60), (4 / 3, 4 / 3, 62)], {}, "does not fit sixteenths"),
        ([(0, 4, 40), *[(4 + i, 1, 60) for i in range(28)]], {}, "a note E2, but melodies lie"),
        ([(0, 4, 60)], {}, "fewer than 2 whole bars"),
    ],
)
def test_what_is_no_melody_is_refused_in_one_sentence(tmp_path, notes, how, said):
    path = written(tmp_path, *notes, **how)
    with pytest.raises(DataError, match=said) as caught:
        beginning(midi.read_midi(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_midi_file_is_refused(tmp_path):
    good = written(tmp_path, *SCALE).read_bytes()
    path = tmp_path / "bad.mid"
    for content, said in [
        (b"", "is no MIDI file"),
        (b"RIFF....", "is no MIDI file: it starts with b'RIFF'"),
        (good[:40], "is a damaged MIDI file"),
        (good[:12] + b"\xe7\x28" + good[14:], "counts seconds"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            midi.read_midi(path)
    with pytest.raises(DataError, match="cannot be read"):
        midi.read_midi(tmp_path / "missing.mid")


def test_any_damaged_file_is_refused_or_read(tmp_path):
    good, rng = bytearray(written(tmp_path, *SCALE).read_bytes()), np.random.default_rng(0)
    path = tmp_path / "bad.mid"
    for _ in range(300):
        bad = bytearray(good)
        for at in rng.integers(4, len(bad), rng.integers(1, 6)):
            bad[at] = rng.integers(256)
        path.write_bytes(bad)
        try:
            beginning(midi.read_midi(path))
        except DataError:
            continue


def test_without_mido_its_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, *SCALE)
    monkeypatch.setitem(__import__("sys").modules, "mido", None)
    with pytest.raises(OptionError, match=r"pip install 'minivae\[music\]'"):
        midi.read_midi(path)


def test_files_and_folders_of_music_are_data_sets(tmp_path):
    (tmp_path / "some").mkdir()
    for k in range(12):
        notes = [(start, length, pitch - k % 3) for start, length, pitch in SCALE]
        written(tmp_path / "some", *notes[k % 2 :], name=f"{k}.mid")
    (tmp_path / "some" / "a.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nCCCC|GGGG|CCCC|\n")
    (tmp_path / "some" / "bad.mid").write_bytes(b"no")
    found = data.load(tmp_path / "some")
    assert found.name == "some"
    assert len(found.pixels_test) > 0
    assert "1 tune was passed over" in found.notes[0]
    assert len(data.load(tmp_path / "some" / "a.abc").pixels_train) == 2 * 11
    assert len(data.load(tmp_path / "some" / "1.mid").pixels_train) == 11
    (tmp_path / "some" / "1.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"1\.png"):
        data.load(tmp_path / "some")


def test_the_corpus_of_music21_is_read_where_it_lies(tmp_path):
    import zipfile

    path = tmp_path / "music21-1.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for folder in ("airdsAirs", "essenFolksong"):
            name = f"music21/corpus/{folder}/a.abc"
            archive.writestr(name, f"X:1\nT:{folder}\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n")
    tunes, passed_over = own.read_tunes(path)
    assert [tune.title for tune in tunes] == ["airdsAirs"]
    assert passed_over == []


def test_sources_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there is no 'nowhere'; give an ABC or MIDI file"):
        own.find_source("nowhere")
    monkeypatch.setattr(own.importlib.util, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="music21 is not installed"):
        own.find_source("music21")
    (tmp_path / "bad.zip").write_bytes(b"no")
    with pytest.raises(DataError, match=r"is no \.zip file"):
        own.read_tunes(tmp_path / "bad.zip")
    with pytest.raises(DataError, match="holds no ABC or MIDI file"):
        own.read_tunes(tmp_path)
