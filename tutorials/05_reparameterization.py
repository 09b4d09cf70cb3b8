# %% [markdown]
# # 05 · A gradient through a roll of the dice
#
# Between encoder and decoder sits a random number. Randomness has no derivative, and yet the encoder must learn. The trick that makes it possible is one line long, and it is easy to get wrong in a way that no loss curve shows.
#
# **At the end you can**
#
# - say why "differentiate through a sample" is a puzzle, and name two solutions;
# - derive both, and measure why everybody uses the second;
# - explain what goes wrong if the noise is drawn twice, and recognise the symptom.
#
# **You need** notebook 00; notebook 04 helps. About 30 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import VAE, Adam, Settings, Training, data, evaluate, fit
from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet
from minivae.ops import Reparameterize

plt.style.use("minivae.tutorial")

# %% [markdown]
# ## The puzzle
#
# A random number $z$ comes from a bell curve with mean $\mu$ and standard deviation $\sigma$, and costs us $f(z)$. What we want to lower is the *average* cost,
#
# $$ J(\mu, \sigma) = E_{z \sim N(\mu, \sigma^2)}\left[ f(z) \right] . $$
#
# In which direction should we move $\mu$ and $\sigma$? We can only look at samples. And a sample is just a number: $z = 1.37$ has no formula with $\mu$ in it.
#
# For a guinea pig take $f(z) = (z - 2)^2$. Then $J = (\mu - 2)^2 + \sigma^2$, so we know the answer: $dJ/d\mu = 2(\mu - 2)$ and $dJ/d\sigma = 2\sigma$.


# %%
def f(z):
    return (z - 2) ** 2


def f_slope(z):
    return 2 * (z - 2)


mu, sigma = 0.5, 0.8
truth = {"mu": 2 * (mu - 2), "sigma": 2 * sigma}
rng = np.random.default_rng(0)
eps = rng.standard_normal(100_000)
z = mu + sigma * eps

# %% [markdown]
# ## Solution one: move the probabilities
#
# Write the average as an integral. $\mu$ and $\sigma$ stand in the density $q(z)$, so differentiate *that*, and use $\nabla q = q \, \nabla \ln q$ to get an average back:
#
# $$ \nabla \int q(z) f(z)\, dz = \int q(z)\, f(z) \, \nabla \ln q(z)\, dz = E\left[ f(z)\, \nabla \ln q(z) \right] . $$
#
# In words: *make cheap samples likelier*. It is called the **score-function estimator** (or REINFORCE), and needs no derivative of $f$ at all. For a bell curve,
#
# $$ \frac{\partial \ln q}{\partial \mu} = \frac{z - \mu}{\sigma^2} = \frac{\varepsilon}{\sigma}, \qquad
#    \frac{\partial \ln q}{\partial \sigma} = \frac{(z - \mu)^2 - \sigma^2}{\sigma^3} = \frac{\varepsilon^2 - 1}{\sigma} . $$

# %%
score = {"mu": f(z) * eps / sigma, "sigma": f(z) * (eps**2 - 1) / sigma}

# %% [markdown]
# ## Solution two: move the samples
#
# Roll the dice *first*: $\varepsilon \sim N(0, 1)$ depends on nothing. Then
#
# $$ z = \mu + \sigma \varepsilon $$
#
# has a formula with $\mu$ and $\sigma$ in it, and the chain rule applies to every single sample:
#
# $$ \frac{\partial f}{\partial \mu} = f'(z) \cdot 1, \qquad \frac{\partial f}{\partial \sigma} = f'(z) \cdot \varepsilon . $$
#
# In words: *slide each sample downhill*. This is the **reparameterization** (Kingma and Welling 2014; Rezende et al. 2014).

# %%
path = {"mu": f_slope(z), "sigma": f_slope(z) * eps}

# %% [markdown]
# Both are right *on average*. Now look at single samples, since in training we have few:

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9))
for ax, name in zip(axes, truth, strict=True):
    bins = np.linspace(-25, 20, 120)
    ax.hist(score[name], bins, density=True, alpha=0.55, color="C1", label="score function")
    ax.hist(path[name], bins, density=True, alpha=0.55, color="C0", label="reparameterization")
    ax.axvline(truth[name], color="0.1", lw=1.2, label="truth")
    ax.set(title=f"estimates of dJ/d{name}, one sample each", yticks=[], ylim=(0, 0.45))
axes[0].legend(loc="upper left")
plt.show()

for name, right in truth.items():
    for kind, estimates in (("score function", score[name]), ("reparameterization", path[name])):
        mean, error = estimates.mean(), estimates.std() / np.sqrt(len(z))
        assert abs(mean - right) < 4 * error  # unbiased: within the error of the mean
        print(f"d{name:<6} {kind:<19} mean {mean:6.2f}   standard deviation {estimates.std():5.2f}")

# %%
ratio = np.var(score["mu"]) / np.var(path["mu"])
print(f"variance, score function / reparameterization: {ratio:.0f}")
assert ratio > 5

# %% [markdown]
# The variance decides how many samples an equally good gradient needs. Why is the score function so restless? It never asks *where* downhill is. It only sees a total cost and credits it to the dice. With more dimensions, each dimension gets credit for the costs of all the others:

# %%
dims = np.array([1, 2, 4, 8, 16, 32, 64])
variances = {"score function": [], "reparameterization": []}
for D in dims:
    e = np.random.default_rng(1).standard_normal((20_000, D))
    each = mu + sigma * e
    cost = f(each).sum(axis=1)  # a sum over D dimensions
    variances["score function"].append(np.var(cost * e[:, 0] / sigma))
    variances["reparameterization"].append(np.var(f_slope(each[:, 0])))

fig, ax = plt.subplots(figsize=(7, 3))
for (label, values), colour in zip(variances.items(), ("C1", "C0"), strict=True):
    ax.loglog(dims, values, "o-", color=colour, label=label)
ax.set(xlabel="dimensions", ylabel="variance", title="the gradient of one mean among many")
ax.legend()
plt.show()

growth = np.polyfit(np.log(dims[3:]), np.log(variances["score function"][3:]), 1)[0]
print(f"the score function's variance grows like D to the {growth:.1f}")
assert growth > 1.7
assert np.ptp(variances["reparameterization"]) < 0.1 * np.mean(variances["reparameterization"])

# %% [markdown]
# ## In a real VAE
#
# Train a small one, take *one* image, draw the noise four thousand times, and compare the gradients of the reconstruction term at the encoder's $\mu$. A *baseline* is the usual first aid for the score function: subtract the mean cost, which changes nothing on average. Does it help enough?

# %%
digits = data.load("mnist5k")


def new_vae():
    model = VAE(784, hidden=(200,), latent=8, rng=np.random.default_rng(0))
    model.start_at(digits.x_train.mean(axis=0))
    return model


def train(model):
    """Train for 8 epochs; return the loss and the median sigma after each."""
    settings = Settings(epochs=8, batch=100, binarize="dynamic")
    training = Training(model, Adam(1e-3), np.random.default_rng(1), settings)
    sigmas = []

    def look(_):
        sigmas.append(np.median(np.exp(model.encode(digits.x_test)[1] / 2)))

    fit(training, digits.pixels_train, after_epoch=look, progress=False)
    return [record["loss"] for record in training.history], sigmas


vae = new_vae()
_, sigmas = train(vae)

# %%
image = vae.prepare(digits.x_test[:1])
mu_x, logvar_x = vae.encode(image)
sigma_x = np.exp(logvar_x / 2)
eps = vae.normal(np.random.default_rng(2), (4000, 8))

nll = vae.likelihood.forward(
    vae.decoder.forward(mu_x + sigma_x * eps), np.repeat(image, 4000, axis=0)
)
dz = vae.decoder.backward(vae.likelihood.backward(np.ones_like(nll)))

estimators = {
    "score function": nll[:, None] * eps / sigma_x,
    "with baseline": (nll - nll.mean())[:, None] * eps / sigma_x,
    "reparameterization": dz,
}
fig, ax = plt.subplots(figsize=(7, 2.6))
for i, samples in enumerate(estimators.values()):
    variance = samples.var(axis=0).mean()
    ax.barh(i, variance, color=("C1", "C6", "C0")[i])
    ax.text(variance * 1.15, i, f"{variance:,.0f}", va="center")
ax.set_xscale("log")
ax.set_yticks(range(3), estimators)
ax.set(xlim=(10, None), xlabel=r"variance of $d\mu$, one sample")
ax.invert_yaxis()
plt.show()

# %%
mean = {name: samples.mean(axis=0) for name, samples in estimators.items()}
spread = {name: samples.std(axis=0) / np.sqrt(4000) for name, samples in estimators.items()}
difference = np.abs(mean["with baseline"] - mean["reparameterization"])
assert (difference < 5 * np.hypot(spread["with baseline"], spread["reparameterization"])).all()
assert estimators["score function"].var() > 50 * estimators["reparameterization"].var()
assert estimators["with baseline"].var() > 2 * estimators["reparameterization"].var()

# %% [markdown]
# Same mean, very different noise. So one sample for each image and step is enough for a VAE, and that is what everybody uses. (Where the reparameterization is not possible, for discrete $z$ for instance, the score function comes back into its own.)
#
# ## When the noise is drawn twice
#
# With minivae's head $\operatorname{logvar} = \ln \sigma^2$, the sample is $z = \mu + e^{\operatorname{logvar}/2} \varepsilon$, and going back
#
# $$ d\mu = dz, \qquad d\operatorname{logvar} = \tfrac12\, dz \cdot e^{\operatorname{logvar}/2} \varepsilon . $$
#
# The $\varepsilon$ of the second formula must be *the same number* that made $z$. Somebody who calls the random generator again in the backward pass writes code that looks the same:


# %%
class NoiseDrawnTwice(Reparameterize):
    rng = np.random.default_rng(7)

    def forward(self, mu, logvar, eps):
        self.sigma = np.exp(logvar / 2)
        return super().forward(mu, logvar, eps)

    def backward(self, dz):
        eps = self.rng.standard_normal(dz.shape, dtype="float32")  # another roll of the dice
        return dz, 0.5 * dz * self.sigma * eps


broken = new_vae()
broken.objective.reparameterize = NoiseDrawnTwice()
losses_broken, sigmas_broken = train(broken)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.9))
left.plot(range(1, 9), losses_broken, "o-", color="C4")
left.set(xlabel="epoch", ylabel="nats", title="its loss: a fine curve")
right.plot(range(1, 9), sigmas, "o-", color="C0", label="right")
right.plot(range(1, 9), sigmas_broken, "o-", color="C4", label="noise drawn twice")
right.set(xlabel="epoch", ylim=(0, 1.15), title=r"its $\sigma$ (median over test images)")
right.legend()
plt.show()
assert losses_broken[-1] < losses_broken[0] - 30  # nothing to see here
assert np.diff(losses_broken).max() < 1
assert sigmas[-1] < 0.4
assert sigmas_broken[-1] > 0.85

# %% [markdown]
# The loss falls like any other. But $\sigma$ stays at 1, for ever. The reason is in the formula: a fresh $\varepsilon$ has nothing to do with $dz$, so the product is zero *on average*. The decoder's wish to be told more precisely never arrives at the spread; only the KL speaks to it, and the KL wants $\sigma = 1$. This is why the bug lives long in published code: the model trains, it draws digits, and it is worse than it should be.


# %%
def elbo(model):
    return evaluate(model, digits.x_test, rng=np.random.default_rng(1))["elbo"]


print(f"ELBO: right {elbo(vae):.0f}, noise drawn twice {elbo(broken):.0f} nats")
assert elbo(vae) > elbo(broken) + 10

# %% [markdown]
# A gradient check finds it at once, *if the noise is an argument* that can be held still. That is why in minivae no operation draws anything: `eps` is passed in.


# %%
def redrawn_forward(mu, logvar, eps):
    return mu + np.exp(logvar / 2) * eps, logvar


def redrawn_backward(dz, logvar):
    eps = np.random.default_rng().standard_normal(dz.shape)
    return {"dmu": dz, "dlogvar": 0.5 * dz * np.exp(logvar / 2) * eps}


at = {name: rng.normal(size=(3, 2)) for name in ("mu", "logvar", "eps")}
report = check_gradients(redrawn_forward, redrawn_backward, at, wrt=["mu", "logvar"])
for array in report.arrays:
    print(f"d{array.name}: {array.verdict}", *(d.text for d in array.diagnoses[:1]), sep="\n   ")
assert report["mu"].verdict == "right"
assert report["logvar"].verdict == "wrong"

# %% [markdown]
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal

# %% [markdown]
# **1. The reparameterization (4 points).** Write both passes. The first check compares the spread of many samples with what the KL assumes; the second compares your gradients.


# %%
def reparameterize_forward(mu, logvar, eps):
    z = mu + eps  # your code here: this line is wrong
    return z, (mu, logvar, eps)


def reparameterize_backward(dz, cache):
    mu, logvar, eps = cache
    dmu = dlogvar = None
    # your code here
    return {"dmu": dmu, "dlogvar": dlogvar}


# %%
at = {name: draw(size=(3, 2)) for name in ("mu", "logvar", "eps")}
sheet.grade(
    "1 reparameterization",
    4,
    *check_values(reparameterize=lambda *heads: reparameterize_forward(*heads)[0]),
    check_gradients(reparameterize_forward, reparameterize_backward, at, wrt=["mu", "logvar"]),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def reparameterize_forward(mu, logvar, eps):
#     z = mu + np.exp(logvar / 2) * eps
#     return z, (mu, logvar, eps)
#
#
# def reparameterize_backward(dz, cache):
#     mu, logvar, eps = cache
#     dmu = dz.copy()
#     dlogvar = 0.5 * dz * np.exp(logvar / 2) * eps
#     return {"dmu": dmu, "dlogvar": dlogvar}
# ```
# </details>

# %% [markdown]
# **2. The score (3 points).** The score-function estimator needs the gradient of $\ln q(z) = -\frac12 \left( \frac{(z - \mu)^2}{\sigma^2} + \ln \sigma^2 + \ln 2\pi \right)$ with respect to $\mu$ and $\operatorname{logvar}$, with $z$ held fixed.


# %%
def log_q_forward(mu, logvar, z):
    log_q = -0.5 * ((z - mu) ** 2 * np.exp(-logvar) + logvar + np.log(2 * np.pi))
    return log_q, (mu, logvar, z)


def log_q_backward(dlog_q, cache):
    mu, logvar, z = cache
    dmu = dlogvar = None
    # your code here
    return {"dmu": dmu, "dlogvar": dlogvar}


# %%
at = {name: draw(size=(3, 2)) for name in ("mu", "logvar", "z")}
sheet.grade("2 score", 3, check_gradients(log_q_forward, log_q_backward, at, wrt=["mu", "logvar"]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def log_q_backward(dlog_q, cache):
#     mu, logvar, z = cache
#     r = (z - mu) * np.exp(-logvar)
#     dmu = dlog_q * r
#     dlogvar = dlog_q * 0.5 * ((z - mu) * r - 1)
#     return {"dmu": dmu, "dlogvar": dlogvar}
# ```
# </details>

# %%
print(sheet)
