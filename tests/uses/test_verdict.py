"""What is said of a trained model, and that its cures cure."""

import json
import math
import re

import numpy as np
import pytest

from minivae import VAE
from minivae.cli.main import main
from minivae.data.statistics import spread
from minivae.uses.quality.collapse import Usage
from minivae.uses.quality.verdict import constant_loss, cures_for, still_falls, verdict

REST = [100.0, 60.0, 50.0, *[50 + 0.1 * (-1) ** k for k in range(20)]]
FALLING = [100 / (1 + k / 5) for k in range(20)]


def usage(kl, active, n=100):
    return Usage(np.array(kl, float), np.where(active, 1.0, 0.0), n)


def said(kl=(3, 0), active=(True, False), *, loss=50.0, constant=80.0, losses=REST, n=100, **how):
    how = {"cures": ["--beta 1"], "on": "minivae train --resume r --epochs 40"} | how
    return verdict(usage(kl, active, n), loss=loss, constant=constant, losses=losses, **how)


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        (REST, 0.0),
        ([50.0] * 30, 0.0),
        ([50 + 0.1 * k for k in range(30)], 0.0),  # it rises
        ([100 - k for k in range(30)], 5.0),  # six epochs, five steps of 1
        ([100 - 0.2 * k for k in range(10)], 0.8),  # five epochs at least
    ],
)
def test_a_loss_falls_by_the_line_through_its_last_fifth(losses, falls):
    assert still_falls(losses)[0] == pytest.approx(falls, abs=1e-9)


def test_noise_around_a_level_is_rarely_a_fall():
    rng = np.random.default_rng(0)
    noisy = [[200.0, *(100 + rng.normal(size=40))] for _ in range(500)]
    assert sum(still_falls(losses)[0] > 0 for losses in noisy) < 15


@pytest.mark.parametrize("likelihood", ["gaussian_shared", "gaussian_learned"])
def test_the_constant_picture_under_a_gaussian_in_closed_form(likelihood):
    x = np.random.default_rng(0).normal(3, 2, (200, 7))
    mean, s = x.mean(axis=0), spread(x)
    assert s == pytest.approx(math.sqrt(((x - mean) ** 2).mean()), rel=1e-12)
    model = VAE(7, (4,), 2, likelihood=likelihood, rng=np.random.default_rng(0), dtype="float64")
    exact = 7 / 2 * (math.log(2 * math.pi * s**2) + 1)  # the entropy of seven normal numbers
    assert constant_loss(model, mean, s, x) == pytest.approx(exact, rel=1e-12)


def test_the_constant_picture_of_binary_pixels_is_the_entropy_of_the_pixels():
    x = (np.random.default_rng(0).random((500, 6)) < [0.1, 0.5, 0.9, 0.3, 0.2, 0.7]) * 1.0
    p = x.mean(axis=0)
    model = VAE(6, (4,), 2, rng=np.random.default_rng(0), dtype="float64")
    exact = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    assert constant_loss(model, p, spread(x), x) == pytest.approx(exact, rel=1e-9)


def test_a_loss_that_falls_allows_no_verdict():
    text = said(losses=FALLING)
    assert "still falls" in text
    assert "`minivae train --resume r --epochs 40`" in text
    assert "so far 1 of 2 carry something" in text
    assert "collapse" not in text
    assert "3 epochs are too few" in said(losses=REST[:3])
    assert "--beta 1" not in text
    assert "If that does not change, train anew with --beta 1" in said(losses=FALLING, constant=40)


def test_a_model_that_is_no_better_than_a_constant_picture_is_told_so():
    text = said(constant=49.0, kl=(0.4, 0.13), active=(True, True))
    assert text.startswith("It is no better than one constant picture, whose loss is 49.00 nats.")
    assert "carries 0.53 nats about an example, which tells about 1.7 kinds" in text
    assert text.endswith("Train anew with --beta 1.")
    assert "No posterior collapse" not in text


def test_a_model_at_rest_is_judged_by_its_dimensions():
    text = said()
    assert text.startswith(
        "It is better than one constant picture, whose loss is 80.00 nats, by 30"
    )
    assert "1 of 2 latent dimension (2) has collapsed" in text
    assert "1 dimension pays" in text
    assert "No posterior collapse" in said(kl=(3, 2), active=(True, True))
    assert "too few" in said(n=4)


def test_the_likeliest_cure_comes_first():
    usual = {"beta": 1, "lr": 1e-3, "schedule": "constant", "free_bits": 0.0}
    assert cures_for(usual, {}) == ["--schedule linear", "--free-bits 0.1"]
    assert cures_for(usual | {"beta": 4}, {}) == ["--beta 1"]
    assert cures_for(usual | {"lr": 0.01}, {}) == ["--lr 0.001"]
    assert cures_for(usual | {"sigma": 1.0}, {"sigma": 0.13}) == ["--sigma 0.13"]
    assert cures_for(usual | {"sigma": 0.13}, {"sigma": 0.13})[0] == "--schedule linear"
    assert cures_for(usual | {"schedule": "linear", "free_bits": 0.1}, {}) == []
    heard = usual | {"word_dropout": 0, "decoder_kind": "gru"}
    assert cures_for(heard, {}) == ["--word-dropout 0.5", "--free-bits 0.1"]
    assert cures_for(heard | {"decoder_kind": "mlp"}, {})[0] == "--schedule linear"


@pytest.mark.slow
@pytest.mark.parametrize(
    "ill",
    [
        ("--hidden", "64", "--likelihood", "gaussian", "--sigma", "1"),
        ("--hidden", "64", "--beta", "60"),
        ("--hidden", "64", "64", "64", "--lr", "0.03"),
    ],
    ids=["sigma", "beta", "impatient"],
)
def test_the_cures_that_are_named_cure(tmp_path, capsys, ill):
    def trained(name, *words):
        folder = str(tmp_path / name)
        usual = ("train", "digits8", "--latent", "6", "--epochs", "40")
        assert main([*usual, *words, "--quiet", "--out", folder]) == 0
        capsys.readouterr()
        assert main(["evaluate", folder, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    sick = trained("sick", *ill)
    assert sick["kl"] < 1
    pattern = r"(--(?:sigma|beta|lr)) ([\w.]+?)(?=\.? |\.$)"
    ((flag, value),) = re.findall(pattern, sick["collapse"])
    well = trained("well", *ill, flag, value)  # of an option given twice the last one counts
    assert well["kl"] > 1, (flag, value, well["collapse"])
    assert well["elbo"] > well["constant"] + 0.5


def test_few_epochs_are_said_by_the_command(tmp_path, capsys):
    words = ("train", "digits8", "--limit", "60", "--hidden", "8", "--latent", "2", "--epochs", "1")
    assert main([*words, "--quiet", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 epoch is too few to tell" in out
    assert f"minivae train --resume {tmp_path / 'run'} --epochs 2" in out
