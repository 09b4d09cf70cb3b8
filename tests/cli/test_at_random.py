"""No command ends in a traceback, whatever it is given; and nothing controls the terminal."""

import pytest
from cli.commands_at_random import at_random, prepare

from minivae.cli.main import main
from minivae.engine import backend


def code_of(words):
    """Exit code of a command, whether it returns or exits."""
    try:
        return main(words)
    except SystemExit as end:
        return end.code


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("commands"))
        patch.setenv("MINIVAE_DATA", str(tmp_path_factory.mktemp("none")))
        patch.setattr(backend, "default_backend", lambda: "numpy")
        prepare(".")
        yield


@pytest.mark.usefixtures("workplace")
def test_commands_at_random_end_in_a_sentence():
    """The whole is `python tests/cli/commands_at_random.py 2000`."""
    wrong = [f"{words} -> {bad}" for words, bad, _ in at_random(60, seed=11) if bad]
    assert not wrong, "\n".join(wrong)


def test_what_controls_a_terminal_is_not_printed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[31m\u202e\x07.csv"
    (tmp_path / name).write_text("p,q\x1b[2J\n" + "1,2\n2,x\x1b[0m\n" * 20)
    for words in (["train", name], ["data", name], ["sample", name], ["train", "--" + name]):
        assert code_of(words) == 2
    out, err = capsys.readouterr()
    assert all(c.isprintable() or c == "\n" for c in out + err)
    assert "a?[31m" in err


@pytest.mark.parametrize(
    "words", [["train", "\x1b[31m"], ["\x1b[31m"], ["explore", "--kind", "\x1b"]]
)
def test_an_argument_is_not_echoed_raw(words, capsys):
    assert code_of(words) == 2
    assert "\x1b" not in "".join(capsys.readouterr())
