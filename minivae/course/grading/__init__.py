"""Grading: the gradient doctor for a course, on files that nobody has looked at.

`grade_file(path, rubric)` returns a `Grade`; `minivae check FILE --points RUBRIC` is the command.

**What is found.** Pairs of functions `NAME_forward(...) -> (out, cache)` and
`NAME_backward(dout, cache)`, by the words in their names (`conv_backward_naive`, `sigmoid_grad`,
`dsigmoid`); backward passes that take the arguments again, `NAME_backward(dout, x, W)`, the cache
first, or spread; a loss `NAME_loss` with `NAME_grad` of the same arguments; functions that return
`(loss, gradients)`; classes with the methods `forward` (or `__call__`, `loss`) and `backward` (or
`grad`), whose parameters are arrays among the attributes, in dicts, lists, layers inside or objects
with `data` and `grad`, and their gradients `dW`, `dLdW`, `grad_W`, a dict or list `grads`, or
returned. Gradients are a tuple in the order of the arguments, or a dict by name; where a tuple is
shorter, names in the return statement and shapes tell which arguments were left out.
`FILE::NAME` selects one. `README.md` tells how a submission travels.

**What it is tried at.** Inputs come from the rubric; without one, from a function `example()` in
the file that returns a dict of arguments (or a dict of such dicts by NAME); without that, from what
the arguments are called; if that raises, other layouts are tried. With a rubric, the file's
`example()` is tried besides, and no points hang on it: who is graded does not choose the questions.
There are three points, the second with other sizes, the third with other values; a gradient is
right if it is right at each.

**A rubric** is a TOML file::

    title = "Homework 3"
    solution = "solution.py"     # beside the rubric; its forward passes are the truth
    file = "homework.py"         # of a submission with several files (default: any)
    packages = ["sklearn"]       # installed ones that it may import, besides NumPy and SciPy
    visibility = "visible"       # Gradescope's: hidden, after_due_date, after_published
    hint = "mistake"             # how much is told: verdict, gradient, line, mistake or edit

    [[exercise]]
    name = "linear"
    points = 4                   # 1
    contract_points = 1          # lost by changing inputs in place and the like (0)
    forward_points = 1           # for the values of forward, where it was to be written too (0)
    gradients = ["x", "W"]       # those that count (default: the truth's, or the inputs')
    kind = "linear"              # instead of a solution: an operation of minivae is the truth
    inputs = {x = "B I", W = "I O", b = "O"}
    fixed = []                   # arguments without a gradient
    options = {keep = 0.7}       # further arguments
    init = {n_in = "I"}          # arguments of a class's constructor: letters are sizes
    sizes = {B = 3}              # by letter
    vary_sizes = true
    tolerance = 1e-6
    title = "A linear layer"
    visibility = "hidden"

Only `name` is needed. Behind the letters of an input may stand what values it has: `positive`,
`unit` (between 0 and 1), `binary`, `one_hot`, `simplex` (rows that sum to 1), `mask`, `labels:L`
(whole numbers below the size L), `away` (from 0). An entry of a dict is `"params.W1" = "D H"`.
The points of an exercise are those for its gradients, times the square of the share that is right:
the first half is the easy one. Which gradients count is never what a student returns: it is what
`gradients` lists, else what the truth has, else what the inputs say, else all arguments; parameters
of a class that nobody has named count together as one.
Where a gradient differs from the slope of the value on purpose, as
one that is stopped, or divided by the number of examples, the solution's own gradient decides.

**What is said.** right, wrong, "right, but ..." with a habit, or not checked, with the reason;
`minivae.check.report.result` has the words. What could not be checked by no fault of the code is
`open`: it has no points in the table, not even 0, until somebody has looked.

**Whom the grader trusts.** The file runs in another process, which is given inputs and returns what
the functions make of them. Numerical gradients, comparisons, the diagnosis and the points are made
in the grader's process, so there is nothing in the student's process to be patched, printed, forged
or read; a forged answer is a claim about a gradient, and is compared like any other.

What is defended, on Linux. A submission reads its own files, Python's library, NumPy, SciPy and
minivae without its exercises and their solutions, and no other file: in a mount namespace nothing
else is there ("view" in `Grade.defences`), and Landlock refuses what is not on the same list. It
writes into its scratch folder, at most 32 MB. It has no rights of root ("capabilities", "nobody"),
and of system calls only those that computing needs ("seccomp"): no processes, signals to others,
sockets, shared memory or mounts. All this needs no privilege where the system lets users make
namespaces, or has Landlock (5.13 or newer). Where something is missing, the report says so, and
with a rubric nothing is graded unless somebody insists.

There is one deadline for a submission, `timeout`, which its exercises share: each gets an equal
part of what is left. It holds for the grader's own work on the answers, too, as does the memory;
what is interrupted there is "not checked". What was drawn to check it, the inputs, the upstream
gradients and the entries that are compared, comes from a seed that is fresh each time and stands in
`Grade.seed`. The results are written by the grader after the process has ended, in any case, and
hold no traceback of the grader's.

What is not defended:

- A forward pass that lies: one that returns zeros agrees with a backward pass that returns zeros.
  Name a `kind` or a `solution` in the rubric; then the forward values are compared, and the
  numerical gradients are those of the truth. Without either, arguments that the output does not
  depend on are not checked and earn nothing, and cleverer lies are not found.
- A backward pass that is right but not derived: it may itself take differences of its forward pass,
  or copy from a library that is installed.
- Habits (changes in place, another result the second time) are watched inside the student's
  process. A file that patches the watching hides its habits, and nothing else.
- Elsewhere than on Linux, the file can read and change what the user can, use the network, kill the
  grader, and leave a process behind in a session of its own. On Windows there is no limit on memory
  either, and a process that the file starts may go on. Grade in a container, as Gradescope does, or
  as a user who owns nothing, and insist.
- What a student's exception says, up to 300 characters, is shown to the student, and what the file
  prints is shown by the command, but never in Gradescope's results.
"""

from .batch import grade_folder, grades_csv, write_csv
from .exercise_grade import ExerciseGrade
from .grade import Grade
from .limits import Limits
from .rubric import Rubric, load_rubric, rubric_from_dict
from .submission import grade_file

__all__ = [
    "ExerciseGrade",
    "Grade",
    "Limits",
    "Rubric",
    "grade_file",
    "grade_folder",
    "grades_csv",
    "load_rubric",
    "rubric_from_dict",
    "write_csv",
]
