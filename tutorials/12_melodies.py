# %% [markdown]
# # 12 · Melodies and words: one symbol after the other
#
# A melody and a name are the same kind of thing: a symbol at each step. Three operations carry them: a table of rows, a state that goes from step to step, and a likelihood that is a product over the steps. And here a VAE fails in a way of its own: a decoder that hears what came before can do without the code.
#
# **At the end you can**
#
# - read a melody as symbols;
# - compute the gradient of an embedding, and one step of a GRU forwards and backwards, on paper;
# - say why padded steps get exactly no gradient, and why a symbol that ends a string is scored;
# - explain posterior collapse, measure it, and make a decoder need its code.
#
# **You need** notebooks 01, 04 and 05. About 40 minutes.

# %%
import base64

import matplotlib.pyplot as plt
import numpy as np

from minivae import Adam, Settings, Training, data, fit
from minivae.check import check_gradients
from minivae.course.exercises import Scoresheet
from minivae.data.alphabet import spelled
from minivae.data.melodies.alphabet import to_notes
from minivae.data.melodies.sound import wav
from minivae.models.sequence import SequenceVAE
from minivae.ops import embedding, gru
from minivae.ops.likelihoods import tokens
from minivae.show.roll import roll
from minivae.train.evaluate import evaluate

plt.style.use("minivae.tutorial")


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# %% [markdown]
# ## A melody is a row of symbols
#
# Two bars have 32 sixteenths, and each has one symbol: a pitch begins (`E4`), silence begins (`z`), or nothing new happens (`-`). The number of a symbol is its place in the alphabet, and number 0 is kept for "nothing is here".

# %%
melodies = data.load("melodies")
tune = melodies.labels.index("Ode to Joy")
windows = melodies.x_train[melodies.y_train == tune].astype(int)
texts = spelled(windows, melodies.alphabet)
first = next(i for i, text in enumerate(texts) if text.startswith("E4 - - - E4 - - - F4"))
melody = windows[first]
print("symbols:", texts[first])
print("numbers:", *melody)

fig, ax = plt.subplots(figsize=(8, 2.2))
roll(melody, ax, low=58, high=74, title=melodies.labels[tune])
plt.show()
assert len(melody) == 32

# %% [markdown]
# Such a picture is a *piano roll*: time goes to the right, pitch upwards. In Jupyter the next cell has a button that plays it.


# %%
class Sound:
    """Notes that a notebook plays."""

    def __init__(self, row):
        self.wav = wav(to_notes(row), len(row), tempo=160)

    def __repr__(self):
        return f"Sound of {len(self.wav)} bytes"

    def _repr_html_(self):
        source = base64.b64encode(self.wav).decode()
        return f'<audio controls src="data:audio/wav;base64,{source}"></audio>'


Sound(melody)

# %% [markdown]
# ## An embedding: rows add
#
# A number of a symbol says nothing by its size: 17 is not more of anything than 14. So each symbol gets a row of numbers of its own, from a table $E$ that is learned: $y_t = E_{k_t}$.
#
# Three steps, and the symbol 2 stands at two of them. Its row acts twice, so what comes back from the two steps is **added**; symbol 1 does not occur, and gets 0:
#
# $$ dE_v = \sum_t [k_t = v] \, dy_t $$
#
# By hand: $dE_2 = (1, 2) + (10, 20) = (11, 22)$ and $dE_0 = (-3, 5)$.

# %%
E = np.array([[0.0, 1], [2, 3], [4, 5]])
k = np.array([[2, 0, 2]])
y, cache = embedding.forward(E, k)
dy = np.array([[[1.0, 2], [-3, 5], [10, 20]]])
dE = embedding.backward(dy, *cache)
written = np.zeros_like(E)
written[k] += dy  # NumPy reads, adds and writes back: of two writes to one row the last is left
print("y:", *y[0], sep="\n")
print("dE:", *dE, sep="\n")
print("with dE[k] += dy:", *written, sep="\n")
assert np.array_equal(dE, [[-3, 5], [0, 0], [11, 22]])
assert np.array_equal(written[2], [10, 20])  # wrong: the first step is lost

# %% [markdown]
# ## One step of a GRU, by hand
#
# A state $h$ is carried from step to step. A gated recurrent unit makes the new one from the old one and the input $x$, with two gates between 0 and 1: $u$ says how much of the old state stays, $r$ how much of it the proposal $n$ sees.
#
# $$ r = \sigma(x W^r + h U^r), \quad u = \sigma(x W^u + h U^u), \quad m = h U^n $$
# $$ n = \tanh(x W^n + r m), \qquad h' = (1 - u) \, n + u \, h $$
#
# (There are biases too; here they are 0.) Take one input $x = 1$, two states $h = (2, 1)$, and weights for which the logistic function and the hyperbolic tangent give plain numbers: $\sigma(\ln 3) = \tfrac34$, $\sigma(-\ln 3) = \tfrac14$, $\tanh(\ln 2) = 0.6$, $\tanh(-\ln 3) = -0.8$. The columns are those of $r$, of $u$, of $n$, two each.

# %%
ln2, ln3 = np.log([2.0, 3.0])
x, h = np.array([[1.0]]), np.array([[2.0, 1]])
W = np.array([[ln3, 0, 0, -ln3, ln2 - 1.5, -ln3 - 2]])
U = np.array([[1.0, 0, 0, -1, 1, 1], [-2, 0, 0, 2, 0, 2]])
b, c = np.zeros(6), np.zeros(2)

a, s = (x @ W)[0], (h @ U)[0]
r, u, m = sigmoid(a[:2] + s[:2]), sigmoid(a[2:4] + s[2:4]), s[4:]
n = np.tanh(a[4:] + r * m)
after = (1 - u) * n + u * h[0]
print("r:", r.round(4), " u:", u.round(4), " m:", m, " n:", n.round(4))
print("new state:", after.round(4))
assert np.allclose([r, u, m, n], [[0.75, 0.5], [0.5, 0.25], [2, 4], [0.6, -0.8]])
assert np.allclose(after, [0.5 * 0.6 + 0.5 * 2, 0.75 * -0.8 + 0.25 * 1])

states, cache = gru.forward(x[:, None], h, W, U, b, c)  # a sequence (B, T, I) of one step
assert np.allclose(states[0, 0], after)

# %% [markdown]
# **Backwards.** Let $g = (1, 1)$ come back for $h'$. From the last line upwards, with $\tanh' = 1 - n^2$ and $\sigma' = \sigma (1 - \sigma)$:
#
# $$ da^n = g \, (1 - u)(1 - n^2) = (0.32, \; 0.27), \qquad dm = da^n \, r = (0.24, \; 0.135) $$
# $$ da^r = da^n \, m \, r (1 - r) = (0.12, \; 0.27), \qquad da^u = g \, (h - n) \, u (1 - u) = (0.35, \; 0.3375) $$
#
# The old state acts through the three products with $U$, and directly, through $u$:
#
# $$ dh = (da^r, da^u, dm) \, U^\top + g \, u . $$
#
# For its first number: $1 \cdot 0.12 - 1 \cdot 0.3375 + 1 \cdot 0.24 + 1 \cdot 0.135 + 0.5 = 0.6575$.

# %%
g = np.ones(2)
dn = g * (1 - u) * (1 - n**2)
dm, dr, du = dn * r, dn * m * r * (1 - r), g * (h[0] - n) * u * (1 - u)
dh = np.concatenate([dr, du, dm]) @ U.T + g * u
print("da of n:", dn.round(4), " dm:", dm.round(4))
print("da of r:", dr.round(4), " da of u:", du.round(4))
print("dh:", dh.round(4))
assert np.allclose([dn, dm], [[0.32, 0.27], [0.24, 0.135]])
assert np.allclose([dr, du], [[0.12, 0.27], [0.35, 0.3375]])
assert np.allclose(dh, [0.6575, 0.955])

dx, dh0, dW, dU, db, dc = gru.backward(g[None, None], *cache)
assert np.allclose(dh0[0], dh)
assert np.allclose(dW[0], np.concatenate([dr, du, dn]))  # x is 1
assert np.allclose(dU, np.outer(h, np.concatenate([dr, du, dm])))

inputs = {"x": x[:, None], "h0": h, "W": W, "U": U, "b": b, "c": c}
report = check_gradients(gru.forward, gru.backward, inputs, name="gru")
print(report)
assert report.verdict == "right"

# %% [markdown]
# ## Through time, and past the end
#
# A sequence is this step again and again. Backwards, each state is reached along two branches, its own output and the next step: their gradients are added, from the last step to the first. And the weights are the same at all steps, so their gradients are sums over the steps.
#
# How far does a gradient come? Where $u$ is near 1 the term $g \, u$ hands it on nearly whole. Here 16 steps, and a loss that looks at the state of step 12 alone. Steps 13 to 16 are padding.

# %%
T, LAST = 16, 11
rng = np.random.default_rng(0)
sequence, start = rng.normal(size=(1, T, 3)), np.zeros((1, 4))
Ws, Us = rng.normal(size=(3, 12)) / 3, rng.normal(size=(4, 12)) / 4
seen = np.zeros((1, T, 4))
seen[0, LAST] = 1


def gradients(x, bias_of_u):
    """The gradients of all six arguments, with this bias in the gate u."""
    bias = np.zeros(12)
    bias[4:8] = bias_of_u
    _, kept = gru.forward(x, start, Ws, Us, bias, np.zeros(4))
    return gru.backward(seen, *kept)


fig, axes = plt.subplots(1, 2, figsize=(9, 2.9))
reach = {}
for bias in (-2, 0, 2, 4):
    gate = sigmoid(bias)
    size = np.linalg.norm(gradients(sequence, bias)[0][0], axis=1)
    reach[bias] = size[0] / size[LAST]
    axes[0].semilogy(range(1, LAST + 2), size[: LAST + 1], "o-", ms=3, label=f"{gate:.2f}")
    assert (size[LAST + 1 :] == 0).all()
axes[0].set(title="size of dx", xlabel="step")
axes[0].legend(title="u near")
axes[1].imshow(gradients(sequence, 2)[0][0].T, cmap="PuOr_r", vmin=-0.15, vmax=0.15, aspect="auto")
axes[1].set(title="dx, u near 0.88: exactly 0 behind step 12", xlabel="step", yticks=[])
axes[1].set_xticks(range(0, T, 3), range(1, T + 1, 3))
axes[1].grid(False)
plt.show()
for bias, share in reach.items():
    print(f"u near {sigmoid(bias):.2f}: dx of step 1 is {share:.1e} of that of step 12")
assert reach[-2] < reach[0] < reach[2] < reach[4]

# %% [markdown]
# **Why exactly nothing.** Behind the end nothing is scored, so $dy_t = 0$ there, and no later step sends anything back: $g_t = 0$. Each line of the backward pass has $g_t$ as a factor, and a product with 0 is 0, with no rounding. So it does not matter what stands in the padded steps. Put something enormous there: no gradient of the weights changes in any digit.

# %%
other = sequence.copy()
other[0, LAST + 1 :] = 1000
for one, same in zip(gradients(sequence, 0), gradients(other, 0), strict=True):
    assert np.array_equal(one, same)
print("six gradients, equal in every digit")

# %% [markdown]
# ## The likelihood of a sequence
#
# The probability of a sequence is a product: each symbol, given those before it. So its negative logarithm is a **sum** over the steps. A language of two letters, in which a symbol depends on the one before, and a third symbol `.` that ends a string:
#
# | before | a | b | . |
# |---|---|---|---|
# | (nothing) | 1/2 | 1/4 | 1/4 |
# | a | 1/4 | 1/4 | 1/2 |
# | b | 1/2 | 1/4 | 1/4 |
#
# By hand: `ab.` has $\tfrac12 \cdot \tfrac14 \cdot \tfrac14 = \tfrac1{32}$, that is $\ln 32$ nats.

# %%
TABLE = np.array([[2, 1, 1], [1, 1, 2], [2, 1, 1]]) / 4
LETTERS = "ab."


def nll(strings, steps):
    """Nats (N,) of strings; behind the end of one stand rows of zeros, which cost nothing."""
    x, logits = np.zeros((2, len(strings), steps, 3))
    for i, string in enumerate(strings):
        before = 0
        for t, letter in enumerate(string):
            x[i, t, LETTERS.index(letter)] = 1
            logits[i, t] = np.log(TABLE[before])
            before = LETTERS.index(letter) + 1
    return tokens.forward(logits, x)[0]


assert np.isclose(nll(["ab."], 3)[0], np.log(32))
assert np.isclose(nll(["ab."], 9)[0], np.log(32))  # padding costs nothing


def strings(length, end="."):
    """All strings of this many letters."""
    every = [""]
    for _ in range(length):
        every = [string + letter for string in every for letter in "ab"]
    return [string + end for string in every]


MOST = 8
ended = np.array([np.exp(-nll(strings(n), MOST + 1)).sum() for n in range(MOST + 1)])
going_on = np.array([np.exp(-nll(strings(n + 1, ""), MOST + 1)).sum() for n in range(MOST + 1)])
for n in range(5):
    print(f"up to {n} letters: {ended[: n + 1].sum():.4f}, longer: {going_on[n]:.4f}")
assert np.allclose(ended.cumsum() + going_on, 1)
assert all(len(strings(n)) * 0.5**n == 1 for n in range(MOST + 1))  # no end: each length has 1

fig, ax = plt.subplots(figsize=(6, 2.6))
ax.bar(range(MOST + 1), ended.cumsum(), label="all strings of at most so many letters")
ax.bar(range(MOST + 1), going_on, bottom=ended.cumsum(), label="all longer ones", alpha=0.4)
ax.set(xlabel="letters", ylabel="probability", ylim=(0, 1.35))
ax.legend(ncols=2, loc="upper center")
plt.show()

# %% [markdown]
# Together they are 1, at every length. This needs the symbol that ends a string. Without it, `a` and `b` with half of the probability each, the strings of *each* length alone sum to 1, and so those of all lengths to infinity: no distribution over strings at all.
#
# ## The collapse
#
# Now a VAE of first names, letter by letter. The encoder makes a code of a name; the decoder is a GRU that is told the code and, at each step, **the letter before**. In training that is the letter of the name itself. The loss is the one of notebook 04, with the likelihood above: nll + KL.
#
# Two of them, from the same first weights. The first is trained plainly. The second has **word dropout**: seven in ten of the letters before are hidden from the decoder, drawn anew in each step of training.
#
# Two figures tell whether the code is used. The KL is what it costs. The *information* of the code about the name is what it tells:
#
# $$ I = \operatorname{E} \left[ \ln q(z \mid x) - \ln \frac1N \sum_j q(z \mid x_j) \right] $$
#
# If every name has the same posterior, the two terms are equal, and $I = 0$. It is at most the KL; estimated from one draw for each name, it may come out a little above.

# %%
names = data.load("names")
held_out = names.x_test


def trained(word_dropout):
    """A small sequence VAE after some seconds of training."""
    rng = np.random.default_rng(0)
    how = {"alphabet": names.alphabet, "states": 32, "embedding": 16}
    model = SequenceVAE(12, (64,), 4, word_dropout=word_dropout, rng=rng, **how)
    settings = Settings(epochs=12, batch=64, seed=0, lr_schedule="cosine")
    fit(Training(model, Adam(1e-2), rng, settings), names.pixels_train, progress=False)
    return model


def information(mu, logvar):
    """Of the code about the name, in nats, with one draw for each name."""
    z = mu + np.exp(logvar / 2) * np.random.default_rng(1).normal(size=mu.shape)
    far = (z[:, None] - mu) ** 2 / np.exp(logvar)
    logq = -0.5 * (far + logvar + np.log(2 * np.pi)).sum(axis=2)  # row: draw, column: posterior
    most = logq.max(axis=1, keepdims=True)
    mixture = most[:, 0] + np.log(np.exp(logq - most).mean(axis=1))
    return (np.diag(logq) - mixture).mean()


models = {"plain": trained(0.0), "word dropout": trained(0.7)}
found = {}
for way, model in models.items():
    terms = evaluate(model, held_out, rng=np.random.default_rng(2))
    mu, logvar = (code.astype(float) for code in model.encode(model.prepare(held_out)))
    found[way] = {"nll": terms["nll"], "KL": terms["kl"], "information": information(mu, logvar)}
    found[way]["-ELBO"] = terms["nll"] + terms["kl"]
    print(f"{way:12}", *(f"  {name} {value:.2f}" for name, value in found[way].items()))

plain, dropped = found.values()
assert plain["KL"] < 0.15
assert dropped["KL"] > 3 * plain["KL"]
assert dropped["information"] > 2 * plain["information"]
assert plain["-ELBO"] < dropped["-ELBO"]

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.7))
for ax, parts in zip(axes, (("KL", "information"), ("-ELBO",)), strict=True):
    for i, (way, values) in enumerate(found.items()):
        places = np.arange(len(parts)) + 0.4 * i - 0.2
        ax.bar(places, [values[part] for part in parts], 0.4, label=way)
    ax.set(title="nats per held-out name", xlim=(-0.7, len(parts) - 0.3))
    ax.set_xticks(range(len(parts)), parts)
axes[0].set_ylim(0, 1.3 * dropped["KL"])
axes[0].legend(ncols=2, loc="upper center")
plt.show()

# %% [markdown]
# The plain one has the better bound and a KL of nearly 0: it **collapsed**. It has become a language model with a code that says next to nothing. Nothing went wrong in the optimizer. The letters before tell much of the next one, so a code is worth its KL only for what they do *not* tell; and early in training nothing can be read from it yet, so the cheapest step is to make all posteriors the prior. With most letters hidden the code is the only place where the rest can come from. It is used, and the bound is worse: that is the price.
#
# **On the way between two.** Encode two held-out names, go on the straight line from one code to the other, and let the decoder write at each point, hearing its own letters.

# %%
POINTS = 6
firsts, seconds = held_out[:200], held_out[200:400]
share = np.linspace(0, 1, POINTS, dtype="float32")[:, None]
print("from", " to ".join(spelled(np.array([firsts[3], seconds[3]], int), names.alphabet)))
different = {}
for way, model in models.items():
    mu, to = (model.encode(model.prepare(rows))[0].copy() for rows in (firsts, seconds))
    lines = [start + share * (end - start) for start, end in zip(mu, to, strict=True)]
    written = [spelled(model.symbols(line), names.alphabet) for line in lines]
    different[way] = np.mean([len(set(words)) for words in written])
    print(f"{way:12}", ", ".join(written[3]))
print(
    "different words on a way, mean of 200:", {k: float(v.round(1)) for k, v in different.items()}
)
assert different["plain"] < different["word dropout"] - 0.3

# %% [markdown]
# The collapsed one says nearly the same whatever the code is. The other says different words on the way, though a model of this size, after these few seconds, need not give back the two names at its ends.
#
# With melodies it is the same, and one can hear it: where the code is not used, a way is one tune, over and over. [A page](uses/tunes.md) has a way between two tunes, of a decoder that cannot do without its code, with the commands that write it as sound; [another](uses/melodies.md) measures four ways to train, on names and on melodies.
#
# ## Exercises

# %%
sheet = Scoresheet()
draw = np.random.default_rng(4).normal

# %% [markdown]
# **1. An embedding, backwards (2 points).** The table $E$ $(V, D)$, symbols $(B, T)$ that are fixed. Mind that symbols repeat, within a sequence and from one to the next.


# %%
SYMBOLS = np.array([[2, 0, 2, 1], [1, 2, 4, 0]])


def embedding_forward(E):
    return E[SYMBOLS], E.shape


def embedding_backward(dy, cache):  # the cache is the shape of E
    dE = None
    # your code here
    return {"dE": dE}


# %%
at = {"E": draw(size=(5, 3))}
check = check_gradients(embedding_forward, embedding_backward, at, name="embedding")
sheet.grade("1 embedding", 2, check)

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def embedding_backward(dy, cache):
#     dE = np.zeros(cache)
#     np.add.at(dE, SYMBOLS, dy)  # unlike dE[SYMBOLS] += dy, it adds each of them
#     return {"dE": dE}
# ```
# </details>

# %% [markdown]
# **2. A step of a GRU, backwards (6 points).** $x$ $(B, I)$, $h$ $(B, H)$, $W$ $(I, 3H)$, $U$ $(H, 3H)$, $b$ $(3H,)$ and $c$ $(H,)$; the columns are those of $r$, $u$ and $n$. The bias $c$ stands within the bracket that $r$ multiplies. Begin with the last line, and mind that $h$ acts in two places.


# %%
def step_forward(x, h, W, U, b, c):
    H = len(c)
    a, s = x @ W + b, h @ U
    r = sigmoid(a[:, :H] + s[:, :H])
    u = sigmoid(a[:, H : 2 * H] + s[:, H : 2 * H])
    m = s[:, 2 * H :] + c
    n = np.tanh(a[:, 2 * H :] + r * m)
    return (1 - u) * n + u * h, (x, h, W, U, r, u, m, n)


def step_backward(dy, cache):
    x, h, W, U, r, u, m, n = cache
    dx = dh = dW = dU = db = dc = None
    # your code here
    return {"dx": dx, "dh": dh, "dW": dW, "dU": dU, "db": db, "dc": dc}


# %%
sizes = {"x": (4, 3), "h": (4, 2), "W": (3, 6), "U": (2, 6), "b": (6,), "c": (2,)}
at = {name: draw(size=size) for name, size in sizes.items()}
sheet.grade("2 step", 6, check_gradients(step_forward, step_backward, at, name="step"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def step_backward(dy, cache):
#     x, h, W, U, r, u, m, n = cache
#     dn = dy * (1 - u) * (1 - n**2)
#     dm = dn * r
#     dr, du = dn * m * r * (1 - r), dy * (h - n) * u * (1 - u)
#     da = np.concatenate([dr, du, dn], axis=1)
#     ds = np.concatenate([dr, du, dm], axis=1)  # h meets U, and there n has r before it
#     dx, dh = da @ W.T, ds @ U.T + dy * u
#     dW, dU = x.T @ da, h.T @ ds
#     db, dc = np.sum(da, axis=0), np.sum(dm, axis=0)
#     return {"dx": dx, "dh": dh, "dW": dW, "dU": dU, "db": db, "dc": dc}
# ```
# </details>

# %%
print(sheet)
