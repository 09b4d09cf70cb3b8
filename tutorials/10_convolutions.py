# %% [markdown]
# # 10 · Convolutions, forwards and backwards
#
# A dense layer has a weight for each pair of a pixel and a feature, and does not know which pixels are neighbours. A convolution has a few weights, and lays them on every place of the image. Its backward pass looks harder than it is: everything in it is a linear layer, and a sum over places.
#
# **At the end you can**
#
# - compute a convolution and its three gradients on paper, for an image of 4 x 4;
# - say how kernel, stride and padding make the sizes, and how many windows see a pixel;
# - explain why a transposed convolution draws chequerboards, and which kernel does not;
# - say why batch norm couples the examples of a batch, and layer norm does not.
#
# **You need** notebook 01. About 40 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.ops import BatchNorm, Conv2d, LayerNorm, conv2d, conv_transpose2d, patches
from minivae.ops.windows import count, pixels, sides_for
from minivae.show.trace import trace

plt.style.use("minivae.tutorial")
VALID = ((0, 0), (0, 0))  # zeros above and below, to the left and to the right


def board(ax, numbers, title, *, most=None, boxes=()):
    """Draw a matrix as coloured cells with their numbers, and outline windows (row, column, k)."""
    most = most or abs(numbers).max() or 1
    ax.imshow(numbers, cmap="PuOr_r", vmin=-1.6 * most, vmax=1.6 * most)
    for (r, q), number in np.ndenumerate(numbers):
        ax.text(q, r, f"{number + 0.0:g}", ha="center", va="center")
    for i, (r, q, k) in enumerate(boxes):
        inset = 0.08 * i - 0.5
        box = plt.Rectangle(
            (q + inset, r + inset), k - 1 - 2 * inset, k - 1 - 2 * inset, fill=False, lw=2
        )
        box.set_edgecolor(f"C{i}")
        ax.add_patch(box)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


# %% [markdown]
# ## Forwards: one window after the other
#
# The image $x$ has 4 x 4 pixels and one channel, the kernel $W$ has 3 x 3 weights. There are four places for it. At each, multiply the nine pixels that the window sees by the nine weights and add up:
#
# $$ y_{uv} = \sum_{i, j} x_{u + i, \, v + j} \, W_{ij} $$

# %%
x = np.array([[1.0, 0, 2, 1], [0, 3, 1, 0], [2, 1, 0, 1], [1, 0, 1, 2]])
W = np.array([[1.0, 0, -1], [2, 0, -2], [0, 1, 0]])
image, weights, bias = x[None, :, :, None], W[:, :, None, None], np.zeros(1)  # (B, H, W, C)
y, cache = conv2d.forward(image, weights, bias, (1, 1), VALID)

fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), width_ratios=(4, 3, 2))
board(axes[0], x, "image, and the four windows", boxes=[(r, q, 3) for r in (0, 1) for q in (0, 1)])
board(axes[1], W, "kernel")
board(axes[2], y[0, :, :, 0], "result")
plt.show()

by_hand = 1 * 1 + 0 * 0 + 2 * -1 + 0 * 2 + 3 * 0 + 1 * -2 + 2 * 0 + 1 * 1 + 0 * 0
print("top left, by hand:", by_hand)
assert y[0, 0, 0, 0] == by_hand == -2

# %% [markdown]
# Lay what each window sees in a row. These *patches* make a matrix with a row for each place, and the convolution becomes **a linear layer whose rows are places**:

# %%
P, where = patches.forward(image, (3, 3), (1, 1), VALID)
rows = P.reshape(4, 9)
print(rows.astype(int))
assert np.array_equal(rows @ W.reshape(9), y.ravel())

# %% [markdown]
# ## Backwards: two ways of looking, one result
#
# Somebody gives us $dy$, a number for each of the four places. As for any linear layer,
#
# $$ dW = P^\top dy, \qquad dP = dy \, W^\top . $$
#
# **The weights.** A weight acts at every place, so it collects from every place: $dW$ is the sum of the patches, each times the $dy$ of its place.
#
# **The image.** $dP$ says what each *window* wants of the pixels that it sees. A pixel that several windows see collects from each of them. In the picture: lay the kernel on the image at each place, times $dy$ there, and add.

# %%
dy = np.array([[1.0, 0], [2, -1]])
dx, dW, db = conv2d.backward(dy[None, :, :, None], *cache)
dx, dW = dx[0, :, :, 0], dW[:, :, 0, 0]

laid = np.zeros((2, 2, 4, 4))
for u, v in np.ndindex(2, 2):
    laid[u, v, u : u + 3, v : v + 3] = dy[u, v] * W
fig, axes = plt.subplots(1, 5, figsize=(9, 2.3))
for ax, (u, v) in zip(axes, np.ndindex(2, 2), strict=False):
    board(ax, laid[u, v], f"dy = {dy[u, v]:g}", most=4, boxes=[(u, v, 3)])
board(axes[4], dx, "sum: dx", most=4)
plt.show()
assert np.array_equal(laid.sum(axis=(0, 1)), dx)

# %% [markdown]
# Take the pixel in row 1 and column 1 (from 0). Four windows see it. With $(0, 0)$ it meets the weight $W_{11} = 0$, with $(0, 1)$ $W_{10} = 2$, with $(1, 0)$ $W_{01} = 0$, with $(1, 1)$ $W_{00} = 1$:
#
# $$ dx_{11} = 1 \cdot 0 + 0 \cdot 2 + 2 \cdot 0 + (-1) \cdot 1 = -1 . $$
#
# And the weight in the middle has met, at the four places, the pixels $3, 1, 1, 0$:
#
# $$ dW_{11} = 1 \cdot 3 + 0 \cdot 1 + 2 \cdot 1 + (-1) \cdot 0 = 5 . $$

# %%
print("dx:", *dx.astype(int), sep="\n")
print("dW:", *dW.astype(int), sep="\n")
assert (dx[1, 1], dW[1, 1], db[0]) == (-1, 5, dy.sum())

# %% [markdown]
# Both ways of looking are the same matrix. Write $x$ and $y$ as columns; then $y = A x$ with a matrix $A$ of 4 x 16, in which the nine weights stand again and again. Backwards, $dx = A^\top dy$. A *transposed convolution* is a layer that has $A^\top$ as its forward pass: from small images to large ones.

# %%
A = np.array(
    [
        conv2d.forward(pixel.reshape(1, 4, 4, 1), weights, bias, (1, 1), VALID)[0].ravel()
        for pixel in np.eye(16)
    ]
).T
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(16, 4.6))
board(axes[0], A, "A: a row for each place, a column for each pixel")
board(axes[1], A.T, "its transpose")
plt.show()
up, _ = conv_transpose2d.forward(dy[None, :, :, None], weights, bias, (1, 1), VALID, (0, 0))
assert np.array_equal(A @ x.ravel(), y.ravel())
assert np.array_equal(A.T @ dy.ravel(), dx.ravel())
assert np.array_equal(up[0, :, :, 0], dx)

# %% [markdown]
# The same step, operation by operation, with the window that gives the largest result:

# %%
layer = Conv2d(1, 1, 3, rng=np.random.default_rng(0), dtype="float64", backend="numpy")
layer.params["W"][...] = weights
with trace(layer) as steps:
    layer.forward(image)
    layer.backward(dy[None, :, :, None])
steps

# %% [markdown]
# ## Overlap, stride and padding
#
# How many windows see a pixel? Give every window a 1 and let it go backwards: `patches.backward` of ones counts. A **stride** of 2 moves the window by two pixels, so there are fewer windows and less overlap. **Padding** lays zeros around the image, so that windows reach over its rim. Along an axis of $n$ pixels, with $p$ zeros at each end,
#
# $$ m = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 \text{ windows.} $$


# %%
def seen_by(size, kernel, stride, sides):
    """How many windows see each pixel, and how many windows there are along an axis."""
    k, s = (kernel, kernel), (stride, stride)
    places = count(size, k, s, sides)
    ones = np.ones((1, *places, *k, 1))
    return patches.backward(ones, size, s, sides)[0, ..., 0], places


def around(p):
    return (p, p), (p, p)


fig, axes = plt.subplots(1, 4, figsize=(9, 2.7))
for ax, (k, s, p) in zip(axes, [(3, 1, 0), (3, 2, 0), (3, 2, 1), (4, 2, 1)], strict=True):
    seen, places = seen_by((8, 8), k, s, around(p))
    title = f"kernel {k}, stride {s},\npadding {p}: {places[0]} x {places[1]} windows"
    board(ax, seen, title, most=9)
    ax.title.set_size(9)
    assert places[0] == (8 + 2 * p - k) // s + 1
plt.show()

# %% [markdown]
# Kernel 3 with stride 1: the middle is seen by nine windows, a corner by one. With stride 2 and no padding the last row and column are seen by *nobody*: they get no gradient, and what is drawn there is lost. With padding 1 all pixels are seen, though unequally. Kernel 4, stride 2, padding 1 is the quiet one: all inner pixels are seen by four windows, and the sides are halved exactly. It is what `--network conv` uses; its "same" padding works that out for any size.

# %%
assert (seen_by((8, 8), 3, 2, around(0))[0][-1] == 0).all()
assert set(seen_by((8, 8), 4, 2, around(1))[0][1:-1, 1:-1].ravel()) == {4}
assert sides_for("same", (8, 8), (4, 4), (2, 2)) == around(1)

# %% [markdown]
# ## The transposed convolution's chequerboard
#
# A decoder goes the other way. Each pixel of the small image lays a window on the large one, and where windows overlap they add up. So the counts above are now what a *constant* image becomes under weights that are all 1. Where the stride does not divide the kernel, neighbours are sums over different numbers of windows: 1, 2 or 4.

# %%
small = np.ones((1, 5, 5, 1))
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6))
rng = np.random.default_rng(1)
for i, k in enumerate((3, 4)):
    ones = np.ones((k, k, 1, 1))
    counts, _ = conv_transpose2d.forward(small, ones, bias, (2, 2), VALID, (0, 0))
    board(axes[i], counts[0, ..., 0], f"kernel {k}, stride 2", most=4)
    for text in axes[i].texts:
        text.set_size(7)
    inner = set(counts[0, 3:-3, 3:-3, 0].ravel())
    print(f"kernel {k}: inside, a pixel is the sum of {sorted(map(int, inner))} windows")
    assert inner == ({1, 2, 4} if k == 3 else {4})
    # 32 channels of one value, and positive weights drawn at random, as in a young decoder.
    drawn = rng.random((k, k, 1, 32))
    many, _ = conv_transpose2d.forward(np.ones((1, 10, 10, 32)), drawn, bias, (2, 2), VALID, (0, 0))
    axes[2 + i].imshow(many[0, 3:-3, 3:-3, 0], vmin=0)
    axes[2 + i].set(title=f"kernel {k}: random weights", xticks=[], yticks=[])
    axes[2 + i].grid(False)
plt.show()

# %% [markdown]
# A network can learn weights that even this out, but it has to, for each layer. Kernel 4 with stride 2 gives every pixel four windows, so there is nothing to undo; a faint pattern of the weights themselves is left, which any network can even out.
#
# And the sizes must come back: 7 x 7 windows of kernel 4 and stride 2 make an image of 16 x 16, from which a padding of 1 is cut, so that 14 x 14 is left.

# %%
print("7 x 7 becomes", pixels((7, 7), (4, 4), (2, 2), around(1), (0, 0)))
assert pixels((7, 7), (4, 4), (2, 2), around(1), (0, 0)) == (14, 14)

# %% [markdown]
# ## Why batch norm couples examples
#
# Until now each example has gone its own way, and a batch was only a way of computing several at once. **Batch norm** ends that: it takes mean and variance over the batch,
#
# $$ h_n = \frac{x_n - \mu}{\sqrt{v + \epsilon}}, \qquad \mu = \frac1N \sum_n x_n, \quad v = \frac1N \sum_n (x_n - \mu)^2 . $$
#
# Six examples of one number each. Change the last, and look at the first five.

# %%
batch = np.array([[0.0], [1], [2], [-1], [-2], [1.5]])
changed = batch.copy()
changed[5] = 6


def normed(norm, x, dy, training=True):
    """Output and dx of a norm, as in a step of training or as in use."""
    if training:
        with norm.params.rehearsal():
            return norm.forward(x).copy(), norm.backward(dy).copy()
    return norm.forward(x).copy(), norm.backward(dy).copy()


norm = BatchNorm(1, dtype="float64", backend="numpy")
only_first = np.eye(6)[:, :1]  # the loss looks at example 0 alone
before, d_before = normed(norm, batch, only_first)
after, d_after = normed(norm, changed, only_first)

fig, axes = plt.subplots(1, 3, figsize=(9, 2.7))
places = np.arange(6)
for ax, one, other, title in (
    (axes[0], batch, changed, "x: the last one changes"),
    (axes[1], before, after, "output: all change"),
    (axes[2], d_before, d_after, "dx of the first output alone"),
):
    ax.bar(places - 0.2, one[:, 0], 0.4, label="before")
    ax.bar(places + 0.2, other[:, 0], 0.4, label="after")
    ax.set(title=title, xlabel="example")
axes[0].legend()
plt.show()
print("output before:", before[:, 0].round(2))
print("output after: ", after[:, 0].round(2))
print("dx:           ", d_before[:, 0].round(3))
assert (abs(after - before) > 0.02).all()
assert (abs(d_before) > 0.01).all()
assert abs(d_before.sum()) < 1e-15

# %% [markdown]
# The right picture is the point. The loss looked at example 0 alone, and *every* example got a gradient: through the mean and through the variance. They add up to 0, for moving all examples alike changes nothing.
#
# What follows in practice: the loss of an example depends on those beside it; a batch of one number for each channel is 0 whatever it is (and refused here); and in use, where an example must stand for itself, other moments have to take their place, which training has carried on. **Layer norm** takes its moments over the features of one example, so none of this happens.

# %%
in_use, d_in_use = normed(norm, batch, only_first, training=False)
in_use_after, _ = normed(norm, changed, only_first, training=False)
assert np.array_equal(in_use[:5], in_use_after[:5])
assert np.count_nonzero(d_in_use) == 1

wide = np.random.default_rng(2).normal(size=(6, 4))
other = wide.copy()
other[5] += 3
own = LayerNorm(4, dtype="float64", backend="numpy")
assert np.array_equal(own.forward(wide)[:5].copy(), own.forward(other)[:5])
print("batch norm in use, and layer norm: the first five stay what they were")

# %% [markdown]
# A whole VAE of convolutions is `minivae train --network conv`; what it wins is measured on [a page](uses/convolutions.md), and `minivae step --network conv` follows one step of it number by number.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(3).normal
STRIDE = 2


def at_all_places(x, i, j, h, w):
    """Pixels that lie at (i, j) of a 3 x 3 window at its places: a view (B, h, w, C) of x."""
    return x[:, i : i + STRIDE * h - 1 : STRIDE, j : j + STRIDE * w - 1 : STRIDE]


# %% [markdown]
# **1. Convolution (4 points).** $x$ $(B, H, W, C)$, weights $(3, 3, C, O)$, stride 2. The forward pass goes through the nine pixels of the window; for each, `seen` is what lies there at all places at once. Go through them again.


# %%
def conv2d_forward(x, W, b):
    h, w = ((n - 3) // STRIDE + 1 for n in x.shape[1:3])
    y = np.zeros((len(x), h, w, len(b))) + b
    for i, j in np.ndindex(3, 3):
        seen = at_all_places(x, i, j, h, w)
        y += seen @ W[i, j]
    return y, (x, W)


def conv2d_backward(dy, cache):
    x, W = cache
    dx = dW = db = None
    # your code here
    return {"dx": dx, "dW": dW, "db": db}


# %%
at = {"x": draw(size=(2, 5, 6, 2)), "W": draw(size=(3, 3, 2, 3)), "b": draw(size=3)}
sheet.grade("1 conv2d", 4, check_gradients(conv2d_forward, conv2d_backward, at, name="conv2d"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def conv2d_backward(dy, cache):
#     x, W = cache
#     dx, dW = np.zeros_like(x), np.zeros_like(W)
#     db = np.sum(dy, axis=(0, 1, 2))
#     for i, j in np.ndindex(3, 3):
#         seen = at_all_places(x, i, j, *dy.shape[1:3])
#         dW[i, j] = np.tensordot(seen, dy, axes=([0, 1, 2], [0, 1, 2]))
#         dseen = at_all_places(dx, i, j, *dy.shape[1:3])  # a view: what is added lands in dx
#         dseen += dy @ W[i, j].T
#     return {"dx": dx, "dW": dW, "db": db}
# ```
# </details>

# %% [markdown]
# **2. Transposed convolution (3 points).** $x$ $(B, h, w, C)$, weights $(3, 3, O, C)$. Each pixel of $x$ is laid on nine pixels of $y$. Which pass of exercise 1 does `dx` look like?


# %%
def conv_transpose2d_forward(x, W, b):
    h, w = x.shape[1:3]
    y = np.zeros((len(x), STRIDE * (h - 1) + 3, STRIDE * (w - 1) + 3, len(b))) + b
    for i, j in np.ndindex(3, 3):
        laid = at_all_places(y, i, j, h, w)
        laid += x @ W[i, j].T
    return y, (x, W)


def conv_transpose2d_backward(dy, cache):
    x, W = cache
    dx = dW = db = None
    # your code here
    return {"dx": dx, "dW": dW, "db": db}


# %%
at = {"x": draw(size=(2, 2, 3, 2)), "W": draw(size=(3, 3, 3, 2)), "b": draw(size=3)}
sheet.grade(
    "2 conv_transpose2d",
    3,
    check_gradients(
        conv_transpose2d_forward, conv_transpose2d_backward, at, name="conv_transpose2d"
    ),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def conv_transpose2d_backward(dy, cache):
#     x, W = cache
#     dx, dW = np.zeros_like(x), np.zeros_like(W)
#     db = np.sum(dy, axis=(0, 1, 2))
#     for i, j in np.ndindex(3, 3):
#         upstream = at_all_places(dy, i, j, *x.shape[1:3])
#         dx += upstream @ W[i, j]
#         dW[i, j] = np.tensordot(upstream, x, axes=([0, 1, 2], [0, 1, 2]))
#     return {"dx": dx, "dW": dW, "db": db}
# ```
#
# It is the forward pass of a convolution, of the image `dy`.
# </details>

# %% [markdown]
# **3. Batch norm (4 points).** $x$ $(B, D)$. An $x_{nd}$ acts along three paths: directly, through the mean, through the variance. A test: with all three, `dx` sums to 0 over the batch.


# %%
def batch_norm_forward(x, gamma, beta):
    centred = x - np.mean(x, axis=0)
    root = np.sqrt(np.mean(centred**2, axis=0) + 1e-5)
    xhat = centred / root
    return gamma * xhat + beta, (xhat, root, gamma)


def batch_norm_backward(dy, cache):
    xhat, root, gamma = cache
    dx = dgamma = dbeta = None
    # your code here
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


# %%
at = {"x": draw(size=(4, 3)), "gamma": draw(size=3), "beta": draw(size=3)}
sheet.grade(
    "3 batch_norm",
    4,
    check_gradients(batch_norm_forward, batch_norm_backward, at, name="batch_norm"),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def batch_norm_backward(dy, cache):
#     xhat, root, gamma = cache
#     dbeta = np.sum(dy, axis=0)
#     dgamma = np.sum(dy * xhat, axis=0)
#     dxhat = dy * gamma
#     through_mean = np.mean(dxhat, axis=0)
#     through_variance = xhat * np.mean(dxhat * xhat, axis=0)
#     dx = (dxhat - through_mean - through_variance) / root
#     return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
# ```
# </details>

# %% [markdown]
# **4. Layer norm (3 points).** The same over the features of each row. Mind where `gamma` belongs: it differs from feature to feature, and so does what the averages are of.


# %%
def layer_norm_forward(x, gamma, beta):
    centred = x - np.mean(x, axis=1, keepdims=True)
    root = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    xhat = centred / root
    return gamma * xhat + beta, (xhat, root, gamma)


def layer_norm_backward(dy, cache):
    xhat, root, gamma = cache
    dx = dgamma = dbeta = None
    # your code here
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


# %%
at = {"x": draw(size=(3, 4)), "gamma": draw(size=4), "beta": draw(size=4)}
sheet.grade(
    "4 layer_norm",
    3,
    check_gradients(layer_norm_forward, layer_norm_backward, at, name="layer_norm"),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def layer_norm_backward(dy, cache):
#     xhat, root, gamma = cache
#     dbeta = np.sum(dy, axis=0)
#     dgamma = np.sum(dy * xhat, axis=0)
#     dxhat = dy * gamma
#     row_mean = np.mean(dxhat, axis=1, keepdims=True)
#     along_xhat = np.mean(dxhat * xhat, axis=1, keepdims=True)
#     dx = (dxhat - row_mean - xhat * along_xhat) / root
#     return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
# ```
# </details>

# %%
print(sheet)
