"""What Gradescope needs to grade with the rubric of the exercises."""


def setup_sh(version: str) -> str:
    """Gradescope's `setup.sh`: it runs once, when the image is built, and has a network."""
    return f"""\
#!/usr/bin/env bash
# Installs minivae for the autograder; needs Python 3.11 or newer (a base image of Ubuntu 24.04).
# A wheel in the zip is installed if there is one, else the release.
set -euo pipefail
apt-get update
apt-get install -y python3-venv
python3 -m venv /autograder/venv
shopt -s nullglob
wheels=(/autograder/source/*.whl)
/autograder/venv/bin/pip install "${{wheels[@]:-minivae=={version}}}"
chmod -R go-rwx /autograder/source  # the solutions are root's, and a submission runs as nobody
"""


def run_autograder() -> str:
    """Gradescope's `run_autograder`: it runs for each submission."""
    return """\
#!/usr/bin/env bash
# Grades one submission; the results are written whatever the submission does. If the machine cannot
# confine it, nothing is graded; in this container, which holds one submission, you may --insist.
/autograder/venv/bin/minivae check /autograder/submission \\
    --points /autograder/source/rubric.toml \\
    --gradescope /autograder/results/results.json --force
# An exit code other than 0 would mean that the autograder itself has failed.
if [ -s /autograder/results/results.json ]; then exit 0; else exit 1; fi
"""
