"""A training in odd surroundings works, says nothing odd, and gives the numbers of always."""

import hashlib
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

TRAIN = ["train", "--limit", "200", "--epochs", "2", "--hidden", "16", "--quiet", "--seed", "3"]
RUN = "import sys; from minivae.cli.main import main; sys.exit(main(sys.argv[1:]))"

BEFORE = {
    "plain": "",
    "no Jupyter package": """
import sys
class Missing:
    def find_spec(self, name, *_):
        if name.startswith("matplotlib_inline"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
""",
    "another BLAS": """
from minivae.engine.cpu.blas import Blas
Blas.find = staticmethod(lambda: None)
""",
    "a BLAS without these names": """
import ctypes
from minivae.engine.cpu import blas
class Library:
    def __init__(self, path): pass
blas.ctypes = type("Fake", (), {"CDLL": Library})
""",
    "one core": """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
""",
}
SAME_BITS = ("no Jupyter package", "one core")
"""What another BLAS or NumPy's loops round otherwise."""


def train(folder, name, **environment):
    code = f"{BEFORE[name]}\n{RUN}"
    command = [sys.executable, "-W", "error", "-c", code, *TRAIN, "--out", str(folder)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), name
    return hashlib.sha256((folder / "checkpoint.npz").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tmp_path_factory.mktemp("plain") / "run", "plain")


@pytest.mark.parametrize("name", [name for name in BEFORE if name != "plain"])
def test_a_training_works(name, tmp_path, plain):
    if name == "one core" and not hasattr(os, "sched_setaffinity"):
        pytest.skip("no cores to choose here")
    jupyter = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    environment = jupyter if name == "no Jupyter package" else {}
    found = train(tmp_path / "run", name, **environment)
    assert (found == plain) or name not in SAME_BITS
    assert (tmp_path / "run" / "samples.png").exists()


def test_where_numba_compiles_nothing_numpy_computes(tmp_path):
    train(tmp_path / "run", "plain", NUMBA_DISABLE_JIT="1")
    command = [sys.executable, "-c", RUN, *TRAIN, "--backend", "numba", "--out", "no"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NUMBA_DISABLE_JIT is set; unset it, or choose 'numpy'" in done.stderr
    assert done.stderr.count("\n") == 1
