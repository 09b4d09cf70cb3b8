"""Try every absurd value in every place: `python tests/door/fuzz.py [ROOM ...] [--share 0.1]`."""

import argparse
import collections
import os
import random
import resource
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from door.calls import nothing, one, sweep, targets


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--silent", action="store_true", help="list what was accepted in silence")
    options = parser.parse_args()
    import matplotlib

    matplotlib.use("agg")
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    folder = Path(tempfile.mkdtemp())
    os.chdir(folder)
    (folder / "runs").mkdir()
    chance = random.Random(0)
    counts = collections.defaultdict(collections.Counter)
    bad = collections.defaultdict(list)
    for target, call, found in targets(options.rooms):
        room = target.split(".")[1]
        for name, label, hint, parameter, make in sweep(found, folder):
            if chance.random() > options.share:
                continue
            if make() is None and parameter.default is None:
                continue
            result, error, twin = one(call, found, name, make)
            if result == "ok" and nothing(hint, twin):
                result = "silent"
            counts[room][result] += 1
            if result in ("foreign", "slow", "silent"):
                where = ""
                if error is not None:
                    frames = traceback.extract_tb(error.__traceback__)
                    where = " < ".join(
                        f"{Path(f.filename).name}:{f.lineno}" for f in frames[-1:-4:-1]
                    )
                bad[target].append(
                    f"{result:8}{name}={label}: {type(error).__name__} {str(error)[:70]!r} {where}"
                )
    for target, lines in bad.items():
        print(target, len(lines))
        for line in lines[: options.show]:
            print("    ", line)
    total = collections.Counter()
    for room, counter in counts.items():
        total += counter
        print(f"{room:10}", dict(counter))
    print(f"{'all':10}", sum(total.values()), dict(total))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
