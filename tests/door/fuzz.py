"""Try every absurd value in every place: `python tests/door/fuzz.py [ROOM ...] [--share 0.1]`."""

import argparse
import collections
import os
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from door.calls import attempts

BAD = ("foreign", "silent", "slow")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--show", type=int, default=3, help="at most so many of each name")
    options = parser.parse_args()
    import matplotlib

    matplotlib.use("agg")
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    folder = Path(tempfile.mkdtemp())
    os.chdir(folder)
    (folder / "runs").mkdir()
    counts = collections.defaultdict(collections.Counter)
    bad = collections.defaultdict(list)
    for attempt in attempts(options.rooms, folder, options.share):
        counts[attempt.target.split(".")[1]][attempt.result] += 1
        if attempt.result in BAD:
            bad[attempt.target].append(f"{attempt.name}={attempt.label}: {attempt.said}")
    for target, lines in bad.items():
        print(target, len(lines), *lines[: options.show], sep="\n    ")
    for room, counter in counts.items():
        print(f"{room:10} {sum(counter.values()):6}", dict(counter))
    total = sum(counts.values(), collections.Counter())
    print(f"all        {sum(total.values()):6}", dict(total))
    print(f"absurd calls | {total.total()} | {sum(total[result] for result in BAD)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
