"""`minivae step`: a step to follow with pencil and paper."""

import os
import pty
import re
import select
import subprocess
import sys

import numpy as np
import pytest

from minivae.cli.commands.step import LEARNING_RATE, tiny
from minivae.cli.main import main
from minivae.ops import ACTIVATIONS


def printed(capsys, *arguments):
    assert main(["step", *arguments]) == 0
    return capsys.readouterr().out


def test_every_operation_with_every_number(capsys):
    text = printed(capsys, "--all")
    heads = re.findall(r"^(\d+) of 22  (forward|backward)  (\S+): (\S+) -", text, re.MULTILINE)
    assert [int(head[0]) for head in heads] == list(range(1, 23))
    model, x, eps = tiny(0, 1, "relu")
    assert model.params.theta.size == 31
    assert np.array_equal(np.round(model.params.theta, 1), model.params.theta)
    before = float(model.step(x, eps).loss)
    for name in model.params:
        last = model.params.grad_of(name).reshape(-1)[-1]
        assert f"{last + 0.0:.6g} ]" in text, name
    model.params.theta -= LEARNING_RATE * model.params.grad
    after = float(model.forward(x, eps).loss)
    assert after < before
    assert f"goes from {before:.6g} to {after:.6g} nats." in text


def test_a_sum_checked_with_pencil_and_paper(capsys):
    """The first layer and the heads of seed 0, from the numbers that are printed."""
    text = printed(capsys, "--all", "--seed", "0")
    first = text.partition("1 of 22")[2].partition("2 of 22")[0]
    assert "x (1,2)  [ 0  1 ]" in first
    assert "[  0.2  -0.2     1 ]" in first  # the second row of W, which x = [0, 1] picks
    assert "b (3,)   [   1  0.4  0.3 ]" in first
    assert "> y (1,3)  [ 1.2  0.2  1.3 ]" in first
    heads = text.partition("2 of 22")[2].partition("3 of 22")[0]
    # mu = 1.2 * 0.4 + 0.2 * -0.7 + 1.3 * 0.1 = 0.47; logvar = -0.24 + 0.08 - 0.52 + 0.8 = 0.12
    assert "> y (1,2)  [ 0.47  0.12 ]" in heads


def test_a_seed_reproduces(capsys):
    first, again, other = (printed(capsys, "--all", "--seed", seed) for seed in "112")
    assert first == again
    assert first != other


def test_piped_it_prints_everything_and_waits_for_nothing():
    command = [sys.executable, "-m", "minivae", "step", "--activation", "tanh", "--batch", "2"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.PIPE)
    assert done.returncode == 0
    assert "22 of 22" in done.stdout
    assert "nats." in done.stdout
    assert "Enter" not in done.stdout


def in_a_terminal(keys):
    """Answer each question of `minivae step` with a line, in a pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "minivae", "step"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    text = ""
    for i, key in enumerate(keys, start=1):
        while text.count("q: stop ") < i:
            ready, _, _ = select.select([ours], [], [], 60)
            assert ready, f"no answer after {text!r}"
            text += os.read(ours, 4096).decode()
        os.write(ours, key.encode())
    assert process.wait(timeout=60) == 0
    os.close(theirs)
    os.close(ours)
    return [int(number) for number in re.findall(r"(\d+) of 22 ", text)]


def test_leafing_through_in_a_terminal():
    assert in_a_terminal(["\n", "\n", "b\n", "q\n"]) == [1, 2, 3, 2]
    assert in_a_terminal(["b\n", "\x04"]) == [1, 1]  # end of input stops too


def test_a_page(tmp_path, capsys):
    out = tmp_path / "step.html"
    assert printed(capsys, "--out", str(out)).strip() == str(out)
    assert "fork.backward_two" in out.read_text()
    assert main(["step", "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch", "0"], "choose 1 to 8 examples"),
        (["--batch", "9"], "choose 1 to 8 examples"),
        (["--activation", "cubic"], f"choose one of: {', '.join(ACTIVATIONS)}."),
        (["--out", "step.txt"], "must end in .html"),
    ],
)
def test_bad_options(arguments, words, capsys):
    assert main(["step", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
