# %% [markdown]
# # 07 · Training: optimizers, warm-up, and a collapse cured
#
# All parts are right; now let them run. Training has its own ways to fail without a word, and this notebook provokes two of them: an optimizer that cannot, and a latent space that dies in the first epochs.
#
# **At the end you can**
#
# - train a VAE on MNIST, and read its curves;
# - say what SGD, momentum and Adam each do with a gradient;
# - recognise *posterior collapse*, explain how it comes about, and cure it in two ways;
# - tell a bound from the number that it bounds.
#
# **You need** notebooks 00 and 04. About 40 minutes; the cells train eight small models.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import (
    SGD,
    VAE,
    Adam,
    BetaSchedule,
    Momentum,
    Settings,
    Training,
    data,
    evaluate,
    fit,
    log_likelihood,
    plots,
)
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.errors import NonFiniteError
from minivae.train import binarize

plt.style.use("minivae.tutorial")
digits = data.load("mnist5k")
x_test = binarize(digits.x_test, np.random.default_rng(0))

# %% [markdown]
# ## A training that you can read
#
# A VAE with 200 hidden units and 20 latent dimensions. The pixels are drawn black or white anew whenever an image is fetched (`binarize="dynamic"`), so the likelihood is one of binary data and the ELBO is a bound. `start_at` sets the decoder's bias so that it starts with the average image.


# %%
def train(optimizer, hidden=(200,), epochs=8, free_bits=0.0, **settings):
    rng = np.random.default_rng(0)
    model = VAE(784, hidden=hidden, latent=20, free_bits=free_bits, rng=rng)
    model.start_at(digits.x_train.mean(axis=0))
    settings = Settings(epochs=epochs, batch=100, binarize="dynamic", **settings)
    return fit(
        Training(model, optimizer, rng, settings), digits.pixels_train, x_test, progress=False
    )


first = train(Adam(3e-3), epochs=12)

fig, axes = plt.subplots(1, 3, figsize=(9, 2.8))
for ax, term in zip(axes, ("loss", "nll", "kl"), strict=True):
    plots.curve(first.history, term, ax=ax)
plt.show()

# %% [markdown]
# Three things to read off such curves:
#
# - the **KL rises** while the loss falls. That is no bug: the code starts out saying nothing, and learns to say something;
# - training and validation part when the model begins to know its 5,000 images by heart;
# - the numbers mean something: nats per image. A model that knows nothing but the average image pays about 200; all that lies below was learned about single images.

# %%
kl = [record["val_kl"] for record in first.history]
loss = [record["val_loss"] for record in first.history]
average = np.clip(digits.x_train.mean(axis=0), 0.001, 0.999)
ignorant = -np.log(np.where(x_test == 1, average, 1 - average)).sum(axis=1).mean()
print(f"the average image alone: {ignorant:.0f} nats; the VAE: {loss[-1]:.0f}")
assert loss[-1] < ignorant - 60
assert kl[-1] > kl[0]
assert loss[-1] < loss[0]

fig, axes = plt.subplots(1, 2, figsize=(8.6, 2.6), width_ratios=(1.9, 1))
plots.reconstructions(
    x_test[:10],
    first.model.reconstruct(x_test[:10]),
    (28, 28),
    ax=axes[0],
    title="test images, reconstructed",
)
plots.images(
    first.model.sample(24, np.random.default_rng(1)),
    (28, 28),
    columns=6,
    ax=axes[1],
    title="drawn from the prior",
)
plt.show()

# %% [markdown]
# ## What to do with a gradient
#
# Let $g$ be the gradient and $\eta$ the learning rate.
#
# - **SGD** steps against the gradient: $\theta \leftarrow \theta - \eta g$.
# - **Momentum** lets steps add up like a ball that rolls: $v \leftarrow \rho v + g$, $\theta \leftarrow \theta - \eta v$.
# - **Adam** keeps running means $m$ of $g$ and $v$ of $g^2$ and divides, for each weight on its own: $\theta \leftarrow \theta - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)$. A weight that hears only whispers gets steps as long as one that is shouted at.
#
# In minivae all parameters lie in one flat array, so each rule is two or three lines (`train/optim/`). Each gets the best of a few learning rates here.

# %%
runs = {
    "SGD, 0.03": train(SGD(0.03)),
    "momentum, 0.01": train(Momentum(0.01)),
    "Adam, 0.003": train(Adam(0.003)),
}
fig, ax = plt.subplots(figsize=(7, 2.9))
for label, run in runs.items():
    ax.plot(range(1, 9), [record["val_loss"] for record in run.history], "o-", label=label)
ax.set(xlabel="epoch", ylabel="nats", title="validation loss")
ax.legend()
plt.show()

sgd, momentum, adam = (run.history[-1]["val_loss"] for run in runs.values())
assert adam < momentum - 5
assert momentum < sgd - 1

# %% [markdown]
# Why not simply a larger rate for SGD?

# %%
try:
    with np.errstate(all="ignore"):
        train(SGD(0.1))
except NonFiniteError as error:
    print(str(error).partition(" (")[0], "...")

# %% [markdown]
# It explodes: some weights need large steps and others cannot bear them. minivae checks every gradient before it is used, and refuses one that is not finite instead of training on.
#
# ## Collapse
#
# Now a deeper network, $784$-$400$-$200$-$20$, and an impatient learning rate.

# %%
deep = {"hidden": (400, 200), "epochs": 12}
collapsed = train(Adam(5e-3), **deep)


def per_dimension(run):
    return np.sort(evaluate(run.model, x_test, rng=np.random.default_rng(1))["kl_per_dim"])[::-1]


def used(run):
    return int((per_dimension(run) > 0.1).sum())


losses = [record["loss"] for record in collapsed.history]
fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 2.8))
left.plot(range(1, 13), losses, "o-")
left.set(xlabel="epoch", ylabel="nats", title="the loss falls, as losses do")
right.bar(range(20), per_dimension(collapsed), color="C4")
right.set(xlabel="latent dimension, sorted", ylabel="nats", title="what each dimension carries")
plt.show()
print("dimensions in use:", used(collapsed), "of 20")
assert (np.diff(losses) < 0).all()
assert used(collapsed) < 10

# %% [markdown]
# Most of the latent space is dead: for those dimensions the encoder returns the prior, whatever it sees, $KL_j \approx 0$. This is **posterior collapse**. How does it come about?
#
# In the first steps the decoder can do nothing with $z$ yet; to it, $z$ is noise. So the reconstruction gives the encoder no reason to say anything, while the KL asks it, from the first step on, to say nothing. A dimension that gives in becomes pure noise, and then the decoder *learns to ignore it*. Now neither side has a reason to start again.
#
# The KL's price is right. It is only charged too early.
#
# ## Cure one: warm-up
#
# Let $\beta$ grow from 0 to 1, so that decoder and encoder can agree on a language before it costs anything (Bowman et al. 2016; Sønderby et al. 2016).

# %%
warm = train(Adam(5e-3), schedule="linear", warmup=8, **deep)

fig, ax = plt.subplots(figsize=(6, 2.2))
schedule = BetaSchedule(1.0, "linear", 8 * 50)
ax.plot(np.arange(600) / 50, [schedule(step) for step in range(600)])
ax.set(xlabel="epoch", ylabel=r"$\beta$", title="linear warm-up")
plt.show()
assert (schedule(0), schedule(200), schedule(400), schedule(599)) == (0, 0.5, 1, 1)

# %% [markdown]
# ## Cure two: free bits
#
# Make the first $\lambda$ nats of each dimension free: charge $\max(\overline{KL}_j, \lambda)$, where the bar is the mean over the batch (Kingma et al. 2016). Below $\lambda$ the KL does not pull, so no dimension is driven to zero.

# %%
free = train(Adam(5e-3), free_bits=0.2, **deep)

cures = {"none": collapsed, "warm-up": warm, "free bits": free}
fig, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
for ax, (name, run), colour in zip(axes, cures.items(), ("C4", "C3", "C0"), strict=True):
    ax.bar(range(20), per_dimension(run), color=colour)
    ax.set(title=f"{name}: {used(run)} dimensions in use", xlabel="latent dimension, sorted")
axes[0].set_ylabel("nats")
plt.show()

# %% [markdown]
# The judge is the same for all: the ELBO of test images, with $\beta = 1$ and nothing free.

# %%
elbo = {
    name: evaluate(run.model, x_test, rng=np.random.default_rng(1))["elbo"]
    for name, run in cures.items()
}
for name, value in elbo.items():
    print(f"{name:<10} ELBO {value:7.1f}   {used(cures[name]):2} dimensions")
assert used(warm) > used(collapsed) + 3
assert elbo["warm-up"] > elbo["none"] + 8
assert elbo["free bits"] > elbo["none"] + 3

# %% [markdown]
# Both help, warm-up more. Free bits keep every dimension alive at about $\lambda$, and a dimension that carries $0.2$ nats because it *may* is not the same as one that has something to say. Ask the reconstructions:

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.8, 1.8))
for ax, name in zip(axes, ("none", "warm-up"), strict=True):
    rebuilt = cures[name].model.reconstruct(x_test[:10])
    plots.reconstructions(x_test[:10], rebuilt, (28, 28), ax=ax, title=f"cure: {name}")
plt.show()

# %% [markdown]
# Not every unused dimension is an illness. If the data need twelve dimensions, the other eight *should* be returned to the prior. Collapse is when more of them would pay for themselves, which you see only by curing it and looking at the bound.
#
# ## The bound and the truth
#
# How far is the ELBO from $\ln p(x)$? Notebook 04 said: by the gap between guess and posterior. With many samples per image we can come closer to the truth, $\ln \frac1K \sum_k w_k$ (Burda et al. 2016). With $K = 1$ that is an ELBO; it rises with $K$.

# %%
few = x_test[:100]
estimates = {}
for K in (1, 10, 100, 500):
    estimates[K] = log_likelihood(warm.model, few, rng=np.random.default_rng(1), samples=K).mean()
    print(f"K = {K:>3}:  {estimates[K]:.1f} nats")
assert (np.diff(list(estimates.values())) > 0).all()
assert estimates[500] - estimates[1] > 3

# %% [markdown]
# So when you read "log-likelihood" in a table, look for $K$.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3)

# %% [markdown]
# **1. Free bits (3 points).** $L = \sum_j \max(\overline{KL}_j, \lambda)$ with $\overline{KL}_j = \frac1B \sum_n KL_{nj}$. Given `dloss` (a number), find `dkl` $(B, Z)$. The test lies on the *mean* over the batch, not on single images.


# %%
def free_bits_forward(kl, lam=0.5):
    kl_mean = np.mean(kl, axis=0)
    return np.sum(np.maximum(kl_mean, lam)), (kl, kl_mean, lam)


def free_bits_backward(dloss, cache):
    kl, kl_mean, lam = cache
    dkl = None
    # your code here
    return {"dkl": dkl}


# %%
at = {"kl": draw.random((3, 5)) * np.array([0.2, 2.0, 0.4, 3.0, 1.0])}
sheet.grade(
    "1 free bits", 3, check_gradients(free_bits_forward, free_bits_backward, at, name="free bits")
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def free_bits_backward(dloss, cache):
#     kl, kl_mean, lam = cache
#     counts = (kl_mean > lam).astype(kl.dtype)  # one decision for each dimension
#     dkl = dloss / len(kl) * np.broadcast_to(counts, kl.shape)
#     return {"dkl": dkl}
# ```
# </details>

# %% [markdown]
# **2. The whole VAE (12 points).** All gradients of a VAE with one hidden layer on each side. You have met every line: linear layers and tanh (01), the surprise at the pixels (03), the sample (05), the KL (06). Walk back line by line, and where a value goes two ways, add.


# %%
def vae_forward(x, eps, W1, b1, Wm, bm, Wv, bv, W2, b2, W3, b3):
    h1 = np.tanh(x @ W1 + b1)
    mu, logvar = h1 @ Wm + bm, h1 @ Wv + bv
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * eps
    h2 = np.tanh(z @ W2 + b2)
    logits = h2 @ W3 + b3
    nll = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)
    kl = 0.5 * np.sum(mu**2 + np.expm1(logvar) - logvar, axis=1)
    return np.mean(nll + kl), (x, eps, h1, mu, logvar, sigma, z, h2, logits, Wm, Wv, W2, W3)


def vae_backward(dloss, cache):
    x, eps, h1, mu, logvar, sigma, z, h2, logits, Wm, Wv, W2, W3 = cache
    dW1 = db1 = dWm = dbm = dWv = dbv = dW2 = db2 = dW3 = db3 = None
    # your code here
    heads = {"dWm": dWm, "dbm": dbm, "dWv": dWv, "dbv": dbv}
    return {"dW1": dW1, "db1": db1, **heads, "dW2": dW2, "db2": db2, "dW3": dW3, "db3": db3}


# %%
shapes = {"x": (3, 11), "eps": (3, 2), "W1": (11, 7), "b1": 7, "Wm": (7, 2), "bm": 2, "Wv": (7, 2)}
shapes |= {"bv": 2, "W2": (2, 5), "b2": 5, "W3": (5, 11), "b3": 11}
at = {name: 0.5 * draw.standard_normal(shape) for name, shape in shapes.items()}
at["x"] = draw.random((3, 11))
sheet.grade(
    "2 the whole VAE", 12, check_gradients(vae_forward, vae_backward, at, wrt=list(shapes)[2:])
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def vae_backward(dloss, cache):
#     x, eps, h1, mu, logvar, sigma, z, h2, logits, Wm, Wv, W2, W3 = cache
#     each = dloss / len(x)  # the mean over the batch: the only place of 1/B
#     # the reconstruction term and the decoder
#     dlogits = each * (1 / (1 + np.exp(-logits)) - x)
#     dW3, db3 = h2.T @ dlogits, np.sum(dlogits, axis=0)
#     dh2 = (dlogits @ W3.T) * (1 - h2**2)
#     dW2, db2 = z.T @ dh2, np.sum(dh2, axis=0)
#     dz = dh2 @ W2.T
#     # mu and logvar: through the sample, plus through the KL
#     dmu = dz + each * mu
#     dlogvar = 0.5 * dz * sigma * eps + each * 0.5 * np.expm1(logvar)
#     dWm, dbm = h1.T @ dmu, np.sum(dmu, axis=0)
#     dWv, dbv = h1.T @ dlogvar, np.sum(dlogvar, axis=0)
#     # the hidden layer feeds both heads
#     dh1 = (dmu @ Wm.T + dlogvar @ Wv.T) * (1 - h1**2)
#     dW1, db1 = x.T @ dh1, np.sum(dh1, axis=0)
#     heads = {"dWm": dWm, "dbm": dbm, "dWv": dWv, "dbv": dbv}
#     return {"dW1": dW1, "db1": db1, **heads, "dW2": dW2, "db2": db2, "dW3": dW3, "db3": db3}
# ```
# </details>

# %%
print(sheet)
