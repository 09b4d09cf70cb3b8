# %% [markdown]
# # 09 · One operation, three machines
#
# The formulas are done. This notebook is about how a computer carries them out: as whole arrays in NumPy, as one loop in machine code, and as thousands of threads on a graphics processor. The equations stay the same, and so must the numbers.
#
# **At the end you can**
#
# - count what an operation costs in *passes over memory*, and say why that, and not arithmetic, sets its speed;
# - turn a NumPy formula into a loop that Numba compiles, and test it against the formula;
# - read a CUDA kernel, and say what one thread of it does;
# - explain why two right programs may differ in the last digit.
#
# **You need** notebook 01 and the pixel loss of notebook 03. A GPU is not needed. About 30 minutes.

# %%
import inspect
import time

import matplotlib.pyplot as plt
import numba
import numpy as np

from minivae import VAE, get_backend
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.engine.gpu.kernels import specs
from minivae.errors import BackendError
from minivae.ops import bernoulli

plt.style.use("minivae.tutorial")

# %% [markdown]
# ## The formula
#
# The surprise of a pixel $x$ under the logit $a$, summed over the pixels of an image, and its gradient:
#
# $$ \operatorname{nll}_n = \sum_d \Big( \underbrace{\max(a_{nd}, 0) + \ln(1 + e^{-|a_{nd}|})}_{\ln(1 + e^{a})\text{, safe for large } a} - x_{nd}\, a_{nd} \Big) \tag{1} $$
#
# $$ da_{nd} = d\operatorname{nll}_n \left( \sigma(a_{nd}) - x_{nd} \right) \tag{2} $$
#
# In NumPy that is nearly the formula itself. This is minivae's **reference**: the text to read, and the truth that everything else is tested against.

# %%
print(inspect.getsource(bernoulli.forward))
print(inspect.getsource(bernoulli.backward))

# %% [markdown]
# ## What does it cost?
#
# Each `*`, `+`, `exp` on arrays is a loop of its own: it reads whole arrays from memory, computes one thing for each entry, and writes a whole array back, which the next operation reads again. Let us count. The class below is an ordinary array that keeps a diary of what is done to it.


# %%
class Diary(np.ndarray):
    entries = []  # noqa: RUF012 (one diary for all)

    def record(self, name, inputs, outputs):
        arrays = [a for a in (*inputs, *outputs) if isinstance(a, np.ndarray) and a.size > 1]
        self.entries.append((name, sum(a.nbytes for a in arrays)))

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        plain = [np.asarray(a) if isinstance(a, Diary) else a for a in inputs]
        result = getattr(ufunc, method)(*plain, **options)
        self.record(ufunc.__name__ if method == "__call__" else "sum", plain, [result])
        return result.view(Diary)

    def __array_function__(self, function, types, arguments, options):
        plain = [np.asarray(a) if isinstance(a, Diary) else a for a in arguments]
        result = function(*plain, **options)
        self.record(function.__name__, plain, [result])
        return result.view(Diary)


rng = np.random.default_rng(0)
logits = (3 * rng.standard_normal((128, 784))).astype("float32")
x = (rng.random((128, 784)) < 0.3).astype("float32")

Diary.entries.clear()
nll, cache = bernoulli.forward(logits.view(Diary), x.view(Diary))
bernoulli.backward(np.ones(128, "float32").view(Diary), *cache)
moved = np.array([bytes_ for _, bytes_ in Diary.entries]) / logits.nbytes
print(len(moved), "passes:", ", ".join(name for name, _ in Diary.entries))

# %% [markdown]
# How much of it is unavoidable? The logits and the pixels must be read once, and the gradient written once: three arrays. In one picture, each block being one array that travels between memory and processor:

# %%
needed = 3
fig, ax = plt.subplots(figsize=(8, 1.9))
left = np.concatenate([[0], np.cumsum(moved)[:-1]])
ax.barh(1, moved, left=left, height=0.6, color=["C0", "C6"] * 20, edgecolor="w")
ax.barh(0, [1, 1, 1], left=[0, 1, 2], height=0.6, color="C1", edgecolor="w")
ax.set_yticks([0, 1], ["one loop", "NumPy"])
ax.set(xlabel="arrays moved through memory, forward and backward together")
plt.show()
print(f"NumPy moves {moved.sum():.0f} arrays, where {needed} are needed")
assert moved.sum() > 8 * needed

# %% [markdown]
# The arithmetic is the same in both. But fetching a number from memory takes far longer than adding two numbers, so the *travel* sets the speed.
#
# ## One loop
#
# So compute everything for one pixel while it is at hand, then go to the next. In plain Python that would be unbearably slow, since the interpreter looks at every line again for every pixel. **Numba** translates the loop to machine code when it is first called.


# %%
@numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})
def loop(logits, x, nll, dlogits):
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for n in range(logits.shape[0]):
        total = zero
        for d in range(logits.shape[1]):
            a, t = logits[n, d], x[n, d]
            e = np.exp(-abs(a))  # used twice: this is what fusing wins
            total += max(a, zero) + np.log1p(e) - t * a  # (1)
            dlogits[n, d] = (one if a > zero else e) / (one + e) - t  # (2), for dnll = 1
        nll[n] = total


def by_loop(logits, x):
    nll, dlogits = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    loop(logits, x, nll, dlogits)
    return nll, dlogits


def by_numpy(logits, x):
    nll, cache = bernoulli.forward(logits, x)
    return nll, bernoulli.backward(np.ones(len(logits), logits.dtype), *cache)


# %% [markdown]
# Two things in the loop are worth a look. `one` and `zero` are made in the arrays' own type: a bare `1.0` is a float64, and would pull float32 arithmetic up to it. And $e^{-|a|}$ is computed once for both equations; the NumPy version computes it forward and again backward.
#
# **Is it the same?** A fast wrong answer is easy. Try both types, odd sizes, an empty batch, arrays that do not lie in one piece, and logits that would overflow:


# %%
def same(logits, x, tolerance):
    for one, other in zip(by_loop(logits, x), by_numpy(logits, x), strict=True):
        assert one.dtype == other.dtype == logits.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


for dtype, tolerance in (("float32", 2e-5), ("float64", 1e-12)):
    a, t = logits.astype(dtype), x.astype(dtype)
    same(a, t, tolerance)
    same(a[:7, :13], t[:7, :13], tolerance)
    same(a[::2, ::3], t[::2, ::3], tolerance)
    same(a[:0], t[:0], tolerance)
    same(np.array([[1000, -1000, 0]], dtype), np.array([[1, 0, 1]], dtype), tolerance)
print("the loop and the formula agree")

# %% [markdown]
# **Is it faster?** Take turns, several times, and compare the best of each, because other programs on the machine can only make things slower. (The figures depend on your machine, so none are printed here. `minivae bench` prints them for all kernels.)


# %%
best = {by_loop: np.inf, by_numpy: np.inf}  # the loop is compiled already: we have called it above
for _ in range(15):
    for function in best:
        start = time.perf_counter()
        function(logits, x)
        best[function] = min(best[function], time.perf_counter() - start)

print("the loop is faster:", best[by_loop] < best[by_numpy])
assert best[by_loop] < best[by_numpy]

# %% [markdown]
# ## The last digit
#
# Look closer, and the two sums are *not* equal:

# %%
one, other = by_loop(logits, x)[0], by_numpy(logits, x)[0]
difference = np.abs(one / other - 1).max()
print("equal:", (one == other).all(), "  equal to five digits:", difference < 1e-5)
assert 0 < difference < 1e-5

# %% [markdown]
# Both are right. A float32 has seven digits, every addition rounds, and the order of additions differs: NumPy adds pairs of pairs, the loop one after the other, or in strips if the compiler likes (that is what `reassoc` permits). In computers, $(a + b) + c \ne a + (b + c)$:

# %%
a, b, c = np.float32(1e8), np.float32(-1e8), np.float32(1)
print((a + b) + c, "but", a + (b + c))
assert (a + b) + c != a + (b + c)

# %% [markdown]
# So kernels are compared with a *tolerance*, derived from the digits of the type and the length of the sum, and never with `==`.
#
# ## Ten thousand threads
#
# A GPU has no loop at all. You write what happens to *one* entry, and start as many copies of it, threads, as there are entries. Here are the bodies of minivae's own kernels for these two equations, C++ as it stands in `ops/likelihoods/bernoulli.py`. `T` becomes `float` or `double`.

# %%
kernels = {spec.name: spec for spec in specs()}
forward, backward = kernels["bernoulli"], kernels["bernoulli_backward"]
print("each thread, forward: ", forward.map)
print("then all are joined by:", forward.reduce)
print()
print("each thread, backward:", inspect.cleandoc(backward.body))

# %% [markdown]
# | | NumPy | Numba | CUDA |
# |---|---|---|---|
# | you write | whole arrays | the loop | one entry |
# | who loops | NumPy, once for each operation | you, once | nobody: all entries at the same time |
# | a sum | `.sum(axis=-1)` | `total += ...` | pairs are joined, then pairs of pairs |
# | $e^{-|a|}$ | twice | once, kept | twice: computing is cheaper than fetching |
#
# Threads run in no particular order, so a body must not care. We can imitate that in Python: one small function for one entry, called for all entries in *shuffled* order.


# %%
def thread(dnll, logit, x):
    """The backward body, line by line, in Python."""
    e = np.exp(-logit if logit > 0 else logit)
    return dnll * ((1 if logit > 0 else e) / (1 + e) - x)  # (2)


a, t = logits[:4, :50].astype("float64"), x[:4, :50].astype("float64")
result = np.full(a.shape, np.nan)
snapshots = []
for done, i in enumerate(rng.permutation(a.size), start=1):
    n, d = divmod(int(i), a.shape[1])
    result[n, d] = thread(1.0, a[n, d], t[n, d])
    if done in (20, 100, 200):
        snapshots.append((done, result.copy()))

np.testing.assert_allclose(result, by_numpy(a, t)[1], rtol=1e-12)
fig, axes = plt.subplots(3, 1, figsize=(7, 2.6))
for ax, (done, picture) in zip(axes, snapshots, strict=True):
    ax.imshow(picture, cmap="RdBu", vmin=-1, vmax=1)
    ax.set_title(f"{done} of 200 threads are done", fontsize=9)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# A sum is the hard part, since there threads must meet. They are joined in a tree, half of them resting after each round. It takes few rounds, and it rounds *better* than a straight loop, because no term is added to a total much larger than itself:


# %%
def tree(values):
    rounds = 0
    while len(values) > 1:
        half = (len(values) + 1) // 2
        values = np.concatenate(
            [values[: len(values) // 2] + values[half:], values[len(values) // 2 : half]]
        )
        rounds += 1
    return values[0], rounds


terms = rng.random(2**20).astype("float32")
exact = terms.astype("float64").sum()
straight = np.add.accumulate(terms)[-1]  # one after the other
joined, rounds = tree(terms)
print(f"{len(terms):,} numbers in {rounds} rounds")
print(
    f"error, one after the other: {abs(straight - exact) / exact:.0e}    in a tree: {abs(joined - exact) / exact:.0e}"
)
assert rounds == 20
assert abs(joined - exact) < 0.1 * abs(straight - exact)

# %% [markdown]
# ## Run it, if you can

# %%
try:
    gpu = get_backend("cuda")
except BackendError:
    print(
        "no GPU with CuPy here: the bodies above are text, and the rest of the notebook needs none"
    )
else:
    on_gpu, kept = gpu.call(bernoulli.forward, gpu.asarray(logits), gpu.asarray(x))
    np.testing.assert_allclose(gpu.to_host(on_gpu), by_numpy(logits, x)[0], rtol=2e-5)
    print("the GPU agrees with the formula")

# %% [markdown]
# ## Who chooses?
#
# A layer names the *reference* and leaves the rest to its backend: `self.call(bernoulli.forward, logits, x)` runs the kernel of that function if the backend has one, and otherwise the function. So a model does not know on which machine it runs, and the same seed gives the same step:

# %%
gradients = {}
for backend in ("numpy", "numba"):
    model = VAE(784, hidden=(50,), latent=8, rng=np.random.default_rng(0), backend=backend)
    noise = model.draw_noise(np.random.default_rng(1), 128)
    model.step(model.prepare(x), noise)
    gradients[backend] = model.params.grad.copy()
scale = np.abs(gradients["numpy"]).max()
np.testing.assert_allclose(gradients["numba"], gradients["numpy"], rtol=0, atol=1e-5 * scale)
print("the same gradients, up to rounding")

# %% [markdown]
# More on the three forms: [`three-forms.md`](three-forms.md), where one operation stands in all of them, side by side.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal

# %% [markdown]
# **1. A fused loop (4 points).** The KL and its gradients share $e^{\operatorname{logvar}} - 1$. Fill in the loop so that one pass computes `kl`, and keeps in `excess` what the backward pass needs; then write the backward loop, for one entry at a time. (Leave `@numba.njit` away while you work: errors are easier to read. Put it back when all is right.)


# %%
def kl_loop(mu, logvar, kl, excess):
    for i in range(mu.size):
        excess[i] = np.expm1(logvar[i])
        kl[i] = 0.5 * (mu[i] * mu[i] + excess[i] - logvar[i])


def kl_backward_loop(dkl, mu, excess, dmu, dlogvar):
    for i in range(mu.size):
        # your code here: two lines
        dmu[i] = dlogvar[i] = 0


def kl_forward(mu, logvar):
    kl, excess = np.empty(mu.shape, mu.dtype), np.empty(mu.shape, mu.dtype)
    kl_loop(mu.ravel(), logvar.ravel(), kl.ravel(), excess.ravel())
    return kl, (mu, excess)


def kl_backward(dkl, cache):
    mu, excess = cache
    dmu, dlogvar = np.empty_like(mu), np.empty_like(mu)
    kl_backward_loop(dkl.ravel(), mu.ravel(), excess.ravel(), dmu.ravel(), dlogvar.ravel())
    return {"dmu": dmu, "dlogvar": dlogvar}


# %%
at = {"mu": draw(size=(3, 2)), "logvar": draw(size=(3, 2))}
sheet.grade("1 fused loop", 4, check_gradients(kl_forward, kl_backward, at, name="kl loop"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def kl_backward_loop(dkl, mu, excess, dmu, dlogvar):
#     for i in range(mu.size):
#         dmu[i] = dkl[i] * mu[i]
#         dlogvar[i] = dkl[i] * 0.5 * excess[i]
# ```
# </details>

# %% [markdown]
# **2. One thread (3 points).** Write the body of SiLU's backward pass, $y = x\,\sigma(x)$, for *one* number: no arrays. It must survive $x = \pm 1000$ without an overflow: let the exponential see only negative numbers, as in `thread` above.


# %%
def silu_thread(dy, x):
    dx = 0.0  # your code here: this line is wrong
    return dx


def silu_forward(x):
    return x / (1 + np.exp(-x)), x


def silu_backward(dy, x):
    threads = [
        silu_thread(float(one), float(other)) for one, other in zip(dy.flat, x.flat, strict=True)
    ]
    return {"dx": np.reshape(threads, x.shape)}


# %%
with np.errstate(over="raise"):
    far = silu_thread(1.0, -1000.0), silu_thread(1.0, 1000.0)
print("far left and far right:", far)
sheet.grade(
    "2 one thread", 3, check_gradients(silu_forward, silu_backward, {"x": draw(size=(3, 5))})
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def silu_thread(dy, x):
#     e = np.exp(-abs(x))
#     s = (1 if x > 0 else e) / (1 + e)  # the sigmoid
#     dx = dy * (s + x * s * (1 - s))
#     return dx
# ```
# </details>

# %%
print(sheet)
