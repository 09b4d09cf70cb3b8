# %% [markdown]
# # 01 · Layers, forwards and backwards
#
# Every network in this course is a chain of two kinds of links: linear layers and activations.
# If you can walk back through these two, you can walk back through all of them.
#
# **At the end you can**
#
# - say what a derivative is without a formula, and measure one by nudging;
# - derive the backward pass of a linear layer by asking *where does this number occur?*;
# - write the backward pass of any activation;
# - explain why the chain rule is a loop over layers in reverse, and why deep chains may fall silent.
#
# **You need** notebook 00, and matrix products. About 35 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae import Activation, Linear, Sequential
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.ops.activations import sigmoid_forward

plt.style.use("minivae.tutorial")
np.set_printoptions(precision=4, suppress=True)
rng = np.random.default_rng(1)

# %% [markdown]
# ## What a derivative is
#
# Nudge the input by a small $h$, and see by how much the output moves. The ratio of the two, for smaller and smaller nudges, is the derivative:
#
# $$ f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h} . $$
#
# In a picture: lines through two points of a curve, the second point closing in on the first. The lines turn until they *touch* the curve.


# %%
def f(x):
    return x / (1 + np.exp(-x))  # SiLU, an activation that we shall meet again


nudges = np.array([3.0, 1.5, 0.5, 0.01])
slopes = (f(-0.5 + nudges) - f(-0.5)) / nudges

t = np.linspace(-3, 3, 200)
fig, ax = plt.subplots(figsize=(7, 3))
ax.plot(t, f(t), color="0.2")
for i, (h, slope) in enumerate(zip(nudges, slopes, strict=True)):
    ax.axline(
        (-0.5, f(-0.5)), slope=slope, lw=1.2, color=f"C{i}", label=f"h = {h:<4} slope {slope:.3f}"
    )
ax.plot(-0.5, f(-0.5), "o", color="0.2")
ax.set(ylim=(-0.8, 2.6), title="secants become the tangent")
ax.legend()
plt.show()

# %%
errors = np.abs(slopes - 0.260)  # 0.260 is where they are going
assert (np.diff(errors) < 0).all()  # each smaller nudge comes closer

# %% [markdown]
# ## A linear layer
#
# A batch holds $B$ examples with $I$ numbers each: a matrix $x$ of shape $(B, I)$. The layer has weights $W$ $(I, O)$ and biases $b$ $(O,)$, and computes $y = xW + b$. Written out, for example $n$ and output $o$:
#
# $$ y_{no} = \sum_i x_{ni} W_{io} + b_o . $$
#
# Before any algebra, let us *watch*. We nudge one single number and colour the outputs that move.

# %%
x, W, b = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)
y = x @ W + b

fig, axes = plt.subplots(1, 3, figsize=(8, 3))
for ax, name, index in zip(axes, "xWb", [(1, 2), (2, 0), (1,)], strict=True):
    nudged = {"x": x.copy(), "W": W.copy(), "b": b.copy()}
    nudged[name][index] += 1
    moved = nudged["x"] @ nudged["W"] + nudged["b"] - y
    ax.imshow(moved, cmap="RdBu", vmin=-2.5, vmax=2.5)
    for (n, o), value in np.ndenumerate(moved):
        ax.text(o, n, f"{value:.2f}", ha="center", va="center", color="0.75" if value == 0 else "0")
    ax.set(
        title=f"nudge {name}[{', '.join(map(str, index))}] by 1",
        xlabel="output o",
        ylabel="example n",
    )
    ax.set_xticks(range(3))
    ax.grid(False)
plt.show()

# %% [markdown]
# - A number of $x$ moves *its own example*, in every output.
# - A number of $W$ moves *one output*, in every example.
# - A number of $b$ moves one output, in every example, each by the same amount.
#
# And the sizes of the moves are the *factors* beside the number: $W_{io}$ beside $x_{ni}$, $x_{ni}$ beside $W_{io}$, and $1$ beside $b_o$.
#
# ## Backwards
#
# Let $L$ be the loss, somewhere behind. Suppose we know $dy_{no} = \partial L / \partial y_{no}$ already, for every output.
# A number's own gradient is then: **go to every place where it occurs, take what comes back there, times its factor there, and add up.** Reading the three pictures:
#
# $$ \begin{aligned}
# dx_{ni} &= \sum_o dy_{no}\, W_{io} & &\text{so} & dx &= dy\, W^\top \\
# dW_{io} &= \sum_n x_{ni}\, dy_{no} & &\text{so} & dW &= x^\top dy \\
# db_o &= \sum_n dy_{no} & &\text{so} & db &= \text{column sums of } dy
# \end{aligned} $$
#
# The transposes are not magic: they are the sums, written as matrix products.


# %%
def linear_forward(x, W, b):
    return x @ W + b, (x, W)


def linear_backward(dy, cache):
    x, W = cache
    return {"dx": dy @ W.T, "dW": x.T @ dy, "db": dy.sum(axis=0)}


report = check_gradients(linear_forward, linear_backward, {"x": x, "W": W, "b": b}, name="linear")
print("the gradient doctor says:", report.verdict)
assert report.passed

# %% [markdown]
# A test that costs nothing: **a gradient has the shape of its number.** $dW$ must be $(I, O)$. Of the products that can be formed from $x$ and $dy$, only $x^\top dy$ has that shape, as long as no two sizes are equal. (If $I = O$, a forgotten transpose has the right shape and the wrong numbers. Never test with square matrices.)

# %% [markdown]
# ## Activations
#
# An activation bends each number for itself, so there is nothing to add up: $dx = dy \cdot f'(x)$.
# The lines below are minivae's activations; the dots on the right are slopes measured by nudging.

# %%
names = ["relu", "tanh", "sigmoid", "silu"]
t = np.linspace(-4, 4, 161)
dots = t[5::10]
h = 1e-5
fig, (left, right) = plt.subplots(1, 2)
for i, name in enumerate(names):
    layer = Activation(name, dtype="float64")
    left.plot(t, layer.forward(t[None])[0], label=name, color=f"C{i}")
    derivative = layer.backward(np.ones((1, 161)))[0]
    right.plot(t, derivative, color=f"C{i}")
    measured = (layer.forward(dots[None] + h) - layer.forward(dots[None] - h))[0] / (2 * h)
    right.plot(dots, measured, "o", ms=4, color=f"C{i}")
    assert np.abs(measured - derivative[5::10]).max() < 1e-8
left.set(title="f(x)", ylim=(-1.3, 3))
right.set(title="f'(x), and slopes measured by nudging")
left.legend()
plt.show()

# %% [markdown]
# Two of the derivatives are cheapest *from the output*: with $y = \tanh x$ it is $1 - y^2$, with $y = \sigma(x)$ it is $y(1 - y)$. Let us see the second from the definition. Since $\sigma(x) = 1/(1 + e^{-x})$, and the derivative of $1/u$ is $-u'/u^2$,
#
# $$ \sigma'(x) = \frac{e^{-x}}{(1 + e^{-x})^2}
#    = \underbrace{\frac{1}{1 + e^{-x}}}_{y} \cdot \underbrace{\frac{e^{-x}}{1 + e^{-x}}}_{1 - y} . $$

# %%
y, _ = sigmoid_forward(t)
assert np.allclose(np.gradient(y, t)[1:-1], (y * (1 - y))[1:-1], atol=1e-3)
print("the steepest slope of the sigmoid:", (y * (1 - y)).max())

# %% [markdown]
# ## The chain
#
# If $y = f(g(x))$, a nudge of $x$ is first stretched by $g'$ and then by $f'$. The stretches *multiply*. Backwards, we start at the end with $dL/dy$ and let each layer multiply by its own part:

# %%
options = {"rng": rng, "dtype": "float64", "backend": "numpy"}
net = Sequential(
    Linear(4, 6, **options),
    Activation("tanh", dtype="float64", backend="numpy"),
    Linear(6, 2, **options),
)
y = net.forward(x)
dy = rng.normal(size=y.shape)

d = dy
for layer in reversed(net.layers):  # this loop is the chain rule
    d = layer.backward(d)

assert np.array_equal(d, net.backward(dy))
print("this is what Sequential.backward does")

# %% [markdown]
# The loop has a price. The sigmoid's slope is at most $1/4$, so ten sigmoids in a row shrink whatever comes back by at least $4^{10}$, about a million, as long as the weights between them do not make up for it. Let us measure the gradient that arrives at each layer of a chain of ten.


# %%
def arriving(activation, init):
    rng = np.random.default_rng(0)
    layers = []
    for _ in range(10):
        layers.append(Linear(64, 64, init=init, rng=rng, dtype="float64"))
        layers.append(Activation(activation, dtype="float64"))
    d = rng.normal(size=(32, 64))
    Sequential(*layers).forward(rng.normal(size=(32, 64)))
    norms = [np.linalg.norm(d)]
    for i, layer in reversed(list(enumerate(layers))):
        d = layer.backward(d)
        if i % 2 == 0:
            norms.append(np.linalg.norm(d))
    return np.array(norms)


fig, ax = plt.subplots(figsize=(7, 3))
arrived = {}
for activation, init in (("sigmoid", "glorot"), ("tanh", "glorot"), ("relu", "he")):
    arrived[activation] = arriving(activation, init)
    ax.semilogy(arrived[activation], "o-", ms=4, label=f"{activation}, {init}'s weights")
ax.set(xlabel="layers walked back", ylabel="norm of the gradient", title="ten layers deep")
ax.legend()
plt.show()

# %%
assert (np.diff(arrived["sigmoid"]) < 0).all()
assert arrived["sigmoid"][-1] < 1e-5 * arrived["sigmoid"][0]
assert arrived["relu"][-1] > 0.1 * arrived["relu"][0]

# %% [markdown]
# The sigmoids fall silent: the first layers hear less than a hundred-thousandth. ReLU has slope 1 wherever it is awake, and with weights drawn for it (He et al. 2015) the gradient arrives. That is one reason why the VAEs here use ReLU inside, and a sigmoid only at the very end, where its slope cancels against the loss's logarithm (notebook 00).

# %% [markdown]
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal

# %% [markdown]
# **1. Gain (3 points).** A layer multiplies each of $D$ columns by a number of its own: $y_{nd} = x_{nd}\, g_d$, with $x$ $(B, D)$ and $g$ $(D,)$. NumPy *broadcasts* $g$ over the batch without telling you; backwards you have to undo it. In which places does $g_d$ occur?


# %%
def gain_forward(x, g):
    return x * g, (x, g)


def gain_backward(dy, cache):
    x, g = cache
    dx = dg = None
    # your code here
    return {"dx": dx, "dg": dg}


# %%
report = check_gradients(
    gain_forward, gain_backward, {"x": draw(size=(3, 5)), "g": draw(size=5)}, name="gain"
)
sheet.grade("1 gain", 3, report)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def gain_backward(dy, cache):
#     x, g = cache
#     dx = dy * g
#     dg = np.sum(dy * x, axis=0)  # g_d occurs in every example
#     return {"dx": dx, "dg": dg}
# ```
# </details>

# %% [markdown]
# **2. SiLU (2 points).** $f(x) = x\,\sigma(x)$. You need the product rule, and $\sigma' = \sigma (1 - \sigma)$.


# %%
def silu_forward(x):
    s = 1 / (1 + np.exp(-x))
    return x * s, (x, s)


def silu_backward(dy, cache):
    x, s = cache
    dx = None
    # your code here
    return {"dx": dx}


# %%
report = check_gradients(silu_forward, silu_backward, {"x": draw(size=(3, 5))}, name="silu")
sheet.grade("2 SiLU", 2, report)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def silu_backward(dy, cache):
#     x, s = cache
#     dx = dy * (s + x * s * (1 - s))
#     return {"dx": dx}
# ```
# </details>

# %% [markdown]
# **3. A layer with a short cut (4 points).** $y = x + \tanh(xW)$, the building block of residual networks. $x$ occurs twice. (Here $W$ must be square, so its shape will not warn you of a forgotten transpose.)


# %%
def residual_forward(x, W):
    h = np.tanh(x @ W)
    return x + h, (x, W, h)


def residual_backward(dy, cache):
    x, W, h = cache
    dx = dW = None
    # your code here
    return {"dx": dx, "dW": dW}


# %%
at = {"x": draw(size=(3, 5)), "W": draw(size=(5, 5))}
sheet.grade(
    "3 short cut", 4, check_gradients(residual_forward, residual_backward, at, name="residual")
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def residual_backward(dy, cache):
#     x, W, h = cache
#     dt = dy * (1 - h**2)  # back through tanh
#     dW = x.T @ dt
#     dx = dy + dt @ W.T  # along the short cut, plus through the layer
#     return {"dx": dx, "dW": dW}
# ```
# </details>

# %%
print(sheet)
