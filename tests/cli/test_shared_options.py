"""Options that several commands have mean the same in each."""

import argparse
import importlib
import json

import pytest

from minivae.cli.main import COMMANDS, main
from minivae.cli.options import SHARED

PARSED = [name for name in COMMANDS if name not in ("check", "exercises", "anomaly")]
"""Commands with options of their own here; those of the course are its own."""


def options_of(command):
    parser = argparse.ArgumentParser()
    importlib.import_module(f"minivae.cli.commands.{command}").configure(parser)
    return {
        action.option_strings[-1]: action for action in parser._actions if action.option_strings
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    words = ["train", "digits8", "--limit", "40", "--epochs", "1", "--hidden", "8"]
    assert main([*words, "--latent", "2", "--quiet", "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("command", PARSED)
def test_a_shared_option_is_the_same_everywhere(command):
    for flag, action in options_of(command).items():
        shared = SHARED.get(flag.removeprefix("--"), {})
        assert not shared or action.choices == shared.get("choices"), flag
        assert not shared or action.type == shared.get("type"), flag
        assert command == "evaluate" or action.help == shared.get("help", action.help)


@pytest.mark.parametrize(
    ("option", "commands"),
    {
        "--seed": "train sample evaluate augment step",
        "--backend": "train sample reconstruct explore evaluate augment",
        "--quiet": "train sample reconstruct explore evaluate augment compare read bench",
        "--json": "train sample reconstruct explore evaluate augment compare data bench",
    }.items(),
)
def test_every_command_has_it_where_it_means_something(option, commands):
    assert all(option in options_of(command) for command in commands.split())


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "--n", "4", "--out", "new.npz"),
        ("reconstruct", "--n", "4", "--out", "new.npz"),
        ("explore", "--only", "manifold", "--out", "walk"),
        ("evaluate", "--limit", "20"),
    ],
    ids=lambda words: words[0],
)
def test_json_is_one_object_and_quiet_leaves_names(run, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    command, *others = words
    assert main([command, str(run), *others, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert printed.err == ""
    assert all((tmp_path / file).exists() for file in told.get("files", []))
    assert ("files" in told) == ("--out" in words)
    others = [word.replace("new", "newer").replace("walk", "walked") for word in others]
    assert main([command, str(run), *others, "--quiet", "--backend", "numpy"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == [
        file.replace("new", "newer").replace("walk", "walked") for file in told.get("files", [])
    ]


def test_json_of_a_training_and_of_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train", "digits8", "--limit", "20", "--epochs", "2", "--hidden", "4", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["epoch"]) == ("runs/001-digits8-vae", 2)
    assert told["val_loss"] > 0
    assert main(["data", "--json"]) == 0
    assert "digits8" in [entry["name"] for entry in json.loads(capsys.readouterr().out)["data"]]


def test_another_seed_is_another_estimate(run, capsys):
    def elbo(*words):
        assert main(["evaluate", str(run), "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)["elbo"]

    assert elbo() == elbo("--seed", "0")
    assert elbo() != elbo("--seed", "1")
