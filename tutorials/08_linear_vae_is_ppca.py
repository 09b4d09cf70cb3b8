# %% [markdown]
# # 08 · The linear VAE is probabilistic PCA
#
# A loss curve that goes down proves little: down to where? There is one VAE whose best loss is known exactly, with pencil and paper. It is the one without hidden layers. If your code reaches *that* number, it is right.
#
# **At the end you can**
#
# - write down the optimum of a linear VAE, and check that training finds it;
# - see the bound touch the truth, and say why it can;
# - explain why a VAE finds the *axes* of the data, where a plain autoencoder finds only their plane;
# - predict, to the point, when a latent dimension collapses.
#
# **You need** notebooks 03 and 04, and eigenvectors. About 35 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Ellipse

from minivae import VAE, Adam, Autoencoder, Settings, Training, data, evaluate, fit
from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet

plt.style.use("minivae.tutorial")
LN_2PI = np.log(2 * np.pi)

# %% [markdown]
# ## The model
#
# Take everything out of the VAE that bends. The decoder is a matrix and a vector, and the pixels have Gaussian noise of one variance $s^2$, which is learned too:
#
# $$ z \sim N(0, I), \qquad x \mid z \sim N(z W + b, \; s^2 I). $$
#
# A linear function of a bell curve is a bell curve, so now the impossible integral is easy: $x \sim N(b, \; W^\top W + s^2 I)$. This model is older than the VAE. It is **probabilistic PCA**, and Tipping and Bishop (1999) found its best parameters. Let $l_1 \ge l_2 \ge \dots$ be the eigenvalues of the data's covariance, with eigenvectors $u_1, u_2, \dots$, and let there be $Z$ latent dimensions among $D$:
#
# $$ b = \text{mean}, \qquad s^2 = \frac{1}{D - Z} \sum_{j > Z} l_j, \qquad W_j = \sqrt{l_j - s^2}\; u_j \quad (j \le Z). $$
#
# In words: the first $Z$ directions of the data are modelled, and what is left over counts as noise, averaged. At this optimum,
#
# $$ \ln p(x) = -\tfrac12 \Big( D \ln 2\pi + \sum_{j \le Z} \ln l_j + (D - Z) \ln s^2 + D \Big) \quad \text{on average.} $$


# %%
def ppca(x, Z):
    """Best parameters of probabilistic PCA, and the mean log-likelihood that they reach."""
    D = x.shape[1]
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    l, u = values[::-1], vectors[:, ::-1].T
    s2 = l[Z:].mean()
    W = np.sqrt(l[:Z] - s2)[:, None] * u[:Z]
    best = -0.5 * (D * LN_2PI + np.log(l[:Z]).sum() + (D - Z) * np.log(s2) + D)
    return {"l": l, "u": u, "s2": s2, "W": W, "b": x.mean(axis=0), "log_p": best}


def parameters(model):
    decoder = model.decoder[0].params
    return decoder["W"], decoder["b"], float(np.exp(model.likelihood.params["logvar"][0]))


def log_likelihood(model, x):
    """The exact mean of ln p(x) for a linear VAE, from its own parameters."""
    W, b, s2 = parameters(model)
    covariance = W.T @ W + s2 * np.eye(x.shape[1])
    r = x - b
    distance = np.sum(r * np.linalg.solve(covariance, r.T).T, axis=1).mean()
    return -0.5 * (x.shape[1] * LN_2PI + np.linalg.slogdet(covariance)[1] + distance)


def train(model, x, epochs, lr=0.05, look=None):
    optimizer = Adam(lr)

    def after(training):
        optimizer.lr = lr * 0.003 ** (len(training.history) / epochs)  # smaller and smaller steps
        if look:
            look(model)

    settings = Settings(epochs=epochs, batch=50)
    fit(
        Training(model, optimizer, np.random.default_rng(4), settings),
        x,
        after_epoch=after,
        progress=False,
    )
    return model


# %% [markdown]
# ## In two dimensions
#
# Points in the plane, one latent number. We train an ordinary minivae VAE with `hidden=()` and draw its $N(b, W^\top W + s^2 I)$ as an ellipse while it learns.

# %%
rng = np.random.default_rng(0)
cloud = rng.standard_normal((500, 2)) * [2.0, 0.6] @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [
    1.0,
    -0.5,
]
snapshots = []


def linear_vae(D, Z, kind=VAE, likelihood="gaussian_shared", **options):
    rng = np.random.default_rng(1)
    return kind(D, hidden=(), latent=Z, likelihood=likelihood, rng=rng, dtype="float64", **options)


def remember(model):
    W, b, s2 = parameters(model)
    snapshots.append((W.T @ W + s2 * np.eye(2), b.copy(), log_likelihood(model, cloud)))


train(linear_vae(2, 1), cloud, epochs=200, look=remember)
best = ppca(cloud, 1)

fig, axes = plt.subplots(1, 4, figsize=(9, 2.7), sharey=True)
for ax, epoch in zip(axes, (1, 10, 25, 200), strict=True):
    covariance, centre, value = snapshots[epoch - 1]
    ax.scatter(*cloud.T, s=3, color="0.75")
    lengths, directions = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
    for k in (1, 2):
        width, height = 2 * k * np.sqrt(lengths[::-1])
        ax.add_patch(Ellipse(centre, width, height, angle=angle, fill=False, ec="C1", lw=1.5))
    ax.set(title=f"epoch {epoch}: {value:.2f}", aspect="equal", xlim=(-6, 8), ylim=(-6, 5))
plt.show()
print(f"best possible: {best['log_p']:.2f} nats per point")
assert best["log_p"] - 0.01 < snapshots[-1][2] <= best["log_p"]

# %% [markdown]
# ## Does the bound touch?
#
# The gap between ELBO and $\ln p(x)$ is the KL from the encoder's guess to the posterior (notebook 04). Here the posterior is known, a bell curve with mean $M^{-1} W (x - b)$ and covariance $s^2 M^{-1}$, where $M = W W^\top + s^2 I$. Our encoder can be exactly that if $M$ is *diagonal*, since the encoder's cloud has a variance for each dimension, but no tilt. For Tipping and Bishop's $W$ it is: its rows are orthogonal.
#
# But the likelihood does not care if we rotate the latent space: $RW$ with a rotation $R$ gives the same $W^\top W$. Then $M$ is not diagonal, the encoder cannot follow, and the ELBO must be lower. Let us put it to the test, with data of six dimensions, two of them strong.

# %%
rng = np.random.default_rng(3)
directions, _ = np.linalg.qr(rng.standard_normal((6, 2)))
x = (
    rng.standard_normal((400, 2)) * [2.5, 1.2] @ directions.T
    + 0.8 * rng.standard_normal((400, 6))
    + 1.0
)
best = ppca(x, 2)


def exact_elbo(W, b, s2, x):
    """The ELBO of the best encoder with a diagonal covariance; the expectation in closed form."""
    M = W @ W.T + s2 * np.eye(len(W))
    mu = (x - b) @ np.linalg.solve(M, W).T
    variance = s2 / np.diag(M)
    square = np.sum((x - b - mu @ W) ** 2, axis=1) + np.sum(variance * np.sum(W**2, axis=1))
    nll = 0.5 * (square / s2 + x.shape[1] * (LN_2PI + np.log(s2)))
    kl = 0.5 * np.sum(mu**2 + variance - np.log(variance) - 1, axis=1)
    return np.mean(-nll - kl)


angles = np.radians(np.arange(0, 181, 5))
bounds = []
for angle in angles:
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bounds.append(exact_elbo(R @ best["W"], best["b"], best["s2"], x))

fig, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(np.degrees(angles), bounds, label="ELBO")
ax.axhline(best["log_p"], color="C1", ls="--", label="ln p(x), the same for all")
ax.set(xlabel="rotation of the latent space, degrees", ylabel="nats", xticks=range(0, 181, 45))
ax.legend(loc="lower center")
plt.show()
assert abs(bounds[0] - best["log_p"]) < 1e-10  # it touches
assert abs(bounds[18] - best["log_p"]) < 1e-10  # and again at 90 degrees
assert bounds[9] < best["log_p"] - 0.1

# %% [markdown]
# The bound touches to ten digits, where the latent axes are the data's own, and only there. So **the ELBO prefers the axes**, which the likelihood alone does not (Lucas, Tucker, Grosse and Norouzi 2019). Training must find them:

# %%
curve = []
vae = train(linear_vae(6, 2), x, epochs=500, look=lambda m: curve.append(log_likelihood(m, x)))
W, b, s2 = parameters(vae)
encoder_elbo = exact_elbo(W, b, s2, x)
print(f"best possible ln p(x)   {best['log_p']:.4f}")
print(f"reached by training     {curve[-1]:.4f}")
print(f"ELBO there              {encoder_elbo:.4f}")
print(f"noise variance          {s2:.4f}, closed form {best['s2']:.4f}")
assert best["log_p"] - 2e-3 < encoder_elbo <= curve[-1] + 1e-12
assert curve[-1] <= best["log_p"] + 1e-12

# %% [markdown]
# Now compare the rows of $W$ with the eigenvectors, and do the same with a plain linear autoencoder, which minimises the squared error alone. A 1 means: same direction (the sign is free).

# %%
ae = train(linear_vae(6, 2, kind=Autoencoder, likelihood="gaussian"), x, epochs=500)


def alignment(W, u):
    order = np.argsort(-np.linalg.norm(W, axis=1))  # the strongest first
    unit = W[order] / np.linalg.norm(W[order], axis=1, keepdims=True)
    return np.abs(unit @ u[: len(W)].T)


def shared_plane(W, u):
    """Cosine of the largest angle between the two planes."""
    return np.linalg.svd(np.linalg.qr(W.T)[0].T @ u[: len(W)].T)[1].min()


fig, axes = plt.subplots(1, 2, figsize=(6, 2.6))
for ax, (name, model) in zip(axes, {"VAE": vae, "autoencoder": ae}.items(), strict=True):
    weights = model.decoder[0].params["W"]
    matrix = alignment(weights, best["u"])
    ax.imshow(matrix, vmin=0, vmax=1, cmap="Blues")
    for (i, j), value in np.ndenumerate(matrix):
        ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="w" if value > 0.6 else "k")
    ax.set_xticks([0, 1], ["$u_1$", "$u_2$"])
    ax.set_yticks([0, 1], ["$W_1$", "$W_2$"])
    ax.grid(False)
    ax.set_title(name)
    assert shared_plane(weights, best["u"]) > 0.99  # both find the plane
plt.show()
assert np.diag(alignment(W, best["u"])).min() > 0.99
assert np.diag(alignment(ae.decoder[0].params["W"], best["u"])).min() < 0.9

# %% [markdown]
# Both find the plane of the two strong directions. The VAE finds the two directions *themselves*. This is the grain of truth in "VAEs disentangle", and it comes from nothing but the diagonal covariance of the encoder.
#
# ## When does a dimension die?
#
# Look at $W_j = \sqrt{l_j - s^2}\, u_j$ again. If the noise variance $s^2$ is larger than the eigenvalue $l_j$, there is no square root: the best weight is zero, and dimension $j$ collapses. If it is smaller, the posterior variance is $s^2 / l_j$, and the dimension carries
#
# $$ KL_j = \tfrac12 \ln \frac{l_j}{s^2} $$
#
# nats on average (exercise 1). We take real images, 8 by 8 pixels, fix the noise by hand, and train a linear VAE for each value. Lines: the formula. Dots: what training found.

# %%
digits = data.load("digits8").x_train.astype("float64")
truth = ppca(digits, 6)
noises = np.array([0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9])
found = []
for s2 in noises:
    model = linear_vae(
        64, 6, likelihood="gaussian", likelihood_options={"sigma": float(np.sqrt(s2))}
    )
    train(model, digits, epochs=150, lr=0.02)
    numbers = evaluate(model, digits, rng=np.random.default_rng(0))
    found.append(np.sort(numbers["kl_per_dim"])[::-1])
found = np.array(found)

fig, ax = plt.subplots(figsize=(7.5, 3.6))
fine = np.geomspace(0.055, 1, 300)
for j in range(6):
    ax.plot(fine, np.maximum(0, 0.5 * np.log(truth["l"][j] / fine)), color=f"C{j}", lw=1.5)
    ax.plot(noises, found[:, j], "o", color=f"C{j}", ms=5)
    ax.axvline(truth["l"][j], color=f"C{j}", lw=0.8, ls=":")
ax.set(
    xscale="log",
    xlabel="noise variance $s^2$ (dotted: the eigenvalues)",
    ylabel="nats per dimension",
)
ax.set_xticks([0.1, 0.2, 0.4, 0.8], ["0.1", "0.2", "0.4", "0.8"])
ax.set_title("each dimension dies where the noise passes its eigenvalue")
plt.show()

# %%
formula = np.maximum(0, 0.5 * np.log(truth["l"][:6] / noises[:, None]))
assert np.abs(found.sum(axis=1) - formula.sum(axis=1)).max() < 0.1
alive = noises[:, None] < truth["l"][:6] * 0.7
dead = noises[:, None] > truth["l"][:6] * 1.25
assert found[alive].min() > 0.05 > found[dead].max()

# %% [markdown]
# (On the left, dots of neighbouring dimensions mix a little: their eigenvalues are close, and the axes turn slowly. All of them *together* carry what the formula says, to a tenth of a nat.)
#
# So collapse is not always a failure of training. With this noise, *the best model is the collapsed one*. If you fix $\sigma = 1$ for pixels between 0 and 1, as a squared error without a scale does, you have said that differences between images are noise, and the VAE believes you. Learn the variance, and the question answers itself.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3)

# %% [markdown]
# **1. What a dimension carries (2 points).** At the optimum, dimension $j$ has posterior means that are spread over the data with variance $1 - s^2 / l_j$ around zero, and every posterior has the variance $v = s^2/l_j$. Write the average KL of that dimension in terms of $m_2$, the mean of $\mu^2$, and of $\operatorname{logvar}$; then convince yourself on paper that it is $\frac12 \ln (l_j / s^2)$. Your function gets one pair of numbers at a time, $\mu$ and $\operatorname{logvar}$, as arrays $(B, Z)$, and returns the KL of each.


# %%
def kl_per_dimension(mu, logvar):
    kl = mu * 0  # your code here: this line is wrong
    return kl


# %%
sheet.grade("1 nats carried", 2, *check_values(kl=kl_per_dimension))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def kl_per_dimension(mu, logvar):
#     kl = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)
#     return kl
# ```
#
# With $E[\mu^2] = 1 - v$ and $\operatorname{logvar} = \ln v$ the mean is $\frac12 (1 - v + v - \ln v - 1) = -\frac12 \ln v = \frac12 \ln (l_j / s^2)$.
# </details>

# %% [markdown]
# **2. Learn the noise (4 points).** The Gaussian negative log-likelihood with one shared log-variance $v$, a single number for all pixels of all images:
# $\operatorname{nll}_n = \frac12 \sum_d \big( (x_{nd} - m_{nd})^2 e^{-v} + v + \ln 2\pi \big)$. Given `dnll` $(B,)$, find `dmean` $(B, D)$ and `dv`, a single number. In how many places does $v$ occur?


# %%
def noise_forward(mean, v, x):
    error = x - mean
    nll = 0.5 * np.sum(error**2 * np.exp(-v) + v + LN_2PI, axis=1)
    return nll, (error, v)


def noise_backward(dnll, cache):
    error, v = cache
    dmean = dv = None
    # your code here
    return {"dmean": dmean, "dv": dv}


# %%
at = {"mean": draw.normal(size=(3, 5)), "v": np.array(-0.7), "x": draw.normal(size=(3, 5))}
sheet.grade(
    "2 noise",
    4,
    check_gradients(noise_forward, noise_backward, at, wrt=["mean", "v"], name="noise"),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def noise_backward(dnll, cache):
#     error, v = cache
#     r = error * np.exp(-v)
#     dmean = -dnll[:, None] * r
#     dv = np.sum(0.5 * dnll[:, None] * (1 - error * r))  # B times D places
#     return {"dmean": dmean, "dv": dv}
# ```
#
# Set `dv` to zero and you find that the best variance is the mean squared error: what is left over, as in the closed form.
# </details>

# %%
print(sheet)
