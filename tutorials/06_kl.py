# %% [markdown]
# # 06 · The KL divergence: the price of a code
#
# One half of a VAE's loss is a formula with a logarithm, an exponential and a square. You can copy it, and most people do. Here you derive it, test it against dice, and learn to see the slip that is in more VAE code than any other.
#
# **At the end you can**
#
# - say what the KL divergence measures, and derive its closed form for bell curves;
# - estimate it by Monte Carlo, with an error bar, and know when you would;
# - say what changes if you swap its two arguments;
# - catch a standard deviation that should have been a variance, although every gradient check passes.
#
# **You need** notebook 00, and expectations. About 30 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import VAE, Adam, Settings, Training, data, evaluate, fit
from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet
from minivae.ops import Reparameterize

plt.style.use("minivae.tutorial")

# %% [markdown]
# ## What it measures
#
# Two people watch the same dice. One knows that numbers come from $q$, the other believes in $p$. Per number, how much more surprised is the second one, on average?
#
# $$ KL(q \,\Vert\, p) = E_{z \sim q}\left[ \ln q(z) - \ln p(z) \right] = \int q(z) \ln \frac{q(z)}{p(z)}\, dz . $$
#
# For a VAE, $q$ is the cloud that the encoder returns for an image, and $p$ the prior $N(0, 1)$. In a picture: the area under the red curve.


# %%
def log_normal(z, mu=0.0, sigma=1.0):
    return -0.5 * ((z - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)


z = np.linspace(-12, 12, 4801)
dz = z[1] - z[0]
mu, logvar = 0.9, -0.8
sigma = np.exp(logvar / 2)
log_q, log_p = log_normal(z, mu, sigma), log_normal(z)
integrand = np.exp(log_q) * (log_q - log_p)
area = np.sum(integrand) * dz

fig, ax = plt.subplots(figsize=(7, 3))
ax.plot(z, np.exp(log_q), label="q")
ax.plot(z, np.exp(log_p), label="p")
ax.fill_between(z, integrand, color="C4", alpha=0.35, label=f"q ln(q/p), area {area:.3f}")
ax.axhline(0, color="0.3", lw=0.8)
ax.set(xlim=(-3, 4), xlabel="z")
ax.legend()
plt.show()
assert integrand.min() < 0 < area

# %% [markdown]
# The curve dips below zero where $p$ finds a number likelier than $q$ does. The *area* never does: by Jensen's inequality, $-KL = E_q[\ln \frac pq] \le \ln E_q[\frac pq] = \ln 1 = 0$.
#
# ## The closed form
#
# Put the two bell curves in. The $\ln 2\pi$ cancel, and with $\operatorname{logvar} = \ln \sigma^2$
#
# $$ \ln q(z) - \ln p(z) = -\tfrac12 \operatorname{logvar} - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2} . $$
#
# Now average over $q$. Two facts are enough: $E[(z - \mu)^2] = \sigma^2$, by definition, and $E[z^2] = \mu^2 + \sigma^2$. So
#
# $$ KL = -\tfrac12 \operatorname{logvar} - \tfrac12 + \tfrac12 (\mu^2 + \sigma^2)
#       = \tfrac12 \left( \mu^2 + e^{\operatorname{logvar}} - \operatorname{logvar} - 1 \right) . $$


# %%
def closed_form(mu, logvar):
    return 0.5 * (mu**2 + np.expm1(logvar) - logvar)  # expm1(a) is exp(a) - 1


print(f"area {area:.6f}   closed form {closed_form(mu, logvar):.6f}")
assert abs(area - closed_form(mu, logvar)) < 1e-9

# %% [markdown]
# Its gradients can be read off: $dKL/d\mu = \mu$, and $dKL/d\operatorname{logvar} = \frac12 (e^{\operatorname{logvar}} - 1)$. A spring that pulls the mean to 0 and the variance to 1. The arrows show where the KL alone would push:

# %%
m, v = np.meshgrid(np.linspace(-2.5, 2.5, 60), np.linspace(-4, 2, 60))
fig, ax = plt.subplots(figsize=(6.5, 3.6))
contours = ax.contour(m, v, closed_form(m, v), levels=[0.05, 0.2, 0.5, 1, 2, 3], cmap="viridis")
ax.clabel(contours)
few = (slice(3, None, 8), slice(3, None, 8))
ax.quiver(m[few], v[few], -m[few], -0.5 * np.expm1(v[few]), color="C1", width=0.004)
ax.plot(0, 0, "*", ms=14, color="C4")
ax.set(xlabel=r"$\mu$", ylabel="logvar", title="the KL in nats, and its pull")
plt.show()
assert closed_form(0, 0) == 0
assert (closed_form(m, v) > 0).all()

# %% [markdown]
# Look below and above the star. Down there, where $\sigma$ is small, the slope is gentle: halving the variance costs a third of a nat, again and again. Upwards, where $\sigma$ is large, it is a wall.
#
# ## Monte Carlo
#
# The definition is an average, so we can also just *draw*: samples $z_i$ from $q$, and the mean of $\ln q(z_i) - \ln p(z_i)$. The error falls like $1 / \sqrt n$: four times the samples for half the error.

# %%
rng = np.random.default_rng(0)
draws = mu + sigma * rng.standard_normal((400, 4096))
log_ratio = log_normal(draws, mu, sigma) - log_normal(draws)

ns = 2 ** np.arange(0, 13, 2)
rms = np.array([np.sqrt(np.mean((log_ratio[:, :n].mean(axis=1) - area) ** 2)) for n in ns])
predicted = log_ratio.std() / np.sqrt(ns)

fig, ax = plt.subplots(figsize=(7, 2.8))
ax.loglog(ns, rms, "o", label="error in 400 repetitions")
ax.loglog(ns, predicted, color="C1", label=r"standard deviation / $\sqrt{n}$")
ax.set(xlabel="samples n", ylabel="nats", title="Monte Carlo closes in, slowly")
ax.legend()
plt.show()
assert np.abs(np.log(rms / predicted)).max() < 0.2

# %% [markdown]
# For bell curves the closed form is free and exact. You need Monte Carlo as soon as the prior is a mixture, or the encoder a flow. And it has a second use, below: as a *witness*.
#
# ## Swap the arguments
#
# $KL(q \Vert p)$ and $KL(p \Vert q)$ are different numbers, and as losses they want different things. Let $p$ have two bumps, and look for the bell curve $q$ that is best in either sense:

# %%
log_two = np.logaddexp(log_normal(z, -2, 0.6), log_normal(z, 2, 0.8)) - np.log(2)


def forward_kl(q):  # KL(p || q): p draws, q must not be surprised
    return np.sum(np.exp(log_two) * (log_two - q)) * dz


def reverse_kl(q):  # KL(q || p): q draws, as in the ELBO
    return np.sum(np.exp(q) * (q - log_two)) * dz


grid = [(a, b) for a in np.linspace(-3, 3, 61) for b in np.linspace(0.4, 3, 53)]
fig, ax = plt.subplots(figsize=(7, 2.8))
ax.fill_between(z, np.exp(log_two), color="0.85", label="p")
best = {}
for kl, label, colour in (
    (forward_kl, "best in KL(p ‖ q)", "C0"),
    (reverse_kl, "best in KL(q ‖ p)", "C1"),
):
    best[kl] = min(grid, key=lambda ab: kl(log_normal(z, *ab)))
    ax.plot(z, np.exp(log_normal(z, *best[kl])), color=colour, label=label)
ax.set(xlim=(-6, 6), xlabel="z")
ax.legend()
plt.show()
assert best[forward_kl][1] > 2  # spread over both bumps
assert best[reverse_kl][1] < 1  # sits on one

# %% [markdown]
# $KL(p \Vert q)$ must cover everything that $p$ does; $KL(q \Vert p)$ must avoid everything that $p$ does not. The ELBO contains the second: an encoder prefers a narrow cloud that is certainly right to a wide one that is sometimes wrong.
#
# ## Small numbers
#
# A dimension that the model hardly uses has $\operatorname{logvar} \approx 0$, and its gradient is $\frac12 (e^{\operatorname{logvar}} - 1)$: two numbers near 1 are subtracted. In float32, in which we train, only seven digits are there to begin with.

# %%
tiny = np.logspace(-7, 0, 60)
single = tiny.astype("float32")
exact = np.expm1(single.astype("float64"))
errors = {
    "exp(logvar) - 1": np.abs((np.exp(single) - np.float32(1)) / exact - 1),
    "expm1(logvar)": np.abs(np.expm1(single) / exact - 1),
}
fig, ax = plt.subplots(figsize=(7, 2.8))
for label, error in errors.items():
    ax.loglog(tiny, error + 1e-10, ".-", label=label)
ax.set(xlabel="logvar", ylabel="relative error", title="the gradient of the KL in float32")
ax.legend()
plt.show()
assert errors["exp(logvar) - 1"].max() > 0.1
assert errors["expm1(logvar)"].max() < 1e-6

# %% [markdown]
# `expm1` is a library function for just this. It costs nothing; use it.
#
# ## The slip
#
# The encoder returns $\operatorname{logvar}$, the logarithm of the *variance*. Noise must be scaled by the *standard deviation*, $e^{\operatorname{logvar}/2}$. Write $e^{\operatorname{logvar}}$ instead, with a backward pass to match:


# %%
class Slip(Reparameterize):
    """z = mu + exp(logvar) eps: a variance where a standard deviation belongs."""

    def forward(self, mu, logvar, eps):
        self.cache = (np.exp(logvar) * eps,)
        return mu + self.cache[0]

    def backward(self, dz):
        return dz, dz * self.cache[0]


rng = np.random.default_rng(0)
vae = VAE(7, hidden=(5,), latent=2, activation="tanh", rng=rng, dtype="float64")
vae.params.theta += 0.3 * rng.standard_normal(vae.params.theta.shape)
vae.objective.reparameterize = Slip(dtype="float64")
report = check_gradients(vae)
print("gradient check of the whole model:", report.verdict)
assert report.passed

# %% [markdown]
# All gradients are right! They are the exact gradients of a wrong loss: the sampler draws from one cloud, and the KL charges for another. Train it on real digits, next to a right one:

# %%
digits = data.load("mnist5k")


def train(slip):
    rng = np.random.default_rng(0)
    model = VAE(784, hidden=(200,), latent=8, rng=rng)
    model.start_at(digits.x_train.mean(axis=0))
    if slip:
        model.objective.reparameterize = Slip()
    settings = Settings(epochs=8, batch=100, binarize="dynamic")
    fit(Training(model, Adam(2e-3), rng, settings), digits.pixels_train, progress=False)
    return model


models = {"right": train(slip=False), "slip": train(slip=True)}
reported = {
    name: evaluate(m, digits.x_test, rng=np.random.default_rng(1)) for name, m in models.items()
}
for name, numbers in reported.items():
    print(
        f"{name:<6} reports  nll {numbers['nll']:.1f}  kl {numbers['kl']:.1f}  ELBO {numbers['elbo']:.1f}"
    )

# %% [markdown]
# The model with the slip reports *better* numbers. Now call the witness. For the samples that each model really draws, what is the average of $\ln q(z) - \ln p(z)$? The true cloud's width is measured from the samples, so nobody's formula is trusted.


# %%
def honest_kl(model, n=2000):
    mu, logvar = model.encode(digits.x_test[:100])
    eps = model.normal(np.random.default_rng(2), (n, *mu.shape))
    z = np.stack([model.objective.reparameterize.forward(mu, logvar, e) for e in eps]).astype(
        "float64"
    )
    centre, width = z.mean(axis=0), z.std(axis=0)
    return (log_normal(z, centre, width) - log_normal(z)).mean(axis=0).sum(axis=1).mean()


rows = {}
for name, model in models.items():
    mu, logvar = model.encode(digits.x_test[:100])
    rows[name] = closed_form(mu, logvar).sum(axis=1).mean(), honest_kl(model)
    print(
        f"{name:<6} KL reported {rows[name][0]:5.1f}   KL of its samples {rows[name][1]:5.1f} nats"
    )

fig, ax = plt.subplots(figsize=(6, 2.4))
for i, (formula, witness) in enumerate(rows.values()):
    ax.barh(
        i + 0.18, formula, 0.32, color="C0", label="reported by the closed form" if i == 0 else None
    )
    ax.barh(
        i - 0.18, witness, 0.32, color="C1", label="of the samples, Monte Carlo" if i == 0 else None
    )
ax.set_yticks([0, 1], rows)
ax.set(xlabel="nats", title="who tells the truth about the price?")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
assert abs(rows["right"][0] - rows["right"][1]) < 0.3
assert rows["slip"][1] > rows["slip"][0] + 3

# %% [markdown]
# The slip lets the model use a narrow cloud and pay for a wide one. Its "ELBO" is no bound on anything, and must not be compared with anybody's.
# `check_values` makes this comparison for you, and names the slip:

# %%
(finding,) = check_values(reparameterize=lambda mu, logvar, eps: mu + np.exp(logvar) * eps)
print(finding)
assert finding.mistake == "variance_for_std"

# %% [markdown]
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal

# %% [markdown]
# **1. The KL, both ways (4 points).** Write the value, one number for each latent dimension, shape $(B, Z)$, and its gradients. The value is checked against the closed form, so no agreement of two mistakes will help.


# %%
def kl_forward(mu, logvar):
    kl = 0 * mu  # your code here: this line is wrong
    return kl, (mu, logvar)


def kl_backward(dkl, cache):
    mu, logvar = cache
    dmu = dlogvar = None
    # your code here
    return {"dmu": dmu, "dlogvar": dlogvar}


# %%
at = {"mu": draw(size=(3, 2)), "logvar": draw(size=(3, 2))}
sheet.grade(
    "1 the KL",
    4,
    *check_values(kl=lambda mu, logvar: kl_forward(mu, logvar)[0]),
    check_gradients(kl_forward, kl_backward, at, name="kl"),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def kl_forward(mu, logvar):
#     kl = 0.5 * (mu**2 + np.expm1(logvar) - logvar)
#     return kl, (mu, logvar)
#
#
# def kl_backward(dkl, cache):
#     mu, logvar = cache
#     dmu = dkl * mu
#     dlogvar = dkl * 0.5 * np.expm1(logvar)
#     return {"dmu": dmu, "dlogvar": dlogvar}
# ```
# </details>

# %% [markdown]
# **2. Two moving bell curves (4 points).** Some VAEs learn the prior too. With both means and log-variances free,
#
# $$ KL = \tfrac12 \left( e^{\operatorname{logvar}_q - \operatorname{logvar}_p} - 1 - (\operatorname{logvar}_q - \operatorname{logvar}_p) + (\mu_q - \mu_p)^2 e^{-\operatorname{logvar}_p} \right) . $$
#
# Find all four gradients. Two of them are each other's negative.


# %%
def between_forward(mu_q, logvar_q, mu_p, logvar_p):
    r = logvar_q - logvar_p
    kl = 0.5 * (np.expm1(r) - r + (mu_q - mu_p) ** 2 * np.exp(-logvar_p))
    return kl, (mu_q - mu_p, r, logvar_p)


def between_backward(dkl, cache):
    difference, r, logvar_p = cache
    dmu_q = dlogvar_q = dmu_p = dlogvar_p = None
    # your code here
    return {"dmu_q": dmu_q, "dlogvar_q": dlogvar_q, "dmu_p": dmu_p, "dlogvar_p": dlogvar_p}


# %%
at = {name: draw(size=(3, 2)) for name in ("mu_q", "logvar_q", "mu_p", "logvar_p")}
sheet.grade(
    "2 two curves", 4, check_gradients(between_forward, between_backward, at, name="kl_between")
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def between_backward(dkl, cache):
#     difference, r, logvar_p = cache
#     pull = difference * np.exp(-logvar_p)
#     dmu_q = dkl * pull
#     dmu_p = -dmu_q
#     dlogvar_q = dkl * 0.5 * np.expm1(r)
#     # logvar_p is in r with the other sign, and in the square's factor
#     dlogvar_p = -dlogvar_q - dkl * 0.5 * difference * pull
#     return {"dmu_q": dmu_q, "dlogvar_q": dlogvar_q, "dmu_p": dmu_p, "dlogvar_p": dlogvar_p}
# ```
# </details>

# %%
print(sheet)
