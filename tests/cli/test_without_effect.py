"""An option that would do nothing is refused, in one sentence; nothing is written."""

import os
from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.engine import backend

REFUSED = """
train digits8 --warmup 3
train digits8 --weight-decay 0.1
train digits8 --channels 4
train digits8 --likelihood bernoulli --sigma 0.3
train digits8 --beta 0 --schedule linear
train digits8 --beta 0 --free-bits 0.1
train digits8 --samples 5 --beta 2
train digits8 --samples 5 --schedule linear
train digits8 --samples 5 --free-bits 0.1
train digits8 --label-smoothing 0.1
train digits8 --label kind
train digits8 --ignore kind
train digits8 --one-hot kind
train digits8 --header yes
train digits8 --missing drop
train digits8 --drop-unlabelled
train digits8 --drop-constant
train rows.csv --drop-unlabelled
train rows.csv --label kind --binarize dynamic
train digits8 --model autoencoder --beta 2
train digits8 --model autoencoder --schedule linear
train digits8 --model autoencoder --warmup 3
train digits8 --model autoencoder --samples 5
train digits8 --model autoencoder --free-bits 0.1
train digits8 --model gan --beta 2
train digits8 --model gan --patience 2
train digits8 --model gan --samples 5
train --resume VAE --out new
train --resume VAE --lr 0.01
train --resume VAE --clip-norm 3
train --resume VAE --hidden 7 --epochs 3
sample VAE --label 3
sample VAE --temperature 0 --seed 3
sample VAE --nearest --out new
sample GAN --draw
reconstruct VAE --label kind
reconstruct VAE --header yes
reconstruct VAE --missing drop
reconstruct VAE --drop-unlabelled
reconstruct VAE --data digits8 --missing drop
evaluate VAE --label kind
evaluate AE --seed 3
evaluate AE --importance-samples 5
evaluate GAN --quality --importance-samples 5
anomaly fit digits8 --label kind
anomaly fit rows.csv --ignore kind --normal a
anomaly score VAE digits8 --top 3
anomaly score VAE digits8 --label kind
anomaly score VAE digits8 --missing drop
augment digits8 --out new.npz --seeds 3
augment digits8 --out new.npz --label kind
augment --run CVAE --out new.npz --hidden 3
augment --run CVAE --out new.npz --latent 3
augment --run CVAE --out new.npz --epochs 3
augment --run CVAE --out new.npz --label kind
augment --run CVAE --out new.npz --missing drop
augment --experiment --out new --per-class 3
augment --experiment --out new --how prior
augment --experiment --out new --temperature 2
augment --experiment --out new --with-real
augment --experiment --out new --seed 3
augment --experiment --out new --backend numpy
augment --experiment --out new --hidden 3
augment --experiment --out new --label kind
explore VAE --html new.html --steps 3
explore VAE --html new.html --only latents
explore VAE --html new.html --out new
explore VAE --morph a.png b.png --data digits8
explore VAE --classes 1 2 --with a --without b
explore VAE --with a
explore VAE --only latents --steps 3
explore VAE --only latents --images 1 2
explore VAE --only manifold --classes 1 2
explore VAE --only manifold --with a --without b
explore VAE --only manifold --data digits8
compare --list --seeds 3
compare --list --out new
compare --list --jobs 2
compare --list modes
data list digits8
step --all --out new.html
check --seed 0
check --timeout 3
check --jobs 1
check --memory 100
check --insist
check --force
check --json
check --points rubric.toml
check --csv new.csv
check passes.py --csv new.csv
check passes.py --force
check passes.py --batch folder
check --resume
check passes.py --resume
check --batch folder --resume --json
check --batch folder --resume --force
check --batch folder --gradescope new.json
exercises list folder
exercises list --notebook
exercises list --otter
exercises list --gradescope
exercises new folder --gradescope
exercises solutions folder --otter
"""

RUNS = {
    "VAE": [],
    "AE": ["--model", "autoencoder"],
    "GAN": ["--model", "gan"],
    "CVAE": ["--conditional"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("effect")
    small = ["--limit", "40", "--epochs", "1", "--hidden", "5", "--latent", "2", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(backend, "default_backend", lambda: "numpy")
        for name, words in RUNS.items():
            assert main(["train", "digits8", *words, *small, "--out", name]) == 0
        x = np.random.default_rng(0).random((40, 2)).round(3)
        rows = [f"{p},{q},{'ab'[i % 2]}\n" for i, (p, q) in enumerate(x)]
        Path("rows.csv").write_text("p,q,kind\n" + "".join(rows))
        yield folder


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_an_option_without_effect_is_refused(line, place, capsys):
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    said = [text for text in printed.err.splitlines() if text.startswith("minivae: ")]
    assert len(said) == 1, printed.err
    assert said[0].endswith((".", "?")), said
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    assert os.getcwd() == str(place)
