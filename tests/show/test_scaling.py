"""The model of what several processes bring: its arithmetic, and the command."""

import pytest

from minivae.cli.main import main
from minivae.show.scaling import allreduce, constants, table


def test_the_constants_give_back_what_was_measured():
    size = 4 * 652_824
    for n in (2, 3, 8):
        alpha, beta = constants(n, 5e-6, 1e-3, size)
        assert allreduce(n, size, alpha, beta) == pytest.approx(1e-3, rel=1e-12)


def test_two_processes_by_hand():
    found = {"small": 2e-6, "large": 1e-3 + 2e-6, "bytes": 1000}
    found["step"] = {128: 0.01, 64: 0.006, 32: 0.004, 16: 0.003, 8: 0.002, 4: 0.0015, 2: 0.001}
    one, two, four, *_ = table(found, 2, 128)
    assert (one["strong_times"], one["weak_times"]) == (1, 1)
    assert two["strong"] == pytest.approx(0.006 + 0.001002)
    assert two["weak_times"] == pytest.approx(2 * 0.01 / (0.01 + 0.001002))
    # Twice the latency, and 3/4 of the bytes twice instead of 1/2.
    assert four["allreduce"] == pytest.approx(4e-6 + 1.5e-3)


def test_one_process_has_nothing_to_measure(capsys):
    assert main(["bench", "--mpi"]) == 2
    assert "mpiexec -n 2 minivae bench --mpi" in capsys.readouterr().err
