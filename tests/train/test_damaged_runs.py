"""A damaged run folder ends every command that reads it in a sentence, never in a traceback.

The suite tries a few hundred; `python tests/train/test_damaged_runs.py 5000` tries more.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main

pytestmark = pytest.mark.slow

SMALL = ["--hidden", "6", "--latent", "2", "--epochs", "2", "--quiet"]
TRAINED = {
    "vae": ["--data", "digits8", "--limit", "60", "--patience", "1"],
    "cvae": ["--data", "digits8", "--limit", "60", "--model", "cvae"],
    "gan": ["--data", "digits8", "--limit", "60", "--model", "gan"],
    "table": ["--data", "table.csv", "--label", "kind", "--likelihood", "gaussian"],
}
COMMANDS = {
    "sample": ["sample", "RUN", "--n", "2", "--out", "NEW.png"],
    "reconstruct": ["reconstruct", "RUN", "--n", "2", "--out", "NEW.png"],
    "evaluate": ["evaluate", "RUN", "--importance-samples", "2", "--limit", "20"],
    "json": ["evaluate", "RUN", "--json", "--limit", "20"],
    "explore": ["explore", "RUN", "--only", "latents", "--out", "NEW"],
    "page": ["explore", "RUN", "--html", "NEW.html"],
    "score": ["anomaly", "score", "RUN", "digits8", "--limit", "20", "--out", "NEW.csv", "--quiet"],
    "augment": ["augment", "--run", "RUN", "--per-class", "2", "--out", "NEW.npz"],
    "resume": ["train", "--resume", "RUN", "--epochs", "3", "--quiet"],
    "rate": ["train", "--resume", "RUN", "--epochs", "3", "--lr", "0.01", "--quiet"],
}
VALUES = [
    *(None, True, -1, 0, 1, 3, 2**31, 10**30, 0.5, -1e308, float("nan"), float("inf")),
    *(
        "",
        "x",
        "relu",
        "../..",
        "a" * 3000,
        "\x1b[31m\n",
        [],
        {},
        [1, 2],
        [[]],
        {"a": 1},
        ["x"],
        [None],
    ),
]


def call(*words):
    """Run a command; return its code, what it wrote to stderr, and how it broke, if it did."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = main(list(words))
        except SystemExit as end:
            code = end.code
        except BaseException:
            return None, err.getvalue(), traceback.format_exc()
    broken = err.getvalue() if "Traceback" in err.getvalue() else ""
    return code, err.getvalue(), broken


def train_all(folder):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'ab'[i % 2]}" for i, (a, b) in enumerate(rng.normal(size=(40, 2)))]
    (folder / "table.csv").write_text("one,two,kind\n" + "\n".join(rows) + "\n")
    for name, options in TRAINED.items():
        words = [str(folder / o) if o == "table.csv" else o for o in options]
        code, err, broken = call("train", *words, *SMALL, "--out", str(folder / name))
        assert code == 0, err + broken


# ---- damage: each changes a run folder, and says how ----


def places(tree, path=()):
    """Paths to all values of a tree of dicts and lists."""
    yield path
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from places(value, (*path, key))


def replace(tree, path, rng):
    """Put something else at a path, or take it away."""
    *way, last = path
    for key in way:
        tree = tree[key]
    if rng.random() < 0.2:
        del tree[last]
        return "removed"
    tree[last] = VALUES[rng.integers(len(VALUES))]
    return f"= {tree[last]!r:.40}"


def read(run):
    with np.load(run / "checkpoint.npz") as archive:
        arrays = dict(archive)
    return json.loads(str(arrays.pop("meta"))), arrays


def write(run, meta, arrays):
    np.savez(run / "checkpoint.npz", **arrays, meta=np.array(json.dumps(meta)))


def a_value(run, rng):
    meta, arrays = read(run)
    paths = [path for path in places(meta) if path]
    path = paths[rng.integers(len(paths))]
    what = replace(meta, path, rng)
    write(run, meta, arrays)
    return f"{'.'.join(map(str, path))} {what}"


def two_values(run, rng):
    return f"{a_value(run, rng)}; {a_value(run, rng)}"


def an_array(run, rng):
    meta, arrays = read(run)
    name = list(arrays)[rng.integers(len(arrays))]
    a = arrays[name]
    forms = {
        "gone": None,
        "empty": a[:0],
        "shorter": a[:-1],
        "longer": np.append(a, a[:1]),
        "deep": np.array([[a]]),
        "a number": np.array(1.5),
        "NaN": np.full_like(a, np.nan, dtype=float),
        "infinite": np.full(a.shape, np.inf),
        "large": np.full(a.shape, 1e30),
        "complex": a.astype(complex),
        "words": a.astype(str),
        "whole": a.astype(int),
        "dates": np.zeros(a.shape, "M8[s]"),
        "truth": a.astype(bool),
        "records": np.zeros(a.shape, [("a", "f4")]),
    }
    what = list(forms)[rng.integers(len(forms))]
    arrays[name] = forms[what]
    if what == "gone":
        del arrays[name]
    write(run, meta, arrays)
    return f"{name} {what}"


def another_array(run, rng):
    meta, arrays = read(run)
    name = ["history.loss2", "optimizer.x", "best_theta", "carried", "best_carried", "odd"][
        rng.integers(6)
    ]
    arrays[name] = np.zeros(int(rng.integers(4)))
    write(run, meta, arrays)
    return f"{name} added"


def some_bytes(run, rng):
    path = run / "checkpoint.npz"
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 20))):
        content[rng.integers(len(content))] = rng.integers(256)
    path.write_bytes(bytes(content))
    return "bytes changed"


def its_end(run, rng):
    path = run / ["checkpoint.npz", "config.json", "metrics.csv"][rng.integers(3)]
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content))])
    return f"{path.name} cut short"


def a_header(run, rng):
    path = run / "checkpoint.npz"
    content = path.read_bytes()
    old, new = [(b"'shape': (", b"'shape': (9999999999"), (b"<f4", b"<f8"), (b"False", b"True ")][
        rng.integers(3)
    ]
    path.write_bytes(content.replace(old, new[: len(old)] if rng.random() < 0.5 else new))
    return f"header {old!r}"


def another_thing(run, rng):
    path = run / ["checkpoint.npz", "config.json", "metrics.csv"][rng.integers(3)]
    path.unlink()
    kind = ["missing", "a folder", "a pipe", "a link to itself", "a device", "text", "empty"][
        rng.integers(7)
    ]
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a link to itself":
        path.symlink_to(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind in ("text", "empty"):
        path.write_text("epoch,loss\nx,y\n" if kind == "text" else "")
    return f"{path.name} is {kind}"


DAMAGE = [
    *[a_value] * 8,
    *[an_array] * 4,
    *(two_values, another_array, some_bytes, some_bytes, its_end, a_header, another_thing),
]


def try_damage(trained, seed):
    """Damage a run and read it by one command; return what was tried and how it broke."""
    rng = np.random.default_rng([seed, 14])
    name = list(TRAINED)[rng.integers(len(TRAINED))]
    command = list(COMMANDS)[rng.integers(len(COMMANDS))]
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        shutil.copytree(trained / name, run)
        what = DAMAGE[rng.integers(len(DAMAGE))](run, rng)
        words = [
            str(run) if word == "RUN" else word.replace("NEW", f"{place}/new")
            for word in COMMANDS[command]
        ]
        code, err, broken = call(*words)
        if not broken and code not in (0, 1, 2, 3, 4):
            broken = f"exit code {code}"
        if not broken and code and not err.strip():
            broken = f"exit code {code} without a sentence"
        left = [path.name for path in Path(place).rglob("*") if path.name.endswith(".tmp")]
        if left and not broken:
            broken = f"left {left}"
    return f"{command} of a {name}: {what}", broken


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    train_all(folder)
    return folder


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("part", range(10))
def test_no_damage_ends_in_a_traceback(trained, part):
    for seed in range(30 * part, 30 * part + 30):
        tried, broken = try_damage(trained, seed)
        assert not broken, f"{tried} (seed {seed})\n{broken}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        train_all(Path(place))
        first, last = (int(word) for word in (["0", *sys.argv[1:]])[-2:])
        kinds = Counter()
        for seed in range(first, last):
            tried, broken = try_damage(Path(place), seed)
            if broken:
                kinds[broken.strip().splitlines()[-1][:100]] += 1
                print(f"seed {seed}: {tried}\n{broken[-900:]}", flush=True)
        print(*kinds.most_common(), sep="\n")
        print(f"commands on damaged runs | {last - first} | {sum(kinds.values())}")
