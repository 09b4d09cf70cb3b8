# %% [markdown]
# # 00 · One training step, by hand
#
# A variational autoencoder learns by taking one small step, many times.
# Here you take one of these steps yourself, with numbers that fit on a sheet of paper.
#
# **At the end you can**
#
# - compute a VAE's loss for one tiny image, line by line;
# - walk back through the same lines and find the gradient of every weight;
# - say what the two forces on the latent code are, and why they are *added*.
#
# **You need** school calculus (the chain rule) and a little Python. About 25 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import SGD, VAE
from minivae.check import check_gradients
from minivae.course import drawing  # how the pictures are drawn: drawing.step??
from minivae.course.exercises import Scoresheet
from minivae.show.trace import trace

plt.style.use("minivae.tutorial")
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## The smallest VAE
#
# Our images have two pixels, and ours is $x = (1, 0)$: the first is white, the second black.
# The model squeezes the image into one number $z$, the *latent code*, and guesses the pixels from it.
#
# | step | in words | weights |
# |---|---|---|
# | **encode** | from $x$, where is the code ($\mu$), and how sure are we ($\operatorname{logvar}$)? | $w_\mu, b_\mu, w_v, b_v$ |
# | **sample** | draw a code $z$ around $\mu$ | none |
# | **decode** | from $z$, how likely is each pixel white? | $w, c$ |
#
# In minivae's layout a weight that leads from two pixels to one number is a column, and one that leads back is a row.

# %%
x = np.array([1.0, 0.0])

w_mu, b_mu = np.array([0.5, -0.3]), 0.1  # encoder, first head: mu
w_v, b_v = np.array([-0.4, 0.2]), 0.0  # encoder, second head: logvar
w, c = np.array([0.8, -0.6]), np.array([0.0, 0.0])  # decoder

# %% [markdown]
# ## Forward, one line at a time
#
# **Encode.** The two heads are two weighted sums.
# The second one is the *logarithm of the variance*, $\operatorname{logvar} = \ln \sigma^2$:
# a logarithm may be any number, so nothing has to keep the variance positive.

# %%
mu = x @ w_mu + b_mu
logvar = x @ w_v + b_v
sigma = np.exp(logvar / 2)  # half of ln(sigma^2) is ln(sigma)
print(f"mu = {mu:.3f}   logvar = {logvar:.3f}   sigma = {sigma:.3f}")

# %% [markdown]
# **Sample.** The code is drawn from a bell curve with mean $\mu$ and standard deviation $\sigma$.
# We roll the dice *outside* the model: $\varepsilon$ comes from the standard bell curve, and then
#
# $$ z = \mu + \sigma \varepsilon . $$
#
# In training $\varepsilon$ is random; today the dice show $0.5$.

# %%
eps = 0.5
s = sigma * eps
z = mu + s
print(f"z = {mu:.3f} + {s:.3f} = {z:.3f}")

# %% [markdown]
# **Decode.** Each pixel gets a score, its *logit* $a$, and the sigmoid $\sigma(a) = 1 / (1 + e^{-a})$ turns the score into the probability that the pixel is white.
# (The letter $\sigma$ is overworked in this field: with an argument it is the sigmoid, without one the standard deviation.)

# %%
a = z * w + c
p = 1 / (1 + np.exp(-a))
print("logits       ", a)
print("probabilities", p)

# %% [markdown]
# **The loss** has two parts, both measured in *nats* (natural-logarithm bits).
#
# 1. *How surprised is the decoder by the image?* A white pixel costs $-\ln p$, a black one $-\ln(1 - p)$. This is the negative log-likelihood, `nll`.
# 2. *How much does the code say about the image?* The further the code's bell curve is from the standard one, the more it costs. This is the KL divergence; notebook 06 derives it.
#
# $$ \operatorname{nll} = -\sum_d \big( x_d \ln p_d + (1 - x_d) \ln (1 - p_d) \big), \qquad
#    \operatorname{kl} = \tfrac12 \left( \mu^2 + e^{\operatorname{logvar}} - \operatorname{logvar} - 1 \right) $$

# %%
nll = -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p))
kl = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)
loss = nll + kl
print(f"nll {nll:.4f} + kl {kl:.4f} = loss {loss:.4f} nats")

# %% [markdown]
# ## Backward, the same lines in reverse
#
# A gradient answers one question: *if this number grew a little, how much would the loss grow?*
# We write $d\mu$ for $\partial\, \text{loss} / \partial \mu$, and so on, and start where the loss is.
#
# For the logits a small miracle happens: the logarithm in the `nll` and the exponential in the sigmoid cancel, and what remains is *prediction minus truth*,
#
# $$ da_d = p_d - x_d . $$

# %%
da = p - x
print("da =", da, "  (pixel 0 must become whiter, pixel 1 blacker)")

# %% [markdown]
# Then the decoder, $a_d = z\, w_d + c_d$. Each number's gradient is what comes back from the places where it occurs, times the factor it has there.
# $z$ occurs in *both* logits, so two contributions are added.

# %%
dw = da * z  # the factor of w_d in a_d is z
dc = da  # the factor of c_d is 1
dz = np.sum(da * w)  # z is in both logits: add
print("dw =", dw, "  dc =", dc, f"  dz = {dz:.4f}")

# %% [markdown]
# Now $z = \mu + e^{\operatorname{logvar}/2} \varepsilon$.
# The dice $\varepsilon$ have fallen and are an ordinary number, so we may differentiate right through the sample:

# %%
dmu_sample = dz
dlogvar_sample = dz * 0.5 * s  # the derivative of exp(logvar / 2) eps is half of itself
print(f"through the sample:  dmu {dmu_sample:+.4f}   dlogvar {dlogvar_sample:+.4f}")

# %% [markdown]
# But $\mu$ and $\operatorname{logvar}$ also stand in the KL. That is a second way to the loss, with gradients of its own:

# %%
dmu_kl = mu
dlogvar_kl = 0.5 * (np.exp(logvar) - 1)
print(f"through the KL:      dmu {dmu_kl:+.4f}   dlogvar {dlogvar_kl:+.4f}")

# %% [markdown]
# **Two ways to the loss, so the gradients are added.** Look at the signs for $\mu$: the decoder pulls it one way, the KL the other.
# A VAE is this tug of war.

# %%
dmu = dmu_sample + dmu_kl
dlogvar = dlogvar_sample + dlogvar_kl
assert dmu_sample < 0 < dmu_kl  # the pull on mu: opposite directions

drawing.forces(
    {
        "decoder, through the sample": (dmu_sample, dlogvar_sample),
        "KL": (dmu_kl, dlogvar_kl),
        "sum": (dmu, dlogvar),
    }
)
plt.show()

# %% [markdown]
# Last, the encoder's two heads, which are weighted sums of the pixels:

# %%
dw_mu, db_mu = dmu * x, dmu
dw_v, db_v = dlogvar * x, dlogvar
print("dw_mu =", dw_mu, f"  db_mu = {db_mu:.4f}")
print("dw_v  =", dw_v, f"  db_v  = {db_v:.4f}")

# %% [markdown]
# The second weight of each head has gradient zero. Why? Its pixel is black: it was multiplied by $0$, so changing it changes nothing.
#
# Here is the whole step in one picture, forward values in blue and gradients in red. Follow an arrow backwards and check a number.

# %%
values = {"x": "(1, 0)", "mu": f"{mu:.3f}", "lv": f"{logvar:.3f}", "eps": f"{eps}", "z": f"{z:.3f}"}
values |= {
    "a": f"({a[0]:.2f}, {a[1]:.2f})",
    "nll": f"{nll:.3f}",
    "kl": f"{kl:.3f}",
    "loss": f"{loss:.3f}",
}
gradients = {"mu": f"{dmu:+.3f}", "lv": f"{dlogvar:+.3f}", "z": f"{dz:+.3f}"}
gradients |= {"a": f"({da[0]:+.2f}, {da[1]:+.2f})", "nll": "+1", "kl": "+1", "loss": "+1"}
drawing.step(values, gradients)
plt.show()

# %% [markdown]
# ## Is it right?
#
# Two independent witnesses. First, **nudge and look**: move one weight by a hair, recompute the loss, and compare the slope.


# %%
def loss_at(x, w_mu, b_mu, w_v, b_v, w, c):
    mu, logvar = x @ w_mu + b_mu, x @ w_v + b_v
    a = (mu + np.exp(logvar / 2) * eps) * w + c
    nll = np.sum(np.logaddexp(0, a) - x * a)  # the same nll, written for logits
    return nll + 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)


def slope(move, h=1e-5):
    up = loss_at(x, w_mu + h * move, b_mu, w_v, b_v, w, c)
    down = loss_at(x, w_mu - h * move, b_mu, w_v, b_v, w, c)
    return (up - down) / (2 * h)


print(f"by hand {dw_mu[0]:.6f}   by nudging {slope(np.array([1.0, 0.0])):.6f}")
assert abs(slope(np.array([1.0, 0.0])) - dw_mu[0]) < 1e-8
assert slope(np.array([0.0, 1.0])) == dw_mu[1] == 0

# %% [markdown]
# Second, **minivae itself**: the same weights, the same noise, one call of `step`.
# In minivae the two heads lie side by side in one layer, so its weight has two columns.

# %%
model = VAE(2, hidden=(), latent=1, rng=np.random.default_rng(0), dtype="float64")
model.encoder.heads.params["W"][...] = np.column_stack([w_mu, w_v])
model.encoder.heads.params["b"][...] = [b_mu, b_v]
model.decoder[0].params["W"][...] = w
model.decoder[0].params["b"][...] = c

terms = model.step(x[None], np.array([[eps]]))
heads = model.encoder.heads.params
np.testing.assert_allclose(terms.loss, loss, atol=1e-12)
np.testing.assert_allclose(heads.grad_of("W"), np.column_stack([dw_mu, dw_v]), atol=1e-12)
np.testing.assert_allclose(heads.grad_of("b"), [db_mu, db_v], atol=1e-12)
np.testing.assert_allclose(model.decoder[0].params.grad_of("W")[0], dw, atol=1e-12)
print("your ten numbers and minivae's are the same")

# %% [markdown]
# minivae can also show such a step: every operation in its order, there and back, with its formula and the numbers that go in and come out. Press Next, and find $d\mu$ where it is added.

# %%
with trace(model) as steps:
    model.step(x[None], np.array([[eps]]))
steps

# %% [markdown]
# ## The step
#
# The gradient points uphill, so we go the other way, by a *learning rate* of $0.5$: $\theta \leftarrow \theta - 0.5\, d\theta$ for all ten numbers.
# Then again, and again; only the dice stay at $0.5$, so that the losses can be compared.

# %%
optimizer = SGD(lr=0.5)
losses = []
for _ in range(300):
    terms = model.step(x[None], np.array([[eps]]))
    losses.append((float(terms.loss), float(terms.nll[0]), float(terms.kl.sum())))
    optimizer.step(model.params)
losses = np.array(losses)
assert losses[0, 0] > losses[1, 0] > losses[5, 0] > losses[-1, 0]  # it falls

drawing.losses(losses)
plt.show()
# %% [markdown]
# The loss falls, and so do both of its parts.
# The KL goes to zero: with a single image there is nothing to tell apart, so the best code says nothing, and the decoder's bias $c$ learns the image by heart.
# Codes are worth their price only when there are *several* images, which is the rest of this course.

# %%
assert losses[-1, 2] < 0.05 * losses[0, 2]
print("probabilities now:", model.decode(np.array([[0.0]]))[0])

# %% [markdown]
# ## Exercises
#
# Write your code where it says `# your code here` and run the cell below it: the gradient doctor compares your gradients with numerical ones, and if they differ it tells you what is likely wrong.

# %%
sheet = Scoresheet()

# %% [markdown]
# **1. One neuron (2 points).** A neuron computes $y = \tanh(x_1 w_1 + x_2 w_2 + b)$. Given $dy$, find $dw$ (two numbers) and $db$.
# The derivative of $\tanh(t)$ is $1 - \tanh(t)^2$.


# %%
def neuron_forward(x, w, b):
    y = np.tanh(x @ w + b)
    return y, (x, y)


def neuron_backward(dy, cache):
    x, y = cache
    dw = db = None
    # your code here
    return {"dw": dw, "db": db}


# %%
at = {"x": np.array([0.7, -1.2]), "w": np.array([0.4, 0.9]), "b": np.array(0.3)}
report = check_gradients(neuron_forward, neuron_backward, at, wrt=["w", "b"], name="neuron")
sheet.grade("1 one neuron", 2, report)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def neuron_backward(dy, cache):
#     x, y = cache
#     dt = dy * (1 - y**2)  # back through tanh
#     dw = dt * x  # the factor of w is x
#     db = dt  # the factor of b is 1
#     return {"dw": dw, "db": db}
# ```
# </details>

# %% [markdown]
# **2. One weight, two places (3 points).** Some autoencoders use the same weights to encode and to decode:
# $z = x_1 w_1 + x_2 w_2$ and then $a_d = z\, w_d$. Each $w_d$ occurs twice. Find $dw$ (two numbers) from $da$.


# %%
def tied_forward(x, w):
    z = x @ w
    return z * w, (x, w, z)


def tied_backward(da, cache):
    x, w, z = cache
    dw = None
    # your code here
    return {"dw": dw}


# %%
at = {"x": np.array([0.7, -1.2]), "w": np.array([0.4, 0.9])}
report = check_gradients(tied_forward, tied_backward, at, wrt=["w"], name="tied")
sheet.grade("2 two places", 3, report)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def tied_backward(da, cache):
#     x, w, z = cache
#     dz = np.sum(da * w)  # z is in both outputs
#     dw = da * z + dz * x  # as a decoder, plus as an encoder
#     return {"dw": dw}
# ```
# </details>

# %%
print(sheet)
