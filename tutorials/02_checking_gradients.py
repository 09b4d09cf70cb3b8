# %% [markdown]
# # 02 · Checking a gradient
#
# A wrong backward pass seldom crashes. It trains, a little worse, for ever; nobody notices. So a gradient is right only when something *else* says so.
#
# **At the end you can**
#
# - measure any derivative numerically, and choose the step size with a reason;
# - use the complex step, which is exact to the last digit;
# - recognise what looks like a bug and is none: kinks, and float32;
# - choose a point that does not hide mistakes;
# - let the gradient doctor name a mistake, and say what no gradient check can ever see.
#
# **You need** notebook 01. About 30 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae.check import check_gradients, check_values
from minivae.course.exercises import Scoresheet

plt.style.use("minivae.tutorial")
rng = np.random.default_rng(0)

# %% [markdown]
# ## Two errors that pull apart
#
# Taylor's formula says what a nudge does:
#
# $$ f(x \pm h) = f(x) \pm h f'(x) + \tfrac{h^2}{2} f''(x) \pm \tfrac{h^3}{6} f'''(x) + \dots $$
#
# The **one-sided** slope $\frac{f(x+h) - f(x)}{h}$ is therefore off by about $\frac h2 f''$. In the **central** one, $\frac{f(x+h) - f(x-h)}{2h}$, the even terms cancel, and it is off by only $\frac{h^2}{6} f'''$. Smaller $h$, smaller error?
#
# No: a computer keeps 16 digits. The two values of $f$ agree in their first digits, the subtraction throws those away, and dividing by a tiny $h$ blows up what is left. That error *grows* like $10^{-16} / h$.
#
# The **complex step** has no subtraction. Go a tiny way in the *imaginary* direction: $f(x + ih) = f(x) + ih f'(x) - \dots$, so $f'(x) \approx \operatorname{Im} f(x + ih) / h$, for any $h$, however small.


# %%
def f(x):
    return np.exp(x) * np.sin(3 * x)


truth = np.exp(1) * (np.sin(3) + 3 * np.cos(3))

h = 10.0 ** np.arange(-15, 0, 0.25)
errors = {
    "one-sided": (f(1 + h) - f(1)) / h,
    "central": (f(1 + h) - f(1 - h)) / (2 * h),
    "complex step": f(1 + 1j * h).imag / h,
}
errors = {name: np.abs(value - truth) / abs(truth) + 1e-17 for name, value in errors.items()}

fig, ax = plt.subplots(figsize=(7.5, 3.4))
for name, error in errors.items():
    ax.loglog(h, error, ".-", label=name)
ax.set(xlabel="step size h", ylabel="relative error", title="the valley of the step size")
ax.legend(loc="upper center")
plt.show()

# %% [markdown]
# Read the picture from right to left. The lines fall with the slopes 1 and 2 that Taylor promised, until rounding takes over and they climb again, ragged.
# The central difference is best near $h = 10^{-5}$, where it has ten or eleven right digits: minivae starts there. The complex step just falls, to the floor.

# %%
best = h[errors["central"].argmin()]
assert 1e-6 < best < 1e-4
assert errors["central"].min() < 1e-9 < 1e-8 < errors["one-sided"].min() * 10
assert errors["complex step"][h < 1e-9].max() < 1e-15
steep = slice(np.searchsorted(h, 1e-4), np.searchsorted(h, 1e-2))
rises = {name: np.polyfit(np.log(h[steep]), np.log(errors[name][steep]), 1)[0] for name in errors}
print({name: round(float(rise), 1) for name, rise in rises.items()})

# %% [markdown]
# (Why is the complex step not used for everything? The code has to accept complex numbers, and treat them analytically. `abs` does not, for one. The doctor tries it, sees whether it agrees with differences, and otherwise takes those.)
#
# ## Kinks
#
# ReLU has a corner at 0. If the corner lies between $x - h$ and $x + h$, the central difference sees a bit of both sides and returns *neither* slope. Your backward pass is right, and the check says it is wrong.

# %%
relu = lambda x: np.maximum(x, 0)  # noqa: E731
x0, step = 0.25, 1.0
fig, ax = plt.subplots(figsize=(6, 2.8))
t = np.linspace(-1.5, 2, 200)
ax.plot(t, relu(t), color="0.2", label="ReLU")
ends = np.array([x0 - step, x0 + step])
ax.plot(ends, relu(ends), "o--", color="C1", label="what the difference sees: slope 0.625")
ax.plot(x0, relu(x0), "o", color="C0", label="true slope here: 1")
ax.legend()
ax.set_title("a kink within the step")
plt.show()
assert np.diff(relu(ends))[0] / (2 * step) == 0.625

# %% [markdown]
# The doctor compares several step sizes. Where they disagree, it leaves that entry out and says so, instead of guessing. The entry below lies $0$ from the kink:


# %%
def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dy, x):
    return {"dx": dy * (x > 0)}


print(check_gradients(relu_forward, relu_backward, {"x": np.array([[1.0, -2.0, 0.0, 0.5]])}))

# %% [markdown]
# ## float32
#
# To train, 7 digits are plenty. To check, they are not: the same valley in float32 is shallow, and its bottom, between $h = 10^{-3}$ and $10^{-2}$, lies a hundred thousand times higher. Check in float64, always. That is why everything in minivae takes a `dtype`.

# %%
h32 = (10.0 ** np.arange(-7, 0, 0.25)).astype("float32")
one = np.float32(1)
slopes = (f(one + h32) - f(one - h32)) / (2 * h32)
assert slopes.dtype == "float32"
single = np.abs(slopes - truth) / abs(truth)

fig, ax = plt.subplots(figsize=(7.5, 2.8))
ax.loglog(h, errors["central"], ".-", color="C1", label="central, float64")
ax.loglog(h32, single, ".-", color="C2", label="central, float32")
ax.set(xlabel="step size h", ylabel="relative error")
ax.legend()
plt.show()
assert single.min() > 1e4 * errors["central"].min()

# %% [markdown]
# ## Many outputs: a random direction
#
# A layer has many outputs, and a derivative is a slope of *one* number. So we make one: $f = \sum_k dy_k\, y_k$ with arbitrary weights $dy$. Its gradient is exactly what `backward(dy)` should return.
#
# Why random weights, and not simply all ones? Look at the softmax, whose outputs always sum to 1. With $dy = 1$ our number is that sum, which never changes, so the true gradient is zero, and a backward pass that returns *nothing but zeros* passes:


# %%
def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y, y


def softmax_slope(x, dy, h=1e-5):
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        up, down = softmax_forward(x + step)[0], softmax_forward(x - step)[0]
        slopes[index] = np.sum(dy * (up - down)) / (2 * h)
    return slopes


x = rng.normal(size=(2, 3))
print("dy = 1:     ", np.round(softmax_slope(x, np.ones((2, 3)))[0], 4) + 0.0)
print("dy random:  ", np.round(softmax_slope(x, rng.normal(size=(2, 3)))[0], 4))
assert np.abs(softmax_slope(x, np.ones((2, 3)))).max() < 1e-9

# %% [markdown]
# ## Points that hide mistakes
#
# The KL divergence of notebook 00 has the gradients $d\mu = \mu$ and $d\operatorname{logvar} = \frac12 (e^{\operatorname{logvar}} - 1)$. Here is a backward pass with a mistake that many have made: the standard deviation $e^{\operatorname{logvar}/2}$ in the place of the variance.


# %%
def kl_forward(mu, logvar):
    return 0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1), (mu, logvar)


def kl_backward(dkl, cache):
    mu, logvar = cache
    return {"dmu": dkl * mu, "dlogvar": dkl * 0.5 * (np.exp(logvar / 2) - 1)}


mu = rng.normal(size=(3, 2))
at_zero = check_gradients(kl_forward, kl_backward, {"mu": mu, "logvar": np.zeros((3, 2))})
print("at logvar = 0:   ", at_zero.verdict)
elsewhere = check_gradients(kl_forward, kl_backward, {"mu": mu, "logvar": rng.normal(size=(3, 2))})
print("at random logvar:", elsewhere.verdict)
assert at_zero["mu"].verdict == "right"
assert at_zero["logvar"].verdict == "not checked"
assert elsewhere["logvar"].verdict == "wrong"

# %% [markdown]
# Where $\operatorname{logvar} = 0$, variance and standard deviation are both 1, and the mistake is invisible: the right gradient is 0 there, and so is the wrong one. It is exactly where every VAE *starts*. The doctor does not call that right: where a gradient of 0 would agree whatever it was made of, it says *not checked*.
# Other hiding places: square matrices (transposes), a batch of one (forgotten sums), biases of zero, symmetric weights. minivae's checks draw random values, and sizes that are distinct primes.
#
# ## The doctor
#
# *Wrong* is a poor diagnosis. The gradient doctor keeps a library of known mistakes, computes what each would give, and tells you which one matches:

# %%
print(elsewhere)


# %%
def linear_forward(x, W, b):
    return x @ W + b, (x, W)


def forgot_the_batch(dy, cache):
    x, W = cache
    return {"dx": dy @ W.T, "dW": x.T @ dy / len(x), "db": dy.mean(axis=0)}


at = {"x": rng.normal(size=(3, 5)), "W": rng.normal(size=(5, 2)), "b": rng.normal(size=2)}
report = check_gradients(linear_forward, forgot_the_batch, at, name="linear", strict=True)
report

# %%
assert report["x"].verdict == "right"
assert report["W"].verdict == report["b"].verdict == "wrong"
assert "batch" in str(report)

# %% [markdown]
# (Some courses do divide here, in each layer, instead of once where the loss is a mean. Without `strict=True` the doctor takes that for a convention, and says *right, but*.)
#
# A cell that ends with the report, instead of printing it, shows heat maps of where in each array the error sits: here everywhere, which is how a wrong factor looks.
#
# ## What no gradient check can see
#
# A gradient check asks whether `backward` belongs to `forward`. If the *forward* pass is wrong, and backward is its faithful derivative, all is well as far as the check can tell. This sampler multiplies the noise by the variance:


# %%
def sample_forward(mu, logvar, eps):
    return mu + np.exp(logvar) * eps, (logvar, eps)  # should be exp(logvar / 2)


def sample_backward(dz, cache):
    logvar, eps = cache
    return {"dmu": dz, "dlogvar": dz * np.exp(logvar) * eps}


at = {name: rng.normal(size=(3, 2)) for name in ("mu", "logvar", "eps")}
report = check_gradients(sample_forward, sample_backward, at, wrt=["mu", "logvar"])
print("gradient check:", report.verdict)
assert report.passed

# %% [markdown]
# To catch it, set the value against something that it must agree with: here, the spread of many samples against the spread that the KL assumes. `check_values` does such comparisons.

# %%
(finding,) = check_values(reparameterize=lambda mu, logvar, eps: sample_forward(mu, logvar, eps)[0])
print(finding)
assert not finding.passed

# %% [markdown]
# So a part of a model is trusted when *three* things hold: its values agree with an independent source, its gradient agrees with differences, and both were tried at a point that hides nothing.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal

# %% [markdown]
# **1. Build the instrument (3 points).** Write the gradient of `bowl` by central differences, without deriving anything: for each entry, step up by $h$ and down by $h$. The doctor will compare *your* numbers with its own; use a step size that gives at least six digits.


# %%
def bowl(x):
    return np.sum(np.cosh(x) * np.arange(1, 6))


def bowl_gradient(x):
    dx = None
    # your code here
    return {"dx": dx}


# %%
sheet.grade("1 instrument", 3, check_gradients(bowl, bowl_gradient, {"x": draw(size=5)}))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def bowl_gradient(x):
#     h = 1e-5
#     dx = np.zeros_like(x)
#     for i in range(len(x)):
#         step = np.zeros_like(x)
#         step[i] = h
#         dx[i] = (bowl(x + step) - bowl(x - step)) / (2 * h)
#     return {"dx": dx}
# ```
# </details>

# %% [markdown]
# **2. Heal the patient (4 points).** This layer divides each row by its root mean square, $r = \sqrt{\frac1D \sum_d x_d^2}$, and multiplies by a gain $g$. Its backward pass has two mistakes; run the check first and read what the doctor says. (The second mistake is that somebody took $r$ for a constant. Every $x_d$ stands in it: $\partial r / \partial x_d = x_d / (D r)$.)


# %%
def rms_forward(x, g):
    r = np.sqrt(np.mean(x**2, axis=1, keepdims=True))
    y = x / r
    return y * g, (y, r, g)


def rms_backward(dout, cache):
    y, r, g = cache
    # your code here: mend these two lines
    dg = dout * y
    dx = dout * g / r
    return {"dx": dx, "dg": dg}


# %%
at = {"x": draw(size=(3, 5)), "g": draw(size=5)}
sheet.grade("2 patient", 4, check_gradients(rms_forward, rms_backward, at, name="rms"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def rms_backward(dout, cache):
#     y, r, g = cache
#     dg = np.sum(dout * y, axis=0)  # g is used by every row
#     dy = dout * g
#     # y_d = x_d / r: directly, and through r, which every x_d changes
#     dx = (dy - y * np.mean(dy * y, axis=1, keepdims=True)) / r
#     return {"dx": dx, "dg": dg}
# ```
# </details>

# %%
print(sheet)
