"""From a solved file with marks to what a student gets.

In a solved file, what the student is to write stands between a line `# solution:` and a line
`# end`. Before it, every result is set to None, so a file in which nothing was written runs, and
the check says that no gradient was returned.
"""

from .catalog import Task

BEGIN, END = "# solution:", "# end"
GAP = "# your code here"
_IMPORT = "import numpy as np\n"


def cut(source: str) -> str:
    """Replace each solution by a gap."""
    return _replace(source, keep=False, begin=GAP, end=None)


def solve(source: str) -> str:
    """Leave the solutions, without the marks."""
    return _replace(source, keep=True, begin=None, end=None)


def mark(source: str) -> str:
    """Leave the solutions between the marks of nbgrader."""
    return _replace(source, keep=True, begin="### BEGIN SOLUTION", end="### END SOLUTION")


def _replace(source: str, *, keep: bool, begin: str | None, end: str | None) -> str:
    lines, inside = [], False
    for line in source.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
            instead = begin if inside else end
            if instead is not None:
                lines.append(indent + instead)
        elif keep or not inside:
            lines.append(line)
    return "\n".join(lines) + "\n"


def task(exercise: Task) -> str:
    """The task in words: the docstring of its file."""
    return exercise.source.split('"""')[1].strip()


def functions(exercise: Task) -> tuple[str, str]:
    """Source of the forward pass, with the constants before it, and of the backward pass."""
    body = exercise.source.partition(_IMPORT)[2]
    forward, define, backward = body.partition(f"def {exercise.name}_backward(")
    return forward.strip() + "\n", define + backward


def student_file(exercise: Task) -> str:
    """What a student gets: the task, the forward pass, a gap, and an example to check at."""
    how = f"Write it where it says `{GAP}`, then check it:\n\n    minivae check {exercise.file}"
    return _file(exercise, f"{task(exercise)}\n\n{how}", cut(_both(exercise)))


def solved_file(exercise: Task) -> str:
    """The same with the solution in it."""
    return _file(exercise, task(exercise), solve(_both(exercise)))


def _file(exercise: Task, words: str, body: str) -> str:
    first, *lines, last = exercise.example_lines()
    example = "\n".join([f"    return {first}", *(f"    {line}" for line in lines), f"    {last}"])
    return f'''"""{words}
"""

{_IMPORT}

{body}

def example():
    """Draw arguments to check at; the sizes differ, so that no transpose goes unseen."""
    rng = np.random.default_rng(0)
{example}
'''


def solution_module(exercises: tuple[Task, ...]) -> str:
    """All solutions in one file, which a rubric names as the truth."""
    bodies = [solve(_both(exercise)) for exercise in exercises]
    return f'"""Solutions of the exercises; the rubric names this file."""\n\n{_IMPORT}\n\n' + (
        "\n\n".join(bodies)
    )


def _both(exercise: Task) -> str:
    return "\n\n".join(functions(exercise))
