"""`minivae bench`: what it measures is the step's own products, and it runs without Numba."""

import time
from pathlib import Path

import numpy as np
import pytest

from minivae import VAE
from minivae.cli.main import main
from minivae.engine import backend
from minivae.engine.cpu import team, workspace
from minivae.engine.cpu.blas import Blas
from minivae.errors import OptionError
from minivae.show import bench

SMALL = dict.fromkeys("BDIOZKL", 3)


each_of_the_cpu = pytest.mark.parametrize("each_backend", ["numpy", "numba"], indirect=True)


@each_of_the_cpu
def test_every_operation_is_measured_in_both_forms(each_backend):
    rows = {row.name: row.seconds for row in bench.operations(SMALL, budget=0.001)}
    assert {"linear", "bernoulli", "negative_elbo", "adam, 18 numbers"} <= set(rows)
    for name in ("linear", "bernoulli", "adam, 18 numbers"):
        assert ("kernel" in rows[name]) == (each_backend == "numba")
    assert "kernel" not in rows["gated_step"], "NumPy's is the only form"
    assert all(seconds > 0 for forms in rows.values() for seconds in forms.values())


@pytest.mark.parametrize("samples", [None, 4])
def test_the_products_are_those_of_a_step(samples, monkeypatch):
    """The shapes that `products` multiplies are the ones that a training step multiplies."""
    rng = np.random.default_rng(0)
    model = VAE(11, (7, 5), 3, samples=samples, rng=rng, backend="numba")
    product = bench.products(model, 2)
    x = (rng.random((2, 11)) < 0.5).astype("float32")
    noise = model.draw_noise(rng, 2)
    seen = []
    matmul = np.matmul

    def spy(a, b, out):
        seen.append((a.shape, b.shape))
        return matmul(a, b, out=out)

    monkeypatch.setattr(np, "matmul", spy)
    product()
    bare, seen[:] = sorted(seen), []
    model.step(x, noise)
    assert sorted(seen) == bare
    assert len(bare) == 17  # 6 layers, 3 products each, without the data's gradient


@each_of_the_cpu
def test_the_command(tmp_path, monkeypatch, capsys, each_backend):
    monkeypatch.chdir(tmp_path)
    sizes = ["--batch", "3", "--hidden", "4", "--latent", "2", "--seconds", "0.001"]
    assert main(["bench", *sizes]) == 0
    told = capsys.readouterr().out
    assert "its matrix products alone" in told
    assert ("Numba is not installed" in told) == (each_backend == "numpy")
    assert (tmp_path / "runs/bench-1.png").read_bytes().startswith(b"\x89PNG")
    assert main(["bench", *sizes, "--out", "runs/bench-1.png"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["bench", "--batch", "0"]) == 2
    assert "--batch 0" in capsys.readouterr().err


def test_without_numba_the_numpy_backend_is_chosen_and_the_other_refused(monkeypatch, refuses):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    backend.default_backend.cache_clear()
    try:
        assert backend.get_backend("auto").name == "numpy"
    finally:
        backend.default_backend.cache_clear()


def test_the_chart_needs_a_png_name(refuses):
    from minivae.cli.commands.bench import output

    with refuses(OptionError, "chart.jpg", ".png"):
        output("chart.jpg")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (bench.Row("a", {"numba": 1.2, "products": 1.0}, 1.1), ""),
        (bench.Row("a", {"numba": 1.2, "products": 1.0}, 1.9), "up to 1.9 times as long"),
        (bench.Row("a", {"numba": 0.69, "products": 1.0}, 1.0), "0.69 times as long as its own"),
        (bench.Row("a", {"numpy": 2.0, "products": 1.0}, 1.0), ""),
        (bench.Row("a", {"numba": 1.2, "products": 1.0}, 1.0, 0.4), "had 40% of a core's time"),
        (bench.Row("a", {"numba": 1.2, "products": 1.0}, 1.0, 1.9), ""),
    ],
)
def test_a_busy_machine_is_noticed(row, words):
    assert words in row.disturbed
    assert bool(row.disturbed) == bool(words)


def test_turns_that_differ_are_seen(monkeypatch):
    """A clock on which every other turn takes twice as long as the one before."""
    now, calls = [0.0], [0]

    def work():
        calls[0] += 1
        now[0] += 1.0 if calls[0] // 2 % 2 else 2.0

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    assert bench.take_turns("work", {"one": work}, budget=0.001).unsteady == 2.0


def test_time_that_others_had_is_seen():
    """Sleep is time in which the processor does something else."""
    row = bench.take_turns("work", {"one": lambda: time.sleep(0.01)}, budget=0.1)
    assert row.share < 0.5


def test_the_command_says_that_a_machine_is_busy(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    row = bench.Row("VAE", {"numba": 0.69, "products": 1.0})
    monkeypatch.setattr(bench, "training_step", lambda **how: row)
    monkeypatch.setattr(bench, "operations", lambda *args, **how: [])
    assert main(["bench", "--quiet"]) == 0
    assert "busy" not in capsys.readouterr().err
    assert main(["bench"]) == 0
    assert "busy: a step took 0.69 times as long as its own products" in capsys.readouterr().err


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_measurement_leaves_no_empty_folder(tmp_path, monkeypatch, there):
    def interrupted(*args, **how):
        assert Path("runs").is_dir()
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "operations", interrupted)
    if there:
        Path("runs").mkdir()
    assert main(["bench"]) == 130
    assert Path("runs").exists() == there


def test_a_step_is_measured_with_several_numbers_of_threads(monkeypatch, capsys, tmp_path):
    if Blas.find() is None:
        pytest.skip("NumPy has no OpenBLAS of its own")
    monkeypatch.chdir(tmp_path)
    before, seen = Blas.find().get_threads(), []
    begin = team.begin
    monkeypatch.setattr(
        workspace.team, "begin", lambda: (seen.append(Blas.find().get_threads()), begin())[1]
    )
    sizes = ["--batch", "3", "--hidden", "4", "--latent", "2", "--seconds", "0.001"]
    assert main(["bench", *sizes, "--threads", "1,64"]) == 0
    told = capsys.readouterr()
    table = [line.split() for line in told.out.splitlines()]
    assert [row[0] for row in table] == ["threads", "1", "64"]
    assert float(table[1][2]) == 1
    assert "no more threads than that share" in told.err
    assert set(seen) == {1, 64}
    assert Blas.find().get_threads() == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("threads", ["0", "2,-1", "two", "1,,2", ""])
def test_numbers_of_threads_that_are_none(threads, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["bench", f"--threads={threads}"])
    assert "--threads" in capsys.readouterr().err
