# %% [markdown]
# # 11 · The family: posteriors that bend, and codes that one can count
#
# The plain VAE has a posterior of one shape, a Gaussian along the axes, and codes that are numbers. Two members of the family change one of these each. A **flow** bends the Gaussian step by step. A **VQ-VAE** replaces vectors by the nearest of a few that it has learned.
#
# **At the end you can**
#
# - move a point and its density through a planar step on paper;
# - say what makes a step invertible, and what goes wrong without it;
# - explain what the straight-through estimator claims, and why no finite difference can agree;
# - compute the gradient of a codebook, and the perplexity of its use.
#
# **You need** notebooks 01, 04 and 05. About 45 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import Adam, Settings, Training, data, fit
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.models.vq import VQVAE
from minivae.ops import codebook, planar
from minivae.ops.codebook import perplexity
from minivae.show import plots

plt.style.use("minivae.tutorial")

# %% [markdown]
# ## A posterior that bends
#
# Push a sample along a direction $u$, by how far it lies along another direction $w$:
#
# $$ a = w \cdot z + b, \qquad t = \tanh a, \qquad z' = z + u \, t . $$
#
# A density is carried along. Where the step stretches the plane, it gets thinner by as much, so
#
# $$ \ln q'(z') = \ln q(z) - \ell, \qquad \ell = \ln \left| \det \frac{\partial z'}{\partial z} \right| . $$
#
# All that changes lies along $u$, and depends on $z$ through $a$ alone. So the Jacobian is $I + t' u w^\top$ with $t' = 1 - t^2$, and its determinant is $1 + t' \, w \cdot u$: one number, however many dimensions there are.
#
# By hand: $z = (0, 1)$, $w = (1, 0)$, $u = (\tfrac12, 2)$, $b = 0$. Then $a = 0$, $t = 0$, the point stays where it is, and the plane is stretched there by $1 + 1 \cdot \tfrac12$.


# %%
def step(z, u, w, b):
    """Moved points and log-determinants: z (B, 2); u and w (2,), b a number."""
    t = np.tanh(z @ w + b)
    return z + t[:, None] * u, np.log(np.abs(1 + (1 - t**2) * (w @ u)))


z, w, u = np.array([[0.0, 1]]), np.array([1.0, 0]), np.array([0.5, 2])
moved, logdet = step(z, u, w, 0.0)
assert np.array_equal(moved, z)
assert np.isclose(logdet[0], np.log(1.5))

nearby = np.array([[0.0, 1], [1e-6, 1], [0, 1 + 1e-6]])  # the determinant again, by differences
(at, right, up), _ = step(nearby, u, w, 0.0)
differences = np.array([right - at, up - at]).T / 1e-6
print("Jacobian by differences:", *differences.round(4), sep="\n")
assert np.isclose(np.linalg.det(differences), 1.5, atol=1e-5)

# %% [markdown]
# What the step does to a grid of points, and to a Gaussian. A step with $w \cdot u < -1$ **folds** the plane: two points land on one, and the density on a fold is not what the formula says.

# %%
lines = [np.stack([np.full(200, c), np.linspace(-3, 3, 200)], 1) for c in np.linspace(-3, 3, 13)]
lines += [line[:, ::-1] for line in lines]
fig, axes = plt.subplots(1, 3, figsize=(9, 3.1), sharex=True, sharey=True)
w = np.array([1.0, 0.6])
for ax, u, title in (
    (axes[0], np.array([0.0, 0.0]), "the plane"),
    (axes[1], np.array([1.2, -1.4]), "w·u = 0.36: stretched"),
    (axes[2], np.array([-2.6, 1.0]), "w·u = -2: folded"),
):
    for line in lines:
        ax.plot(*step(line, u, w, 0.0)[0].T, color="C0", lw=0.7)
    ax.set(title=title, xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
plt.show()

# %% [markdown]
# Along $w$ everything happens on a line: $s = w \cdot z$ becomes $s + w \cdot u \, \tanh(s + b)$. That grows with $s$ everywhere exactly if $w \cdot u \ge -1$. So what a network gives as $u$ is moved along $w$, and only there, until $w \cdot \hat u = \ln(1 + e^{w \cdot u}) - 1 > -1$. Then the step can be undone, by looking for $s$ on the line; and then the density must still have an integral of 1. That is a check with no formula of ours in it but the density itself.


# %%
def constrained(u, w):
    """Move u along w, so that the step can be undone: w û = softplus(w u) - 1."""
    return u + (np.log1p(np.exp(w @ u)) - 1 - w @ u) / (w @ w) * w


def undo(moved, u, w, b):
    """Where points (N, 2) came from: by halving an interval on the line along w."""
    s, c = moved @ w, w @ u
    low, high = s - abs(c) - 1, s + abs(c) + 1
    for _ in range(60):
        middle = (low + high) / 2
        above = middle + c * np.tanh(middle + b) > s
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return moved - np.tanh(low + b)[:, None] * u


axis = np.linspace(-9, 9, 361)
places = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def integral(u):
    """Of the density that the standard normal one becomes, over the plane."""
    came_from = undo(places, u, w, 0.0)
    _, logdet = step(came_from, u, w, 0.0)
    log_q = -0.5 * (came_from**2).sum(axis=1) - np.log(2 * np.pi) - logdet
    return np.exp(log_q).sum() * (axis[1] - axis[0]) ** 2


folding = np.array([-2.6, 1.0])
mended = constrained(folding, w)
print(f"w u = {w @ folding:.2f}: the integral is {integral(folding):.4f}")
print(f"w û = {w @ mended:.2f}: the integral is {integral(mended):.4f}")
assert np.isclose(integral(mended), 1, atol=1e-6)
assert abs(integral(folding) - 1) > 0.05

# %% [markdown]
# `minivae.ops.planar` is this step, with a $u$, $w$ and $b$ for each example, and its backward pass. Put eight of them one after the other, and they can learn a density: minimise $E_q[\ln q - \ln p]$ for a $p$ that is known up to a factor. Here it is a ring with two thick places. Each step hands its gradient to the one before it, and $-\ell$ of each is a part of $\ln q$.


# %%
def log_p(z):
    """A ring of radius 2 with two thick places (up to a constant), and its gradient."""
    r = np.sqrt((z**2).sum(axis=1) + 1e-12)
    far = (r - 2) / 0.4
    bumps = np.exp(-0.5 * ((z[:, 0, None] - [2, -2]) / 0.6) ** 2)  # (B, 2)
    dx = (bumps * -(z[:, 0, None] - [2, -2]) / 0.36).sum(axis=1) / bumps.sum(axis=1)
    dz = -(far / 0.4 / r)[:, None] * z
    dz[:, 0] += dx
    return -0.5 * far**2 + np.log(bumps.sum(axis=1)), dz


rng = np.random.default_rng(0)
STEPS, B = 8, 256
theta = rng.normal(size=(STEPS, 5)) * 0.3  # u, w and b of each step
first, second = np.zeros_like(theta), np.zeros_like(theta)


def flow(z):
    """Points at the end, the sum of the log-determinants, and what goes back needs."""
    total, caches = np.zeros(len(z)), []
    for row in theta:
        uwb = np.tile(row, (len(z), 1))
        (z, logdet), cache = planar.forward(z, uwb[:, :2], uwb[:, 2:4], uwb[:, 4])
        total += logdet
        caches.append(cache)
    return z, total, caches


losses = []
for iteration in range(1, 1501):
    start = rng.normal(size=(B, 2))
    z, total, caches = flow(start)
    log_target, dlog = log_p(z)
    losses.append((-0.5 * (start**2).sum(axis=1) - total - log_target).mean())
    dz, grad = -dlog / B, np.zeros_like(theta)
    for i in reversed(range(STEPS)):
        dz, du, dw, db = planar.backward(dz, np.full(B, -1 / B), *caches[i])
        grad[i] = [*du.sum(axis=0), *dw.sum(axis=0), db.sum()]
    first = 0.9 * first + 0.1 * grad
    second = 0.999 * second + 0.001 * grad**2
    unbiased = first / (1 - 0.9**iteration), second / (1 - 0.999**iteration)
    theta -= 0.02 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)  # Adam, see notebook 07

print(f"loss: {np.mean(losses[:50]):.2f} at first, {np.mean(losses[-50:]):.2f} at the end")
assert np.mean(losses[-50:]) < np.mean(losses[:50]) - 0.5

# %%
axis = np.linspace(-4, 4, 200)
grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
density = np.exp(log_p(grid)[0]).reshape(200, 200)
start = rng.normal(size=(20_000, 2))
drawn, _, _ = flow(start)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.1))
axes[0].hist2d(*start.T, bins=80, range=[(-4, 4)] * 2, cmap="Blues")
axes[1].hist2d(*drawn.T, bins=80, range=[(-4, 4)] * 2, cmap="Blues")
axes[2].imshow(density, origin="lower", extent=(-4, 4, -4, 4), cmap="Blues")
for ax, title in zip(axes, ("samples of N(0, I)", f"after {STEPS} steps", "p"), strict=True):
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
    ax.grid(False)
plt.show()
assert (drawn[:, 0] > 0).mean() > 0.95

# %% [markdown]
# The steps have found one of the two crescents and its bend, and nothing of the other. $E_q[\ln q - \ln p]$ asks only where $q$ puts its samples; a place that $q$ leaves out costs little, here $\ln 2$. So a posterior is sooner too narrow than too wide.
#
# In a VAE, $p$ is the decoder and the prior, and $u$, $w$ and $b$ come from the encoder, for each datum its own: `minivae train --model flow`. The KL then has no closed form; the loss takes the $\ln q - \ln p$ of the one sample that it drew.
#
# ## Codes that one can count
#
# A VQ-VAE has a codebook $E$ of $K$ vectors. What the encoder gives, $z$, is replaced by the nearest code before the decoder sees it. Twelve vectors in the plane and four codes:

# %%
rng = np.random.default_rng(3)
vectors = np.concatenate([rng.normal(c, 0.35, (4, 2)) for c in ((-1, 1), (1, 1), (0.6, -1))])
E = np.array([[-0.6, 0.4], [0.4, 0.6], [0.0, -0.4], [2.2, -1.8]])
e, (k, _) = codebook.forward(vectors[:, None], E)  # (B, P, D), with one place each
k = k[:, 0]
counts = np.bincount(k, minlength=4)


def drawn_codes(ax, codes, title):
    """Draw each vector in the colour of its code, and a line to it."""
    near = ((vectors[:, None] - codes) ** 2).sum(axis=2).argmin(axis=1)
    for v, j in zip(vectors, near, strict=True):
        ax.plot(*np.array([v, codes[j]]).T, color=f"C{j}", lw=0.8, zorder=1)
    ax.scatter(*vectors.T, c=[f"C{j}" for j in near], s=18)
    ax.scatter(*codes.T, c=[f"C{j}" for j in range(len(codes))], s=110, marker="X", ec="black")
    loss = ((vectors - codes[near]) ** 2).sum(axis=1).mean()
    ax.set(title=f"{title}: {loss:.2f}", xlim=(-2.5, 2.7), ylim=(-2.4, 2.3), aspect="equal")
    return loss


# %% [markdown]
# **Learning the codes.** Where a code stands for some vectors, the best place for it is their mean. Going there is one step of k-means, and the mean squared distance cannot rise. The package does it with moving averages, for in a minibatch the mean is a noisy one. The fourth code is nearest to nothing: it is **dead**, no mean moves it, and it stays dead until somebody puts it onto a vector.

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3))
before = drawn_codes(axes[0], E, "mean squared distance")
moved = np.array([vectors[k == j].mean(axis=0) if counts[j] else E[j] for j in range(4)])
after = drawn_codes(axes[1], moved, "codes at their means")
reseeded = moved.copy()
reseeded[3] = vectors[((vectors - moved[k]) ** 2).sum(axis=1).argmax()]
alive = drawn_codes(axes[2], reseeded, "the dead one on a vector")
plt.show()
print("counts:", counts, " perplexity:", round(perplexity(counts), 3))
assert counts[3] == 0
assert before > after > alive

# %% [markdown]
# **Perplexity** is how many codes are in use: $e^H$ of the entropy of their shares. By hand: counts of $(6, 6, 0, 0)$ have two shares of a half, $H = \ln 2$, so the perplexity is 2; four of them alike have 4.

# %%
assert np.isclose(perplexity(np.array([6, 6, 0, 0])), 2)
assert np.isclose(perplexity(np.array([3, 3, 3, 3])), 4)

# %% [markdown]
# **Learning the encoder.** Moving $z$ a little does not change its code, so the decoder's loss has the slope 0 for $z$, and a jump where the next code is nearer. The *straight-through estimator* claims something else: it hands $dz = de$, as if the code had moved along. Write $\text{sg}(\cdot)$ for "a constant from here on", and the claim is in the open:
#
# $$ y = z + \text{sg}(e - z) . $$
#
# Its value is $e$. Its slope for $z$ is 1. No finite difference can agree with that, for it looks at values, and the doctor says so:


# %%
def quantise_forward(z):
    e, (k, _) = codebook.forward(z[:, None], E)
    return e[:, 0], (k, z.shape)


def straight_through(dy, cache):
    return dy  # as if e had been z


report = check_gradients(quantise_forward, straight_through, {"z": vectors}, name="quantise")
print(report)
assert report.verdict == "not checked"

# %% [markdown]
# This is *meant*: a finite difference of a staircase is 0 nearly everywhere, and useless. That $z$ stays near the codes, the loss sees to by a term of its own, the commitment $\beta \| z - \text{sg}(e) \|^2$.
#
# A small one, on digits of 8 x 8: each is described by 16 codes out of 32.

# %%
digits = data.load("digits8")
rng = np.random.default_rng(0)
model = VQVAE(64, (64,), 8, codebook=32, slots=16, prior_width=0, rng=rng)
training = Training(model, Adam(3e-3), rng, Settings(epochs=30, binarize="dynamic", seed=0))
fit(training, digits.pixels_train, digits.pixels_test, progress=False)
last = training.history[-1]
print({name: round(last[name], 2) for name in ("nll", "kl", "perplexity", "val_loss")})
assert 10 < last["perplexity"] <= 32

x = model.prepare(digits.pixels_test[:10])
fig, ax = plt.subplots(figsize=(8, 2))
plots.reconstructions(x, model.reconstruct(x), (8, 8), ax=ax)
plt.show()
print("codes of the first digit:", *model.codes(x)[0])

# %% [markdown]
# The codes are numbers from 0 to 31, so a *prior over codes* is a model of short texts: without one, samples are drawn code by code from their frequencies; with `prior_width` a small masked convolution reads the codes before each place. `minivae train --model vq --network conv` is the one for pictures, and [a page](uses/family.md) measures the family.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(4).normal

# %% [markdown]
# **1. A planar step, backwards (5 points).** The step of the beginning, with $u$ as it is: $z$ $(B, Z)$, $u$ and $w$ $(Z,)$, $b$ a number. Two things come out, so two gradients arrive: `dmoved` $(B, Z)$ and `dlogdet` $(B,)$. The hyperbolic tangent `t` acts through both. Mind that `w` stands in two places, and that `u`, `w` and `b` serve all examples.


# %%
def planar_forward(z, u, w, b):
    t = np.tanh(z @ w + b)
    stretched = 1 + (1 - t**2) * (w @ u)
    return (z + t[:, None] * u, np.log(stretched)), (z, u, w, t, stretched)


def planar_backward(dmoved, dlogdet, cache):
    z, u, w, t, stretched = cache
    dz = du = dw = db = None
    # your code here
    return {"dz": dz, "du": du, "dw": dw, "db": db}


# %%
at = {"z": draw(size=(4, 3)), "u": abs(draw(size=3)), "w": abs(draw(size=3)), "b": draw(size=())}
sheet.grade("1 planar", 5, check_gradients(planar_forward, planar_backward, at, name="planar"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def planar_backward(dmoved, dlogdet, cache):
#     z, u, w, t, stretched = cache
#     slope = 1 - t**2
#     r = dlogdet / stretched
#     # t' = 1 - t^2 has the slope -2 t; and a goes through the tanh.
#     da = slope * (dmoved @ u - 2 * t * r * (w @ u))
#     dz = dmoved + da[:, None] * w
#     du = dmoved.T @ t + np.sum(r * slope) * w
#     dw = z.T @ da + np.sum(r * slope) * u
#     return {"dz": dz, "du": du, "dw": dw, "db": np.sum(da)}
# ```
# </details>

# %% [markdown]
# **2. A codebook's loss, backwards (3 points).** $L = \frac1B \sum_n \| z_n - E_{k_n} \|^2$, with the numbers $k$ $(B,)$ fixed. `dz` is one line. For `dE`, a code collects from *every* vector that it stands for; there is more than one, and `dE[k] += ...` does not add them up.


# %%
NUMBERS = np.array([2, 0, 2, 1, 2])


def codes_forward(z, E):
    gap = z - E[NUMBERS]
    return np.mean(np.sum(gap**2, axis=1)), (gap, E.shape)


def codes_backward(dloss, cache):
    gap, shape = cache
    dz = dE = None
    # your code here
    return {"dz": dz, "dE": dE}


# %%
at = {"z": draw(size=(5, 3)), "E": draw(size=(4, 3))}
sheet.grade("2 codes", 3, check_gradients(codes_forward, codes_backward, at, name="codes"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def codes_backward(dloss, cache):
#     gap, shape = cache
#     dz = dloss * 2 * gap / len(gap)
#     dE = np.zeros(shape)
#     np.add.at(dE, NUMBERS, -dz)
#     return {"dz": dz, "dE": dE}
# ```
# </details>

# %%
print(sheet)
