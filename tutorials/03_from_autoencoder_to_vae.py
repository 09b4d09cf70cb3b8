# %% [markdown]
# # 03 · From autoencoder to VAE: why a point is not enough
#
# An autoencoder squeezes images through a bottleneck and learns to restore them. It is the obvious way to learn a code, and it cannot draw a single new image. Here you see why, and what must be changed.
#
# **At the end you can**
#
# - find the holes in an autoencoder's latent space, and say why they are there;
# - explain why a code must be a small *cloud* instead of a point, and why that alone does not help;
# - say what the KL term buys, and what it costs.
#
# **You need** notebook 00. About 25 minutes, with three small trainings.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import VAE, Adam, Autoencoder, Settings, Training, data, fit, plots
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet

plt.style.use("minivae.tutorial")
digits = data.load("mnist5k")  # 5,000 + 1,000 images, part of the package
x, y = digits.x_test, digits.y_test
print(digits)


def train(kind, beta=1.0):
    rng = np.random.default_rng(0)
    model = kind(784, hidden=(200,), latent=2, rng=rng)
    training = Training(model, Adam(2e-3), rng, Settings(epochs=25, batch=100, beta=beta))
    fit(training, digits.pixels_train, progress=False)
    return model


# %% [markdown]
# ## An autoencoder
#
# The encoder turns each image of 784 pixels into *two* numbers, a point $z$ in the plane; the decoder turns the point back into an image. The loss is the surprise at the true pixels, nothing else.

# %%
ae = train(Autoencoder)
z_ae = ae.encode(x)

fig, ax = plt.subplots(figsize=(8, 1.8))
plots.reconstructions(x[:12], ae.reconstruct(x[:12]), (28, 28), columns=12, ax=ax)
ax.set_title("test images, and what two numbers remember of them")
plt.show()

# %% [markdown]
# Not bad for two numbers. Where did it put them?

# %%
fig, ax = plt.subplots(figsize=(7, 4.6))
plots.latent(
    z_ae, y, digits.labels, ax=ax, title="the autoencoder's codes; dashed: a standard normal"
)
plt.show()
print("spread of the codes:", z_ae.std(axis=0).round(1))

# %% [markdown]
# The digits form streaks that point in all directions, over a range that nobody chose. Nothing in the loss says where codes should lie: stretch the plane by ten, let the decoder divide by ten, and the loss is the same.
#
# ## Let us draw something new
#
# To generate, we need a code that belongs to no image. Which? The usual choice would be a standard normal, the dashed circle. But the decoder knows most of its images from elsewhere. How many of the test codes lie inside the circle at all?


# %%
def inside(z):
    return (np.linalg.norm(z, axis=1) < 2.45).mean()  # the circle holds 95% of the normal


print(f"inside the circle: {inside(z_ae):.0%} of the test images")
assert inside(z_ae) < 0.4

# %% [markdown]
# So we could never draw most digits. Fairer: draw codes that are spread as the real ones are, with their mean and covariance. Now we cover the plane, and fall into **holes**: places where no image has ever been encoded, so that the decoder never learned what to do there.

# %%
codes = ae.encode(digits.x_train)


def to_nearest(z, codes):
    scaled, others = z / codes.std(axis=0), codes / codes.std(axis=0)
    return np.array([np.linalg.norm(others - row, axis=1).min() for row in scaled])


rng = np.random.default_rng(1)
fitted = rng.multivariate_normal(codes.mean(0), np.cov(codes.T), 1000).astype("float32")
lonely = to_nearest(fitted, codes)
order = np.argsort(lonely)
in_a_hole, at_home = order[-40:][::2], order[:200:10]

fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), width_ratios=(1, 1.25))
axes[0].scatter(*codes.T, s=2, color="0.75", lw=0)
axes[0].scatter(*fitted[at_home].T, s=18, color="C0", label="among the codes")
axes[0].scatter(*fitted[in_a_hole].T, s=18, color="C4", label="in a hole")
axes[0].legend(loc="lower left", handletextpad=0.1)
axes[0].set_title("training codes, and new ones")
both = np.concatenate([fitted[at_home], fitted[in_a_hole]])
plots.images(
    ae.decode(both),
    (28, 28),
    columns=10,
    ax=axes[1],
    title="decoded: two rows among, two rows in holes",
)
plt.show()

# %% [markdown]
# Among the codes, digits as people write them. In the holes, caricatures: the decoder was never corrected there, so it goes on in the direction that it knows, bolder and bolder. We can measure that. For each new image, how far is the most similar of the 5,000 real ones?


# %%
def to_nearest_image(images, real=digits.x_train):
    squares = (images**2).sum(1)[:, None] - 2 * images @ real.T + (real**2).sum(1)
    return np.sqrt(np.maximum(squares.min(axis=1), 0))


distance = to_nearest_image(ae.decode(fitted))
print(
    f"among the codes {distance[lonely < 0.2].mean():.1f}, in holes {distance[lonely > 0.2].mean():.1f}"
)
assert distance[lonely > 0.2].mean() > 1.2 * distance[lonely < 0.2].mean()

# %% [markdown]
# Where are these holes? At the rim, and between the arms, of the plane. On the straight way from one digit's code to another's one seldom meets one here, for two dimensions are crowded; in twenty, where hardly anything is near anything, one does. [A page](uses/contrasts.md) measures both, by how far what is decoded half-way is from every digit.
#
# There is a second symptom. In a useful latent space, a small step should be a small change. Let us move each test code by a random amount and see how well its image is still described.


# %%
def nll_after_a_push(model, z, radius):
    noise = np.random.default_rng(2).standard_normal(z.shape).astype("float32")
    moved = z + radius * z.std(axis=0) * noise
    return float(model.likelihood.forward(model.decoder.forward(moved), x).mean())


radii = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5]
pushed_ae = np.array([nll_after_a_push(ae, z_ae, r) for r in radii])
print(f"no push: {pushed_ae[0]:.0f} nats; half a standard deviation: {pushed_ae[-1]:.0f} nats")

# %% [markdown]
# ## First idea: a cloud instead of a point
#
# If neighbours of a code should decode to similar images, *train the decoder on the neighbours*. The encoder returns a mean $\mu$ and a spread $\sigma$, and the decoder gets a random point of that cloud, $z = \mu + \sigma \varepsilon$.
#
# That is a VAE whose KL term is multiplied by $\beta = 0$. Train it and watch $\sigma$:

# %%
free = train(VAE, beta=0.0)
mu_free, logvar_free = free.encode(x)
sigma_free = np.exp(logvar_free / 2)
print("size of the clouds:  ", np.median(sigma_free).round(3))
print("spread of their means:", mu_free.std(axis=0).round(1))
assert np.median(sigma_free) < 0.01 * mu_free.std()

# %% [markdown]
# The network cheats. Noise only makes its task harder, so it shrinks the clouds until they are points again, and moves them far apart. We asked for clouds, and did not say what they should be like.
#
# ## Second idea: clouds have a price
#
# Now charge for it. Each cloud $N(\mu, \sigma^2)$ pays for how far it is from one fixed cloud around the origin, the *prior* $N(0, 1)$. The price is the KL divergence. A cloud that is tiny, or far away, is expensive:

# %%
fig, ax = plt.subplots(figsize=(7, 2.8))
sigma = np.linspace(0.02, 2.5, 300)
for mu, colour in ((0, "C0"), (1, "C1"), (2, "C2")):
    price = 0.5 * (mu**2 + sigma**2 - 2 * np.log(sigma) - 1)
    ax.plot(sigma, price, color=colour, label=rf"$\mu = {mu}$")
    assert abs(sigma[price.argmin()] - 1) < 0.01  # cheapest at sigma = 1, wherever mu is
ax.set(xlabel=r"$\sigma$", ylabel="nats", title="the price of a cloud (KL)")
ax.legend()
plt.show()

# %% [markdown]
# Now the loss is *surprise at the pixels + price of the code*, and we have a **variational autoencoder**.

# %%
vae = train(VAE)
mu_vae, logvar_vae = vae.encode(x)
sigma_vae = np.exp(logvar_vae / 2)

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
clouds = [
    ("autoencoder", z_ae, 0 * z_ae),
    (r"clouds, $\beta=0$", mu_free, sigma_free),
    ("VAE", mu_vae, sigma_vae),
]
for ax, (title, centre, size) in zip(axes, clouds, strict=True):
    for k in range(10):
        rows = np.flatnonzero(y == k)[:40]
        ax.scatter(*centre[rows].T, s=3, color=plots.CLASS_COLOURS[k])
        for row in rows:
            ellipse = plt.matplotlib.patches.Ellipse(centre[row], *(2 * size[row]), alpha=0.25)
            ellipse.set_color(plots.CLASS_COLOURS[k])
            ax.add_patch(ellipse)
    ax.set_title(title)
plt.show()
print(
    "size of the clouds:",
    np.median(sigma_vae).round(2),
    "  spread of their means:",
    mu_vae.std(axis=0).round(1),
)

# %% [markdown]
# Look at the scales of the axes. The VAE's clouds have a size, they touch, they fill the standard normal and leave little of it empty. So now we may draw codes from the *prior*, which we know without looking at any image.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 4.9))
plots.manifold(ae, (28, 28), n=10, ax=axes[0], title="autoencoder")
plots.manifold(vae, (28, 28), n=10, ax=axes[1], title="VAE")
fig.suptitle("each decoder's picture of the standard normal", x=0.01, ha="left")
plt.show()

# %%
print(f"inside the circle: {inside(mu_vae):.0%} of the test images")
assert inside(mu_vae) > 0.7

# %% [markdown]
# Both symptoms are better. Codes drawn to generate lie near codes that the decoder knows, and a push does less harm:

# %%
codes_vae = vae.encode(digits.x_train)[0]
normal = rng.standard_normal((1000, 2)).astype("float32")
holes = {"autoencoder": (lonely > 0.2).mean(), "VAE": (to_nearest(normal, codes_vae) > 0.2).mean()}
print("new codes that are alone:", {name: f"{share:.0%}" for name, share in holes.items()})
assert holes["VAE"] < holes["autoencoder"] / 3

pushed_vae = np.array([nll_after_a_push(vae, mu_vae, r) for r in radii])
fig, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(radii, pushed_ae, "o-", label="autoencoder")
ax.plot(radii, pushed_vae, "o-", label="VAE")
ax.set(
    xlabel="push, in standard deviations of the codes",
    ylabel="nll, nats",
    title="a small step should be a small change",
)
ax.legend()
plt.show()
assert pushed_vae[-1] - pushed_vae[0] < 0.5 * (pushed_ae[-1] - pushed_ae[0])

# %% [markdown]
# And the bill? On the left end of that picture, where nothing is pushed, the autoencoder's line lies *below*: for restoring images alone, points are better. The VAE gives up a few nats of reconstruction, and gets a space in which one can move.

# %%
assert pushed_ae[0] < pushed_vae[0] < pushed_ae[0] + 15
print(f"reconstruction alone: autoencoder {pushed_ae[0]:.0f}, VAE {pushed_vae[0]:.0f} nats")

# %% [markdown]
# So far the price is a clever trick. In notebook 04 it turns out to be no trick at all: reconstruction plus KL is what you get if you ask for the *probability of the data* and refuse to do an impossible integral.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3)

# %% [markdown]
# **1. The surprise at the pixels (3 points).** For a pixel $x_d$ and its logit $a_d$, the surprise is $\ln(1 + e^{a_d}) - x_d a_d$ (the same as in notebook 00, written so that nothing overflows). Sum over pixels: one number for each example, shape $(B,)$. Given `dnll` $(B,)$, find `dlogits` $(B, D)$.


# %%
def bce_forward(logits, x):
    nll = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)
    return nll, (logits, x)


def bce_backward(dnll, cache):
    logits, x = cache
    dlogits = None
    # your code here
    return {"dlogits": dlogits}


# %%
at = {"logits": draw.normal(size=(3, 5)), "x": draw.random((3, 5))}
sheet.grade(
    "1 surprise", 3, check_gradients(bce_forward, bce_backward, at, wrt=["logits"], name="bce")
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def bce_backward(dnll, cache):
#     logits, x = cache
#     probability = 1 / (1 + np.exp(-logits))
#     dlogits = dnll[:, None] * (probability - x)
#     return {"dlogits": dlogits}
# ```
# </details>

# %% [markdown]
# **2. A cheaper price (3 points).** Somebody proposes to keep points, and to charge for their distance from the origin: $\text{price} = \frac{\lambda}{2B} \sum_n \sum_j z_{nj}^2$, the mean over the batch of the squared length, times $\lambda / 2$. Write its gradient `dz` $(B, Z)$. Then think: does this one price forbid holes? Which part of the KL is missing?


# %%
def price_forward(z, lam=0.7):
    return 0.5 * lam * np.sum(z**2) / len(z), (z, lam)


def price_backward(dprice, cache):
    z, lam = cache
    dz = None
    # your code here
    return {"dz": dz}


# %%
sheet.grade(
    "2 price", 3, check_gradients(price_forward, price_backward, {"z": draw.normal(size=(3, 2))})
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def price_backward(dprice, cache):
#     z, lam = cache
#     dz = dprice * lam * z / len(z)
#     return {"dz": dz}
# ```
#
# It is the $\frac12 \mu^2$ of the KL. It keeps the codes together, so one knows where to look, but points stay points: what lies between them is never trained. What is missing is $\frac12 (\sigma^2 - \ln \sigma^2 - 1)$, which makes a cloud of size zero infinitely expensive.
# </details>

# %%
print(sheet)
