"""The commands on sequences of symbols: each does something that makes sense, or says why not."""

from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.data.names import ALPHABET
from minivae.train.runs import open_run

SMALL = "--limit 60 --latent 2 --hidden 8 --states 6 --embedding 3 --batch 16 --quiet"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    at = tmp_path_factory.mktemp("sequences") / "run"
    words = f"train names --model sequence {SMALL} --epochs 2 --out {at}"
    assert main(words.split()) == 0
    return at


def call(run, line):
    return main([word.replace("RUN", str(run)) for word in line.split()])


def test_a_run_spells_what_it_makes(run):
    samples = (run / "samples.txt").read_text().splitlines()
    pairs = [line.split("\t") for line in (run / "reconstructions.txt").read_text().splitlines()]
    assert len(samples) == 64
    assert all(len(pair) == 2 and pair[0] for pair in pairs)
    letters = set("".join(samples) + "".join(map("".join, pairs)))
    assert letters <= set(ALPHABET[1:-1])
    assert max(map(len, samples)) <= 12
    assert not (run / "samples.png").exists()
    assert (run / "latent.png").exists()


def test_samples_and_reconstructions_are_texts_or_numbers(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(run, "sample RUN --n 5 --seed 3 --out a.txt") == 0
    assert call(run, "sample RUN --n 5 --seed 3 --out a.npz") == 0
    numbers = np.load("a.npz")["x"]
    assert numbers.shape == (5, 12)
    assert Path("a.txt").read_text().splitlines() == open_run(run).texts(numbers)
    assert call(run, "reconstruct RUN --n 4 --out b.txt") == 0
    assert len(Path("b.txt").read_text().splitlines()) == 4


def test_a_resumed_run_goes_on_bit_for_bit(run, tmp_path):
    words = f"train names --model sequence {SMALL} --word-dropout 0.4 --schedule linear"
    for name, epochs in (("half", 1), ("whole", 2)):
        assert main([*words.split(), "--epochs", str(epochs), "--out", str(tmp_path / name)]) == 0
    assert main(["train", "--resume", str(tmp_path / "half"), "--epochs", "2", "--quiet"]) == 0
    a, b = (open_run(tmp_path / name).training for name in ("half", "whole"))
    assert a.model.params.theta.tobytes() == b.model.params.theta.tobytes()
    assert a.history == b.history


def test_an_evaluation_has_its_bound_and_an_estimate(run, capsys):
    assert call(run, "evaluate RUN --limit 20 --importance-samples 3") == 0
    told = capsys.readouterr().out
    assert "of a decoder to which all symbols are alike" in told
    assert "ln p(x)" in told


def test_walks_are_lines_of_text(run, tmp_path):
    assert call(run, f"explore RUN --images 3 14 --steps 5 --out {tmp_path / 'walks'}") == 0
    walks = {path.name: path for path in (tmp_path / "walks").iterdir()}
    assert set(walks) == {"interpolation.txt", "traversals.txt", "latents.png"}
    (line,) = walks["interpolation.txt"].read_text().splitlines()
    trained = open_run(run)
    x = trained.test_rows(trained.load_data())[0]
    words, given = line.split("\t"), trained.texts(x[np.array([3, 14])])
    assert len(words) == 7
    assert [words[0], words[-1]] == given
    # The ways begin and end where the data are reconstructed.
    assert [words[1], words[-2]] == trained.texts(trained.reconstruct(x[np.array([3, 14])]))
    head, *rows = walks["traversals.txt"].read_text().splitlines()
    assert len(head.split("\t")) == 12
    assert [row.split("\t")[0] for row in rows] == ["z_1", "z_2"]


REFUSED = """
train names
train names --model vae --likelihood gaussian
train digits8 --model sequence
train names --model sequence --likelihood bernoulli
train names --model sequence --bias-from-data
train names --model sequence --binarize fixed
train names --model sequence --network conv
train names --model sequence --word-dropout 1.5
train names --model sequence --decoder-kind mlp --word-dropout 0.5
train names --model sequence --states 0
train digits8 --word-dropout 0.5
sample RUN --nearest
sample RUN --out x.png
sample RUN --out folder
reconstruct RUN --data digits8
evaluate RUN --quality
evaluate RUN --data digits8
explore RUN --only manifold
explore RUN --only arithmetic
explore RUN --morph a.png b.png
explore RUN --html x.html
anomaly fit names
anomaly score RUN names
augment names --out x.npz
augment --run RUN --out x.npz
"""


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_what_makes_no_sense_is_one_sentence_and_writes_nothing(
    line, run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    before = sorted(run.iterdir())
    assert call(run, line) == 2
    told = capsys.readouterr().err
    assert told.startswith("minivae: ")
    assert told.count("\n") == 1
    assert "Traceback" not in told
    assert sorted(run.iterdir()) == before
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
