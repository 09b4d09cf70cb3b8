"""Training by several processes: the same run as by one, and what ends it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ranks
from minivae.errors import OptionError
from minivae.train.checkpoint import load_checkpoint
from minivae.train.loop import fit
from minivae.train.parallel import Crew

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow

PATIENCE = 120
"""Seconds after which something hangs."""

RUN = "import sys; from minivae.cli.main import program; sys.exit(program())"
DIGITS = "digits8 --hidden 8 --latent 2 --limit 60 --batch 20 --backend numpy --quiet".split()  # noqa: SIM905


def launcher():
    """Path of `mpiexec`, beside this Python or elsewhere; the test is skipped without one."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    return found or pytest.skip("no mpiexec is installed")


def start(n, *command, cwd, **environment):
    """Start a program as n processes."""
    return subprocess.Popen(
        [launcher(), "-n", str(n), sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Exit code, and what was said; a failure if it hangs."""
    try:
        said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"still running after {PATIENCE} s: {process.args}")
    return process.returncode, *said


def train(n, *words, cwd, **environment):
    """`minivae train` as n processes: exit code, standard output, standard error."""
    return finish(start(n, "-c", RUN, "train", *words, cwd=cwd, **environment))


@pytest.fixture(scope="module")
def alone():
    """What one process makes of each case, and with three shards."""
    with np.errstate(all="ignore"):
        return ranks.walk(Crew()), ranks.walk(Crew(), shards=3)


@pytest.fixture(scope="module", params=[2, 3])
def several(request, tmp_path_factory):
    """What two or three processes make of them; each test asks of the same run."""
    folder = tmp_path_factory.mktemp("ranks")
    code, out, err = finish(
        start(request.param, HERE.parent / "ranks.py", folder / "out.npz", cwd=folder)
    )
    assert code == 0, out + err
    return dict(np.load(folder / "out.npz"))


REFUSED = {
    "vamp-0-conv-batch": "the pseudo-inputs of a VampPrior go through a batch norm beside the data"
}
"""What several processes refuse. All else is the same run."""


def test_the_same_run_as_by_one(alone, several):
    whole, _ = alone
    for name, numbers in whole.items():
        found = several[name]
        if name in REFUSED:
            assert str(found).startswith(REFUSED[name])
            continue
        assert found.dtype.kind == "f", f"{name}: {found}"
        np.testing.assert_allclose(found, numbers, rtol=1e-12, atol=1e-12, err_msg=name)


def test_shards_give_the_same_bits(alone, several):
    whole, sharded = alone
    apart = 0
    for name, numbers in sharded.items():
        found = several[f"{name} shards"]
        if isinstance(numbers, str):
            assert str(found) == numbers
            assert "leave out the shards" in numbers or numbers.startswith(REFUSED[name])
            continue
        apart += 1
        np.testing.assert_array_equal(found, numbers, err_msg=name)
        np.testing.assert_allclose(numbers, whole[name], rtol=1e-12, atol=1e-12, err_msg=name)
    assert apart >= 28


def test_a_last_batch_of_fewer_rows_than_processes():
    crew = Crew()
    crew.size, crew.rank = 3, 0
    crew.cut(None)
    rows = [[i * batch // 3 for i in range(4)] for batch in (6, 2, 1)]
    assert rows == [[0, 2, 4, 6], [0, 0, 1, 2], [0, 0, 0, 1]]
    assert [list(crew.parts_of(rank)) for rank in range(3)] == [[0], [1], [2]]
    crew.cut(8)
    assert [list(crew.parts_of(rank)) for rank in range(3)] == [[0, 1], [2, 3, 4], [5, 6, 7]]


def files(folder):
    """Bytes of a run's files."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".npz", ".csv")}


def test_the_command_with_shards_gives_the_same_files(tmp_path):
    words = [*DIGITS, "--epochs", "2", "--shards", "3", "--patience", "5"]
    for n in (1, 2):
        code, out, err = train(n, *words, "--out", f"by{n}", cwd=tmp_path)
        assert (code, err) == (0, ""), out + err
        assert out.splitlines() == [f"by{n}"]
    assert files(tmp_path / "by1") == files(tmp_path / "by2")


def test_killed_and_resumed_by_another_number(tmp_path):
    words = [*DIGITS, "--epochs", "2000", "--dtype", "float64", "--out", "run"]
    process = start(3, "-c", RUN, "train", *words, cwd=tmp_path)
    metrics = tmp_path / "run" / "metrics.csv"
    deadline = time.monotonic() + PATIENCE
    while not metrics.exists() or metrics.read_text().count("\n") < 4:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    children = subprocess.run(
        ["pgrep", "-f", "--", "--out run"], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = [int(p) for p in children if Path(f"/proc/{p}/cwd").resolve() == tmp_path]
    ranked = [p for p in ours if b"PMI_RANK=1" in Path(f"/proc/{p}/environ").read_bytes()]
    os.kill(ranked[-1], signal.SIGKILL)
    code, _, _ = finish(process)
    assert code != 0
    training, _ = load_checkpoint(tmp_path / "run" / "checkpoint.npz", "numpy")
    done = len(training.history)
    assert done >= 3
    more = ["--resume", "run", "--epochs", str(done + 2), "--quiet"]
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    code, out, err = train(2, *more, cwd=tmp_path)
    assert code == 0, out + err
    more[1] = "copy"
    assert train(1, *more, cwd=tmp_path)[0] == 0
    by_two, by_one = (
        load_checkpoint(tmp_path / name / "checkpoint.npz", "numpy")[0] for name in ("run", "copy")
    )
    assert len(by_two.history) == done + 2
    theta = by_one.model.params.theta
    np.testing.assert_allclose(by_two.model.params.theta, theta, rtol=1e-10, atol=1e-12)


def test_one_that_fails_ends_all_with_its_reason(tmp_path):
    code, out, err = finish(start(3, HERE / "failing.py", cwd=tmp_path))
    assert code != 0
    assert "minivae: process 1 of 3: the disk is on fire." in err
    assert "went on" not in out + err


BAD = {
    "--epochs 0": "epochs=0",
    "--data nothing.npz": "nothing.npz",
    "--batch 1": "2 processes with 2 parts of a minibatch of 1 examples",
    "--limit 1 --batch 5": "2 processes with 2 parts of a minibatch of 1 examples",
    "--shards 1": "2 processes with 1 parts",
    "--model vq --network mlp --shards 2": "a codebook looks at all examples",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_one_sentence(tmp_path, words):
    options = [word for word in DIGITS if word not in ("--batch", "20")]
    code, out, err = train(2, *options, *words.split(), cwd=tmp_path)
    assert code == 2
    ours = [line for line in (out + err).splitlines() if line.startswith("minivae: ")]
    assert len(ours) == 1, out + err
    assert BAD[words] in ours[0]


def test_processes_with_other_files_are_refused(tmp_path):
    code, out, err = finish(start(2, HERE / "unlike.py", cwd=tmp_path))
    assert code == 0, out + err
    assert out.splitlines() == [
        "process 1 of 2 has other training data than process 0",
        "process 1 of 2 has other settings than process 0",
        "process 1 of 2 has parameters of other shapes than process 0",
        "process 1 of 2 has another version of minivae than process 0",
    ]


@pytest.mark.parametrize(
    ("preamble", "said"),
    [
        ("import sys; sys.modules['mpi4py'] = None\n", "mpi4py, by which they would speak"),
        (
            "import sys\nclass F:\n def find_spec(s, name, *_):\n"
            "  if name == 'mpi4py.MPI': raise ImportError('libmpi.so.40: cannot open')\n"
            "sys.meta_path.insert(0, F())\n",
            "mpi4py finds no library of MPI (libmpi.so.40: cannot open)",
        ),
    ],
)
def test_mpi_is_missing(tmp_path, preamble, said):
    words = ["train", *DIGITS]
    for rank, expected in (("0", said), ("1", "")):
        done = subprocess.run(
            [sys.executable, "-c", preamble + RUN, *words],
            env={**os.environ, "PMI_RANK": rank, "PMI_SIZE": "2"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 2
        assert expected in done.stderr
        assert len(done.stderr.splitlines()) == (rank == "0")


def test_alone_it_is_not_imported(tmp_path):
    program = (
        "import sys; from minivae.cli.main import main; code = main(sys.argv[1:])\n"
        "assert not [name for name in sys.modules if 'mpi4py' in name]; sys.exit(code)"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "OMPI"))}
    done = subprocess.run(
        [sys.executable, "-c", program, "train", *DIGITS, "--epochs", "1"],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


def test_shards_take_no_more_than_a_minibatch():
    training, x = ranks.make(*next(iter(ranks.cases()))[1:], shards=7)
    with pytest.raises(OptionError, match="7 parts of a minibatch of 6"):
        fit(training, x, progress=False)
