# %% [markdown]
# # 04 · The ELBO: one bound, derived twice
#
# The loss of notebook 03, *surprise + price*, looked like two wishes glued together. It is one quantity, and you can derive it in two ways. This notebook does both, and checks every step with numbers, on a model so small that the impossible integral is possible.
#
# **At the end you can**
#
# - derive the ELBO with Jensen's inequality, and again as an exact identity, and say what the second shows that the first hides;
# - compute the gap between the bound and the truth;
# - say what $\beta$ does, and why only $\beta = 1$ gives a bound;
# - spot the most common bug of all VAE code: a *mean* over pixels where a sum belongs.
#
# **You need** notebooks 00 and 03, and what an expectation is. About 35 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import VAE, Adam, Settings, Training, data, evaluate, fit, plots
from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet
from minivae.train import binarize

plt.style.use("minivae.tutorial")

# %% [markdown]
# ## A world with one knob
#
# Nature draws a number $z$ from the prior $p(z) = N(0, 1)$ and then paints three pixels, each white with a probability that depends on $z$:
#
# $$ p(x \mid z) = \prod_{d=1}^{3} p_d^{x_d} (1 - p_d)^{1 - x_d}, \qquad p_d = \sigma(w_d z + c_d). $$
#
# We see the pixels, not the knob. How probable is the image $x = (1, 0, 1)$? Every setting of the knob could have made it, so
#
# $$ p(x) = \int p(x \mid z)\, p(z)\, dz . $$
#
# For one knob we can do this on a grid. (For twenty knobs the grid would have more points than there are atoms. That is the whole problem.)

# %%
w, c = np.array([2.5, -1.5, 1.0]), np.array([-2.0, 0.5, -1.0])
x = np.array([1.0, 0.0, 1.0])
z = np.linspace(-15, 15, 6001)
dz = z[1] - z[0]


def log_normal(z, mu=0.0, sigma=1.0):
    return -0.5 * ((z - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def log_likelihood(z):
    logits = z[:, None] * w + c
    return np.sum(x * logits - np.logaddexp(0, logits), axis=1)


log_joint = log_likelihood(z) + log_normal(z)  # ln p(x, z)
log_p = np.log(np.sum(np.exp(log_joint)) * dz)
log_posterior = log_joint - log_p  # p(z | x) = p(x, z) / p(x)
posterior = np.exp(log_posterior)
print(f"ln p(x) = {log_p:.4f} nats")

# %%
fig, ax = plt.subplots(figsize=(7, 3))
ax.plot(z, np.exp(log_normal(z)), label="prior p(z)")
ax.plot(z, np.exp(log_likelihood(z)), label="p(x | z), as a function of z")
ax.plot(z, posterior, label="posterior p(z | x)")
ax.set(xlim=(-4, 5), xlabel="z", title="what the image tells about the knob")
ax.legend()
plt.show()
assert abs(np.sum(posterior) * dz - 1) < 1e-9

# %% [markdown]
# ## First derivation: Jensen
#
# Let $q(z)$ be *any* distribution: our guess where the knob was. Multiply and divide by it, and the integral becomes an average over the guess:
#
# $$ p(x) = \int q(z)\, \frac{p(x, z)}{q(z)}\, dz = E_{q}\!\left[ w(z) \right], \qquad w(z) = \frac{p(x, z)}{q(z)} . $$
#
# We want its logarithm. The logarithm bends downwards, so the log of an average is at least the average of the logs (**Jensen's inequality**):
#
# $$ \ln p(x) = \ln E_q[w] \;\ge\; E_q[\ln w] =: \operatorname{ELBO}(q). $$
#
# That is all. The right side is an average of something that we can compute, so we can estimate it by sampling. Here are samples of $\ln w$ for some guess:

# %%
guess = {"mu": 0.6, "sigma": 1.3}
rng = np.random.default_rng(0)
samples = guess["mu"] + guess["sigma"] * rng.standard_normal(200_000)
log_w = log_likelihood(samples) + log_normal(samples) - log_normal(samples, **guess)
mean_of_log, log_of_mean = log_w.mean(), np.log(np.exp(log_w).mean())

fig, ax = plt.subplots(figsize=(7, 2.8))
ax.hist(log_w, bins=np.linspace(-10, 0, 120), color="0.8")
ax.axvline(mean_of_log, color="C0", label=f"mean of ln w: ELBO = {mean_of_log:.2f}")
ax.axvline(log_of_mean, color="C1", label=f"ln of mean w: ln p(x) = {log_of_mean:.2f}")
ax.set(xlabel="ln w of each sample", yticks=[], title="the average of the logs is lower")
ax.legend(loc="upper left")
plt.show()
assert mean_of_log < log_of_mean - 0.3
assert abs(log_of_mean - log_p) < 0.01

# %% [markdown]
# ## Second derivation: no inequality at all
#
# Jensen does not say *how much* lower. Start again, from the definition of the posterior: $p(x) = p(x, z) / p(z \mid x)$, for every $z$. Take logs, add and subtract $\ln q(z)$, and average over $q$; the left side does not depend on $z$, so averaging leaves it alone:
#
# $$ \begin{aligned}
# \ln p(x) &= E_q\!\left[ \ln \frac{p(x, z)}{q(z)} \right] + E_q\!\left[ \ln \frac{q(z)}{p(z \mid x)} \right] \\
#          &= \operatorname{ELBO}(q) + KL\big(q \,\Vert\, p(z \mid x)\big) .
# \end{aligned} $$
#
# The gap has a name. It is how far the guess is from the true posterior, it is never negative, and it is zero only if the guess is perfect. To the last digit:


# %%
def elbo(mu, sigma):
    log_q = log_normal(z, mu, sigma)
    return np.sum(np.exp(log_q) * (log_joint - log_q)) * dz


def gap(mu, sigma):
    log_q = log_normal(z, mu, sigma)
    return np.sum(np.exp(log_q) * (log_q - log_posterior)) * dz


for mu, sigma in ((0.6, 1.3), (0.0, 1.0), (2.5, 0.4)):
    bound, rest = elbo(mu, sigma), gap(mu, sigma)
    print(f"q = N({mu}, {sigma}²):  ELBO {bound:.4f} + gap {rest:.4f} = {bound + rest:.4f}")
    assert rest > 0
    assert abs(bound + rest - log_p) < 1e-9

# %% [markdown]
# So climbing the ELBO does two things at once: with the model fixed, it pulls the guess towards the posterior; with the guess fixed, it pushes up a lower bound of the evidence. Let us look at the whole hill, for all guesses that are bell curves.

# %%
mus, sigmas = np.linspace(-1, 3, 81), np.linspace(0.3, 2, 69)
hill = np.array([[elbo(mu, sigma) for mu in mus] for sigma in sigmas])
row, column = np.unravel_index(hill.argmax(), hill.shape)
best = {"mu": mus[column], "sigma": sigmas[row]}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2))
contours = left.contour(
    mus, sigmas, hill, levels=log_p - np.array([3, 2, 1, 0.5, 0.2, 0.1, 0.03]), cmap="viridis"
)
left.plot(best["mu"], best["sigma"], "*", ms=14, color="C1")
left.set(xlabel=r"$\mu$", ylabel=r"$\sigma$", title="the ELBO of each guess N(μ, σ²)")
right.plot(z, posterior, color="C2", label="posterior")
right.plot(z, np.exp(log_normal(z, **best)), "--", color="C1", label="the best bell curve")
right.set(xlim=(-3, 4.5), xlabel="z", title=f"gap left: {gap(**best):.3f} nats")
right.legend(loc="upper left")
plt.show()
assert 0 < gap(**best) < 0.02
assert hill.max() <= log_p

# %% [markdown]
# The posterior here is *nearly* a bell curve, so a tiny gap is left. A VAE's encoder is a network that looks at $x$ and jumps to the top of this hill at once, for every image.
#
# ## The two terms
#
# Split the joint, $p(x, z) = p(x \mid z)\, p(z)$, and the ELBO falls into the two parts of notebook 00:
#
# $$ \operatorname{ELBO} = \underbrace{E_q[\ln p(x \mid z)]}_{-\,\operatorname{nll}} \; - \; \underbrace{KL\big(q \,\Vert\, p(z)\big)}_{\text{price of the code}} . $$
#
# The second has a closed form for bell curves (notebook 06), so only the first needs samples.

# %%
mu, sigma = 0.6, 1.3
nll = -np.sum(np.exp(log_normal(z, mu, sigma)) * log_likelihood(z)) * dz
kl = 0.5 * (mu**2 + sigma**2 - np.log(sigma**2) - 1)
print(f"nll {nll:.4f}  kl {kl:.4f}  -(nll + kl) {-nll - kl:.4f}  ELBO {elbo(mu, sigma):.4f}")
assert abs(-nll - kl - elbo(mu, sigma)) < 1e-9

# %% [markdown]
# ## β: trading one term for the other
#
# The $\beta$-VAE (Higgins et al. 2017) minimises $\operatorname{nll} + \beta \operatorname{kl}$. We train the same model with several $\beta$ on real digits, with pixels drawn to be black or white, so that the ELBO is a true bound on $\ln p(x)$. *Afterwards we evaluate all of them by the same ELBO*, without $\beta$.

# %%
digits = data.load("mnist5k")
x_test = binarize(digits.x_test, np.random.default_rng(0))


def train(beta):
    rng = np.random.default_rng(0)
    model = VAE(784, hidden=(200,), latent=8, rng=rng)
    model.start_at(digits.x_train.mean(axis=0))
    settings = Settings(epochs=12, batch=100, binarize="dynamic", beta=beta)
    fit(Training(model, Adam(2e-3), rng, settings), digits.pixels_train, progress=False)
    return model


betas = [0.1, 0.3, 1, 3, 10]
models = {beta: train(beta) for beta in betas}
results = {b: evaluate(m, x_test, rng=np.random.default_rng(1)) for b, m in models.items()}
for beta, r in results.items():
    print(f"beta {beta:<4}  nll {r['nll']:6.1f}  kl {r['kl']:5.1f}  ELBO {r['elbo']:7.1f}")

# %%
nlls, kls, elbos = (np.array([r[name] for r in results.values()]) for name in ("nll", "kl", "elbo"))
assert (np.diff(kls) < 0).all()  # a dearer code says less
assert (np.diff(nlls) > 0).all()  # and the pixels come out worse
assert betas[elbos.argmax()] == 1  # the bound is best where it is the bound

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2))
left.plot(kls, nlls, "o-")
for beta, kl, nll in zip(betas, kls, nlls, strict=True):
    left.annotate(rf"$\beta={beta}$", (kl, nll), xytext=(7, 3), textcoords="offset points")
left.margins(0.16, 0.14)  # room for the labels
left.set(
    xlabel="kl: nats that the code carries",
    ylabel="nll: surprise that is left",
    title="the exchange",
)
right.semilogx(betas, elbos, "o-", color="C1")
right.set(
    xlabel=r"$\beta$ used in training",
    ylabel="ELBO of test images",
    title="judged by the same bound",
)
plt.show()

# %% [markdown]
# A nat of code buys more than a nat of surprise at first, and less and less later. At $\beta = 1$ the exchange rate is exactly one for one, which is where the sum is best. Other $\beta$ are legitimate choices (cleaner samples, simpler codes), but their loss is not a bound, and losses with different $\beta$ must never be compared.

# %%
fig, axes = plt.subplots(1, 3, figsize=(8.6, 3.2))
for ax, beta in zip(axes, (0.1, 1, 10), strict=True):
    drawn = models[beta].sample(36, np.random.default_rng(3))
    plots.images(drawn, (28, 28), ax=ax, title=rf"samples, $\beta = {beta}$")
plt.show()

# %% [markdown]
# Small $\beta$: the codes are so far from the prior that drawing from the prior misses them. Large $\beta$: the code says nothing, and every sample is the average digit.
#
# ## Sum or mean? The bug that everybody writes
#
# Many libraries average the binary cross-entropy over *everything*, pixels too. An image has $D = 784$ pixels, so the reconstruction term becomes 784 times smaller, while the KL stays as it was:
#
# $$ \tfrac{1}{784} \operatorname{nll} + \operatorname{kl} \;=\; \tfrac{1}{784} \left( \operatorname{nll} + 784 \operatorname{kl} \right) . $$
#
# That is $\beta = 784$ in disguise. (The factor in front is nothing but a learning rate, and Adam does not even feel it.) The gradients say so:

# %%
model = VAE(784, hidden=(50,), latent=8, rng=np.random.default_rng(0), dtype="float64")
batch = model.prepare(digits.x_train[:20])
noise = model.draw_noise(np.random.default_rng(1), 20)


def gradient(beta):
    model.step(batch, noise, beta)
    return model.params.grad.copy()


of_nll = gradient(0)
of_kl = gradient(1) - of_nll
np.testing.assert_allclose(784 * (of_nll / 784 + of_kl), gradient(784), rtol=1e-9, atol=1e-9)
print("mean over pixels = beta of 784")

# %% [markdown]
# What does such a training look like? Smooth curves, a loss that falls, no warning. And:

# %%
collapsed = train(784)
r = evaluate(collapsed, x_test, rng=np.random.default_rng(1))
print(f"nll {r['nll']:.1f}  kl {r['kl']:.4f}  ELBO {r['elbo']:.1f}")

fig, axes = plt.subplots(1, 3, figsize=(9, 1.2))
images = digits.x_test[:8]
for ax, (title, shown) in zip(
    axes,
    {
        "images": images,
        "sum (β = 1)": models[1].reconstruct(images),
        "mean (β = 784)": collapsed.reconstruct(images),
    }.items(),
    strict=True,
):
    plots.images(shown, (28, 28), columns=8, ax=ax, title=title)
plt.show()
assert r["kl"] < 0.01 < results[1]["kl"]
assert np.ptp(collapsed.reconstruct(images), axis=0).max() < 0.05  # the same picture for all

# %% [markdown]
# Every image is reconstructed as the average of all images. If your VAE does that, count what you divide by. In minivae the rule is: **sum over dimensions, mean over the batch, in one place** (`models/objectives.py`), and losses are nats per image.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3)

# %% [markdown]
# **1. A reconstruction term on the right scale (2 points).** Write the negative log-likelihood of pixels `x` $(B, D)$ under `logits` $(B, D)$, from the logits directly, so that it survives logits of $\pm 1000$. Return one number: summed over the pixels, averaged over the batch. The check looks at the value, and reports the $\beta$ in disguise.


# %%
def reconstruction(logits, x):
    nll = np.mean(np.logaddexp(0, logits))
    # your code here: the line above is wrong
    return nll


# %%
sheet.grade("1 scale", 2, *check_values(reconstruction=reconstruction))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def reconstruction(logits, x):
#     nll = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)
#     return np.mean(nll)
# ```
# </details>

# %% [markdown]
# **2. A budget instead of a price (4 points).** Burgess et al. (2018) give the code a *capacity* of $C$ nats and fine every deviation: $L = \frac1B \sum_n \operatorname{nll}_n + \gamma \left| \frac1B \sum_n \sum_j \operatorname{kl}_{nj} - C \right|$. Given `dloss` (a number), find `dnll` $(B,)$ and `dkl` $(B, Z)$. The slope of $|t|$ is the sign of $t$.


# %%
def budget_forward(nll, kl, gamma=3.0, capacity=4.0):
    excess = np.sum(kl) / len(kl) - capacity
    return np.mean(nll) + gamma * np.abs(excess), (kl, excess, gamma)


def budget_backward(dloss, cache):
    kl, excess, gamma = cache
    dnll = dkl = None
    # your code here
    return {"dnll": dnll, "dkl": dkl}


# %%
for size in (1.0, 8.0):  # below the capacity, and above it
    at = {"nll": draw.random(3), "kl": size * draw.random((3, 2))}
    report = check_gradients(budget_forward, budget_backward, at, wrt=["nll", "kl"], name="budget")
    sheet.grade(f"2 budget, kl around {size:.0f}", 2, report)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def budget_backward(dloss, cache):
#     kl, excess, gamma = cache
#     B = len(kl)
#     dnll = np.full(B, dloss / B)
#     dkl = np.full_like(kl, dloss * gamma * np.sign(excess) / B)
#     return {"dnll": dnll, "dkl": dkl}
# ```
# </details>

# %%
print(sheet)
