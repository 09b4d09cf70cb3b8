"""Tricks of hostile submissions, each really carried out; `python
tests/course/grading/attacks.py` prints a table of how many were tried and how many got through.

A trick of SYSTEM or of the secrets runs when the file is imported and prints what came of it. A
trick of NUMBERS is a wrong backward pass that tries to be called right. A trick of LIMITS tries to
cost the grader more than it was given.
"""

import os
import sys
import sysconfig
import tempfile
import textwrap
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

import minivae
from minivae.course.grading import grade_file, load_rubric

SECRET = "the-hidden-answer-of-the-instructor"

SYSTEM = {
    "fork": "return os.fork() >= 0 or True",
    "vfork by number": "return libc.syscall(58) >= 0",
    "a program": "return os.system('true') == 0",
    "spawn": "import subprocess; return subprocess.run(['/bin/true']).returncode == 0",
    "execve": "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "clone3": "return libc.syscall(435, bytes(64), 64) >= 0",
    "kill the grader": "os.kill(os.getppid(), 9); return True",
    "probe the grader": "os.kill(os.getppid(), 0); return True",
    "kill all": "os.kill(-1, 0); return True",
    "signal through a pipe": """
        r, w = os.pipe()
        return libc.fcntl(r, 8, os.getppid()) == 0 or libc.fcntl(r, 10, 9) == 0
        """,
    "a timer that signals": "return libc.syscall(222, 0, None, ctypes.byref(ctypes.c_int())) == 0",
    "a pidfd": "return libc.syscall(434, os.getppid(), 0) >= 0",
    "trace the grader": "return libc.ptrace(16, os.getppid(), 0, 0) == 0",
    "be traced": "return libc.ptrace(0, 0, 0, 0) == 0",
    "read the grader's memory": """
        here = ctypes.create_string_buffer(8)
        part = (ctypes.c_size_t * 2)(ctypes.addressof(here), 8)
        return libc.process_vm_readv(os.getppid(), part, 1, part, 1, 0) > 0
        """,
    "/proc": "return bool(os.listdir('/proc'))",
    "the grader's environment": "return bool(open(f'/proc/{os.getppid()}/environ').read())",
    "the grader's files": "return bool(os.listdir(f'/proc/{os.getppid()}/fd'))",
    "one's own memory as a file": "return bool(open('/proc/self/mem', 'rb'))",
    "a socket": "import socket; return bool(socket.socket())",
    "a pair of sockets": "import socket; return bool(socket.socketpair())",
    "a socket of the system": "import socket; return bool(socket.socket(socket.AF_UNIX))",
    "shared memory": "return libc.shmget(0x1234, 4096, 0o1666) >= 0",
    "a semaphore": "return libc.semget(0x1234, 1, 0o1666) >= 0",
    "a message queue": "return libc.msgget(0x1234, 0o1666) >= 0",
    "a named queue": "return libc.syscall(240, b'left', 0o102, 0o666, None) >= 0",
    "/dev/shm": "open('/dev/shm/left', 'w').write('x'); return True",
    "memory without a name": "return libc.syscall(319, b'left', 0) >= 0",
    "chroot": "os.chroot('.'); return True",
    "mknod": "os.mknod('disk', 0o60666, os.makedev(254, 0)); return True",
    "a pipe with a name": "os.mkfifo('pipe'); return True",
    "mount": "return libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0",
    "unmount": "return libc.umount2(b'.', 2) == 0",
    "another root": "return libc.syscall(155, b'.', b'.') == 0",
    "a new namespace": "return libc.unshare(0x10000000) == 0",
    "an old namespace": "return libc.setns(0, 0) == 0",
    "root again": "os.setuid(0); return os.geteuid() == 0",
    "root by three": "os.setresuid(0, 0, 0); return True",
    "another group": "os.setgroups([0]); return True",
    "to be root": "return os.geteuid() == 0",
    "capabilities": """
        header, data = struct.pack('<Ii', 0x20080522, 0), struct.pack('<6I', *[2**32 - 1] * 6)
        return libc.capset(header, data) == 0
        """,
    "an immutable file": """
        import fcntl
        with open('mine', 'w') as file:
            return fcntl.ioctl(file, 0x40086602, struct.pack('l', 0x10)) == 0
        """,
    "another owner": "open('own', 'w').close(); os.chown('own', 1, 1); return True",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); return True",
    "a better rank": "os.nice(-5); return True",
    "another processor": "os.sched_setaffinity(0, {0}); return True",
    "a higher limit": """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40)); return True
        """,
    "another's limits": "import resource; return bool(resource.prlimit(os.getppid(), 7))",
    "a session of its own": "os.setsid(); return True",
    "a group of its own": "os.setpgid(0, 0); return True",
    "io_uring": "return libc.syscall(425, 1, bytes(120)) >= 0",
    "bpf": "return libc.syscall(321, 0, bytes(64), 64) >= 0",
    "perf": "return libc.syscall(298, bytes(120), 0, -1, -1, 0) >= 0",
    "userfaultfd": "return libc.syscall(323, 0) >= 0",
    "keys": "return libc.syscall(250, 0, -3, 1) >= 0",
    "the old numbering": "return libc.syscall(0x40000000 + 39) > 0",
    "a link to what is outside": f"os.symlink({os.__file__!r}, 'link'); return True",
    "a hard link to what is outside": f"os.link({os.__file__!r}, 'hard'); return True",
    "write into Python": f"open({os.__file__!r}, 'a').write('#'); return True",
    "write into NumPy": f"open({np.__file__!r}, 'a').write('#'); return True",
    "write into minivae": f"open({minivae.__file__!r}, 'a').write('#'); return True",
    "write into the root": "open('/left', 'w').write('x'); return True",
    "write into /tmp": "open('/tmp/left', 'w').write('x'); return True",
    "a large file": "open('large', 'wb').write(bytes(2**24)); return True",
    "many files": """
        for i in range(200):
            with open(f'f{i}', 'wb') as file: file.write(bytes(2**20))
        return True
        """,
    "inherited files": """
        return any(
            stat.S_ISREG(os.fstat(i).st_mode) or stat.S_ISSOCK(os.fstat(i).st_mode)
            for i in range(256) if _is_open(i)
        )
        """,
    "the grader's modules": "return any(m.startswith('minivae.course') for m in sys.modules)",
    "the exercises' solutions": """
        import minivae.course.exercises.solutions.linear
        return True
        """,
}  # fmt: skip

PROLOGUE = """
import ctypes, os, signal, stat, struct, sys
signal.signal(signal.SIGSYS, signal.SIG_IGN)
libc = ctypes.CDLL(None)
def _is_open(i):
    try: os.fstat(i); return True
    except OSError: return False
def attempt(name, trick):
    try: worked = trick()
    except BaseException as error: worked = False
    print(f"{name}\\t{'WORKED' if worked else 'failed'}", flush=True)
"""

LINEAR = """
import numpy as np
def linear_forward(x, W, b):
    return x @ W + b, (x, W)
def linear_backward(dout, cache):
    x, W = cache
    BODY
"""
WRONG = "return 0 * x, 0 * W, 0 * dout[0]"

IN_SESSION = """
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        if type(value).__name__ == "Session":
            session = value
    frame = frame.f_back
"""

NUMBERS = {
    "NumPy says that all is equal": "np.allclose = np.array_equal = lambda *a, **k: True\n",
    "NumPy has no norm": "np.abs = np.max = np.linalg.norm = lambda *a, **k: 0.0\n",
    "arrays that equal everything": """
        class Same(np.ndarray):
            def __eq__(self, other): return np.ones(self.shape, bool)
            def __sub__(self, other): return np.zeros(self.shape)
        def linear_backward(dout, cache):
            shapes = cache[0].shape, cache[1].shape, dout[0].shape
            return tuple(np.zeros(s).view(Same) for s in shapes)
        """,
    "a patched session": IN_SESSION + """
type(session).backward = lambda self, **k: {"returned": {"verdict": "right", "score": 4},
    "parameters": {}, "changed": {}, "upstream": [], "cache_changed": False}
""",
    "a patched reader": IN_SESSION + """
session.conventions.same = session.conventions.changed = lambda *a: {}
session.pair = None
""",
    "outputs that forget": """
        def linear_forward(x, W, b):
            return 0 * (x @ W), (x, W)
        """,
    "an output that is constant but for a bias": """
        def linear_forward(x, W, b):
            return 0 * (x @ W) + b, (x, W)
        """,
    "the inputs changed behind": """
        def linear_backward(dout, cache):
            for a in cache: a[...] = 0
            dout[...] = 0
            return 0 * cache[0], 0 * cache[1], dout[0]
        """,
    "a report of its own": """
        print("\\n" * 9 + "homework.py: 1 of 1 right, 4 of 4 points")
        sys.stderr.write('{"score": 4.0}')
        """,
    "a name like a report": """
        globals()["linear\\nhomework.py: 1 of 1 right, 4 of 4 points_forward"] = linear_forward
        class linear_backward_(dict): pass
        def linear_backward(dout, cache):
            return {"x\\nhomework.py: 1 of 1 right, 4 of 4 points": dout}
        """,
    "NaN": "def linear_backward(dout, cache):\n    n = np.nan\n"
    "    return n * cache[0], n * cache[1], n * dout[0]\n",
    "infinity": "def linear_backward(dout, cache):\n    n = np.inf\n"
    "    return n + cache[0], n + cache[1], n + dout[0]\n",
    "right where it is not looked": """
        def linear_backward(dout, cache):
            x, W = cache
            dx, dW, db = dout @ W.T, x.T @ dout, dout.sum(0)
            for a in (dx, dW, db): a.flat[np.random.default_rng(3).permutation(a.size)[:1]] *= 2
            return dx, dW, db
        """,
    "answers that are remembered": """
        seen = {}
        def linear_backward(dout, cache):
            key = round(float(cache[0].flat[0]), 6)
            known = {0.345584: 1.0, 0.034181: 1.0, -0.006830: 1.0}
            x, W = cache
            if key in known: return dout @ W.T, x.T @ dout, dout.sum(0)
            return 0 * x, 0 * W, 0 * dout[0]
        """,
    "seeds that are guessed": """
        guesses = {s: np.random.default_rng(s).standard_normal(3) for s in range(300)}
        def linear_backward(dout, cache):
            x, W = cache
            if any(np.isclose(g, [[x.flat[0]], [dout.flat[0]]]).any() for g in guesses.values()):
                return dout @ W.T, x.T @ dout, dout.sum(0)
            return 0 * x, 0 * W, 0 * dout[0]
        """,
    "useless parameters": "def linear_backward(dout, cache):\n"
    "    return {'x': 0 * cache[0], 'W': 0 * cache[1], 'b': 0 * dout[0],\n"
    "            **{f'p{i}': np.zeros(1) for i in range(300)}}\n",
    "a class in its place": """
        class linear:
            def __init__(self):
                for i in range(300): setattr(self, f"p{i}", np.ones(1))
            def forward(self, x, W, b): return x @ W + b
            def backward(self, dout):
                return {"x": 0, "W": 0, "b": 0, **{f"p{i}": np.zeros(1) for i in range(300)}}
        del linear_forward, linear_backward
        """,
    "nothing but a part": "def linear_backward(dout, cache):\n    return {}\n",
    "the random numbers of the check": """
        import numpy.random as r
        r.default_rng = lambda *a: r.Generator(r.PCG64(0))
        """,
}  # fmt: skip
"""Each is put behind a linear layer whose gradients are all zero."""

ANSWER = """
frame = sys._getframe(); token = None; answers = None
while frame:
    token = frame.f_locals.get("token", token); answers = frame.f_locals.get("answers", answers)
    frame = frame.f_back
def say(tree, more=b""):
    body = struct.pack("<I", len(tree)) + tree + more
    answers.write(token + struct.pack("<Q", len(body)) + body); answers.flush()
"""
LIMITS = {
    "an endless loop": "while True: pass",
    "a sleep": "import time; time.sleep(1000)",
    "a thread that goes on": """
        import threading
        def run():
            while True: pass
        for i in range(8): threading.Thread(target=run).start()
        """,
    "a million nodes": ANSWER + 'say(b\'{"dict":[\' + b"[]," * 10**6 + b"0]}")\nwhile True: pass\n',
    "a deep tree": ANSWER + 'say(b"[" * 10**6 + b"]" * 10**6)\nwhile True: pass\n',
    "a text of 60 MB": ANSWER + 'say(b\'"\' + b"a" * (60 * 2**20) + b\'"\')\nwhile True: pass\n',
    "many answers": ANSWER + "for i in range(40): say(b'null', bytes(60 * 2**20))\n",
    "an answer without end": ANSWER + "answers.write(token + struct.pack('<Q', 2**62))\n"
    "while True: answers.write(bytes(2**20))\n",
    "deep brackets": "x = " + "(" * 150 + "1" + ")" * 150 + "\n",
    "a long sum": "def long_forward(x):\n    return x" + " + x" * 3000 + ", x\n"
    "def long_backward(dout, x):\n    return 3001 * dout\n",
    "a deep list": "def linear_backward(dout, cache):\n    a = []\n"
    "    for i in range(10**5): a = [a]\n    return a\n",
    "a list in itself": "def linear_backward(dout, cache):\n"
    "    a = []\n    a.append(a)\n    return a\n",
    "sixty functions that sleep": """
        import time
        def forward(x): time.sleep(0.3); return x * 2, x
        def backward(dout, cache): return dout * 2
        for i in range(60): globals().update({f"g{i}_forward": forward, f"g{i}_backward": backward})
        """,
    "all memory": "a = [np.ones(2**24) for i in range(10**4)]\n",
    "gradients of 60 MB": "def linear_backward(dout, cache):\n    return (np.zeros(2**22),) * 2\n",
    "output of 10 GB": "while True: print('x' * 10**6)\n",
    "folders 1,500 deep": "for i in range(1500): os.mkdir('d'); os.chdir('d')\n",
    "folders without rights": "os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)\n",
    "a cache that cannot be copied": """
        class Slow:
            def __deepcopy__(self, memo):
                while True: pass
        def linear_forward(x, W, b): return x @ W + b, (x, W, Slow())
        """,
    "a number with many digits": "def linear_backward(dout, cache):\n"
    "    return 10**(10**7), 1, 1\n",
    "shapes without end": "def linear_forward(x, W, b):\n    return np.zeros((2**20, 8)), (x, W)\n",
}  # fmt: skip
"""Each is put behind a right linear layer, and has SECONDS."""
SECONDS, MEMORY, SLACK = 4.0, 1024, 4.0

RUBRIC = """
[[exercise]]
name = "linear"
kind = "linear"
points = 4
inputs = {x = "B I", W = "I O", b = "O"}
"""


@contextmanager
def secrets(folder):
    """Plant a secret next to everything; the paths of those that could be written."""
    packages = Path(np.__file__).parents[1]
    stdlib = Path(sysconfig.get_path("stdlib"))
    places = [
        folder, folder / "submission", folder / "solved", packages, packages / "numpy.of.others",
        Path(minivae.__file__).parents[1], stdlib.parent, Path(sys.prefix), Path(sys.base_prefix),
        Path.home(), Path.cwd(), Path(tempfile.gettempdir()), Path("/dev/shm"), Path("/opt"),
        Path("/etc"), Path("/usr"), Path("/usr/lib"), Path("/var/tmp"),
        *(Path(p) for p in sys.path if p and os.path.isdir(p) and Path(p) != stdlib),
    ]  # fmt: skip
    inside = [stdlib, stdlib / "lib-dynload", *Path(minivae.__file__).parents[:1]]
    planted, made = [], []
    try:
        for place in dict.fromkeys(p.resolve() for p in places):
            if any(place == p.resolve() for p in inside):
                continue  # what is in Python's own folders is Python's
            with suppress(OSError):
                if not place.exists():
                    place.mkdir(parents=True)
                    made.append(place)
                for name in ("secret.py", "grades.csv"):
                    file = place / f"minivae-{os.getpid()}-{name}"
                    file.write_text(f"SECRET = {SECRET!r}\n")
                    file.chmod(0o644)
                    planted.append(file)
        yield planted
    finally:
        for file in planted:
            file.unlink(missing_ok=True)
        for place in made:
            with suppress(OSError):
                place.rmdir()


READ = """
import os, sys
def look(path):
    try:
        with open(path, "rb") as file: return SECRET.encode() in file.read(100_000)
    except OSError: return False
SECRET = "".join(reversed(BACKWARDS))
for path in PATHS:
    print(f"read {path}\\t{'WORKED' if look(path) else 'failed'}")
    relative = os.path.relpath(path)
    print(f"read {relative}\\t{'WORKED' if look(relative) else 'failed'}")
found = [os.path.join(top, f) for top, _, files in os.walk("/") for f in files
         if ("secret" in f or f.endswith((".csv", ".toml"))) and look(os.path.join(top, f))]
print(f"walk from the root {found}\\t{'WORKED' if found else 'failed'}")
print(f"environment\\t{'WORKED' if SECRET in str(os.environ) else 'failed'}")
print(f"arguments\\t{'WORKED' if SECRET in str(sys.argv) else 'failed'}")
"""


def system_tricks(folder):
    """(name, whether it worked) of each trick of SYSTEM."""
    lines = [PROLOGUE]
    for i, (name, body) in enumerate(SYSTEM.items()):
        body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        lines.append(f"def trick{i}():\n{body}\nattempt({name!r}, trick{i})\n")
    return _run(folder, "\n".join(lines))


def secret_tricks(folder):
    """(path, whether it could be read) of each secret, by itself, from here, and by looking."""
    os.environ["MINIVAE_SECRET"] = SECRET
    try:
        with secrets(folder) as planted:
            parent = [f"/proc/{os.getpid()}/{name}" for name in ("environ", "cmdline", "mem")]
            paths = [*map(str, planted), *parent, str(folder / "rubric.toml")]
            (folder / "rubric.toml").write_text(RUBRIC + f"# {SECRET}\n")
            source = READ.replace("PATHS", repr(paths)).replace("BACKWARDS", repr(SECRET[::-1]))
            return _run(folder, source)
    finally:
        del os.environ["MINIVAE_SECRET"]


def _run(folder, source):
    path = folder / "submission" / "homework.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    path.parent.chmod(0o755)
    printed = grade_file(path, timeout=60, memory=1024).printed
    rows = [line.rpartition(" ")[::2] for line in printed.splitlines()]
    return [(name, worked == "WORKED") for name, worked in rows if worked in ("WORKED", "failed")]


def number_trick(folder, name):
    """The grade of a wrong layer with a trick behind it, and what is printed about it."""
    return _graded(folder, LINEAR.replace("BODY", WRONG), NUMBERS[name], timeout=60)


def limit_trick(folder, name):
    """The grade, the seconds it took, and how many MB the grader grew by."""
    right = LINEAR.replace("BODY", "return dout @ W.T, x.T @ dout, dout.sum(axis=0)")
    start, before = time.monotonic(), _resident()
    grade = _graded(folder, right, LIMITS[name], timeout=SECONDS, memory=MEMORY)
    return grade, time.monotonic() - start, _peak() - before


def _graded(folder, before, trick, **limits):
    (folder / "rubric.toml").write_text(RUBRIC)
    path = folder / "homework.py"
    path.write_text("import os, struct, sys\n" + before + "\n" + textwrap.dedent(trick))
    return grade_file(path, load_rubric(folder / "rubric.toml"), **limits)


def _resident():
    """MB of memory of this process; its peak counts anew from here."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak():
    return _status("VmHWM")


def _status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def left_behind():
    """Scratch folders that are still there."""
    return sorted(Path(tempfile.gettempdir()).glob("minivae-*/"))


def main():
    """Carry out every trick, and print the table."""
    rows = Counter()
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tempfile.tempdir = str(folder)
        for kind, found in (
            ("the system", system_tricks(folder)),
            ("secrets", secret_tricks(folder)),
        ):
            rows[kind, "tried"] = len(found)
            failed += [(kind, what) for what, worked in found if worked]
        for trick in NUMBERS:
            rows["numbers", "tried"] += 1
            grade = number_trick(folder, trick)
            if grade.score or grade.passed:
                failed.append(("numbers", f"{trick}: {grade.score:g} of 4"))
        for trick in LIMITS:
            rows["limits", "tried"] += 1
            grade, seconds, grown = limit_trick(folder, trick)
            print(f"  {trick:40s} {seconds:5.1f} s {grown:6.0f} MB  {grade.verdict}", flush=True)
            if seconds > SECONDS + SLACK or grown > MEMORY or "Recursion" in str(grade.to_dict()):
                failed.append(("limits", f"{trick}: {seconds:.1f} s, {grown:.0f} MB"))
        failed += [("limits", f"left {path}") for path in left_behind()]
        tempfile.tempdir = None
    for kind in ("the system", "secrets", "numbers", "limits"):
        through = sum(k == kind for k, _ in failed)
        print(f"tricks of submissions: {kind} | {rows[kind, 'tried']} | {through}")
    for kind, what in failed:
        print(f"  {kind}: {what}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
