"""What is broken on purpose, as a table of how much was tried and how much failed.

    python tests/broken.py                    all of it, an hour or two on two cores
    python tests/broken.py runs commands      these parts
    python tests/broken.py commands=200       so many tries

Each part is a script in this folder that prints rows `what | tried | failed`, and, above them, what
failed.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

PARTS = {
    "signals": ("cli/test_interrupted.py", 30),  # to each command
    "faults": ("cli/test_faults.py", 10),  # of each kind, to each command
    "compilations": ("engine/interrupted_compilation.py", 10),  # processes, 12 interrupts each
    "runs": ("train/test_damaged_runs.py", 1300),
    "commands": ("cli/commands_at_random.py", 2000),
    "calls": ("door/fuzz.py", ""),
    "tricks": ("course/grading/attacks.py", ""),
}
"""Script of each part, and its tries where their number can be chosen."""

ROW = re.compile(r"(.+) \| (\d+) \| (\d+)")


def main(words):
    """Run the parts that are named; return 1 if something failed, or a script did."""
    asked = dict(word.partition("=")[::2] for word in words) or dict.fromkeys(PARTS, "")
    rows, broken = [], False
    for part, tries in asked.items():
        script, usual = PARTS[part]
        command = [sys.executable, str(Path(__file__).parent / script), str(tries or usual)]
        began = time.monotonic()
        done = subprocess.run(
            [word for word in command if word], stdout=subprocess.PIPE, text=True, check=False
        )
        found = [match.groups() for match in map(ROW.fullmatch, done.stdout.splitlines()) if match]
        if not found or any(int(failed) for _, _, failed in found):
            broken = True
            print(done.stdout)
        rows += found
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print("| broken on purpose | tried | failed |", "|---|--:|--:|", sep="\n")
    for row in rows:
        print("|", " | ".join(row), "|")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
