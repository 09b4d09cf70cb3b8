"""Fresh entries that are right, in unusual styles."""

import numpy as np

from . import fresh_functions as f
from . import fresh_latent as lat
from . import fresh_layers as lay
from . import fresh_losses as los
from . import fresh_models as mod
from .fresh_corpus import draw, right, sigmoid


@right(lay.project, lay.PROJECT)
def project(g, memo):
    rows = g.reshape(-1, g.shape[-1])
    flat = memo["feats"].reshape(-1, memo["feats"].shape[-1])
    return [g @ memo["kernel"], sum(map(np.outer, rows, flat)), np.ones(len(rows)) @ rows]


@right(lay.project, lay.PROJECT, dtype="float32")
def project_single(g, memo):
    dk = np.tensordot(g, memo["feats"], axes=([0, 1], [0, 1]))
    return {"dkernel": dk, "dfeats": g @ memo["kernel"], "doffset": g.sum((0, 1))}


@right(lay.adapter, lay.ADAPTER)
def adapter(g, saved):
    acts, down, up, alpha, low = saved
    dlow = alpha * (g @ up.T)
    return g + dlow @ down.T, acts.T @ dlow, alpha * (g.T @ low).T


@right(lay.tied, draw(v=(3, 5), m=(5, 2)))
def tied(g, kept):
    v, m, code = kept
    dpre = (g @ m) * (1 - code) * (1 + code)
    return dpre @ m.T, (code.T @ g + dpre.T @ v).T


@right(lay.bilinear, draw(left=(4, 3), mid=(3, 3), right=(4, 3)))
def bilinear(g, args):
    left, mid, other = args
    return {
        "right": np.einsum("b,bi,ij->bj", g, left, mid),
        "left": np.einsum("b,ij,bj->bi", g, mid, other),
        "mid": np.einsum("b,bi,bj->ij", g, left, other),
    }


@right(lay.lookup, draw(table=(5, 3)))
def lookup(g, stash):
    ids, shape = stash
    return (np.eye(shape[0])[ids].T @ g,)


@right(lay.pool_time, draw(frames=(2, 7, 3)))
def pool_time(g, shape):
    return {"frames": np.stack([g / shape[1]] * shape[1], axis=1)}


@right(lay.scores, draw(q=(3, 5), k=(4, 5)))
def scores(g, held):
    q, k, scale = held
    return np.dot(scale * g, k), np.dot(scale * g.T, q)


@right(lay.layer_norm, lay.LN)
def layer_norm(g, c):
    unit, inv, gain = c
    d = unit.shape[-1]
    dn = g * gain
    dh = inv / d * (d * dn - dn.sum(-1, keepdims=True) - unit * (dn * unit).sum(-1, keepdims=True))
    return dh, np.einsum("abd,abd->d", g, unit), np.einsum("abd->d", g)


@right(lay.batch_norm_maps, lay.BN)
def batch_norm(g, c):
    hat, s, gamma, axes = c
    count = g.size / g.shape[1]
    dbeta, dgamma = g.sum(axes), (g * hat).sum(axes)
    back = g - (dbeta[:, None, None] + hat * dgamma[:, None, None]) / count
    return {"dmaps": back * gamma[:, None, None] / s, "dgamma": dgamma, "dbeta": dbeta}


@right(lay.rms_norm, draw(u=(4, 3), w=(3,)))
def rms_norm(g, c):
    u, w, r = c
    du = [
        gi * w / ri - ui * (gi * w @ ui) / (3 * ri**3) for gi, ui, ri in zip(g, u, r, strict=True)
    ]
    return np.array(du), (g * u / r).sum(0)


@right(lay.unit_length, draw(vec=(5, 4)))
def unit_length(g, c):
    vec, length = c
    unit = vec / length
    flat = np.eye(4) - unit[:, :, None] * unit[:, None, :]
    return (np.einsum("bij,bj->bi", flat, g) / length,)


def gate_out(acts, draws, keep):
    gate = (draws < keep) / keep
    return acts * gate, gate


@right(gate_out, draw({"keep": 0.6}, acts=(6, 5), draws=(6, 5)), wrt="acts")
def drop(g, gate):
    return {"acts": np.multiply(*np.broadcast_arrays(g, gate))}


@right(lay.conv, lay.CONV2)
def conv_strided(g, c):
    return lay.conv_back(g, c)


@right(lay.enlarge, draw(grid=(2, 3, 4)))
def enlarge(g, shape):
    return {"grid": g[:, ::2, ::2] + g[:, 1::2, ::2] + g[:, ::2, 1::2] + g[:, 1::2, 1::2]}


@right(f.swish, f.SWISH)
def swish(up, c):
    t, slope = c
    s, y = sigmoid(slope * t), t * sigmoid(slope * t)
    return up * (slope * y + s * (1 - slope * y))


@right(f.elu, f.X)
def elu(up, t):
    return up * np.exp(np.minimum(t, 0))


@right(f.leaky, draw({"leak": 0.15}, t=(4, 6)))
def leaky(up, c):
    t, leak = c
    out = up.copy()
    out[t < 0] *= leak
    return out


@right(f.soft, draw(t=(4, 3)))
def soft(up, p):
    jac = [np.diag(col) - np.outer(col, col) for col in p.T]
    return np.stack([j @ u for j, u in zip(jac, up.T, strict=True)], axis=1)


@right(f.distances, draw(a=(3, 2), b=(4, 2)))
def distances(up, d):
    return 2 * np.einsum("ij,ijk->ik", up, d), -2 * np.einsum("ij,ijk->jk", up, d)


@right(f.running_total, draw(s=(3, 5)))
def running_total(up, _):
    return {"s": up @ np.tri(5)}


@right(f.volume, draw(a=(4, 4)))
def volume(up, a):
    return up * np.linalg.solve(a, np.eye(4)).T


@right(los.bernoulli, los.pixels(scores=(4, 7)), wrt="scores")
def bernoulli(scores, target):
    return {"scores": -(target / (1 + np.exp(scores)) - (1 - target) * sigmoid(scores)) / 4}


@right(los.bernoulli_of_probabilities, los.pixels(raw=(3, 6)), wrt="raw")
def bernoulli_of_probabilities(kept):
    prob, target, tiny = kept
    slope = (1 - target) / (1 - prob + tiny) - target / (prob + tiny)
    return {"raw": slope * prob * (1 - prob) / 3}


@right(los.cross_entropy, los.classes)
def cross_entropy(votes, truth):
    d = los.posterior(votes)
    np.subtract.at(d, (np.arange(5), truth), 1.0)
    return np.divide(d, 5)


@right(los.normal_nll, los.NLL_ONE, wrt="centre log_width2")
def normal_nll_one_width(c):
    r, lw = c
    precision = float(np.exp(-lw[0])) / len(r)
    return -r * precision, np.array([0.5 * r.size / len(r) - 0.5 * precision * np.vdot(r, r)])


@right(los.fool, los.FOOL, wrt="gen")
def fool(c):
    latent, made, judge, verdict = c
    dv = -1 / (1 + np.exp(verdict)) / len(verdict)
    return {"gen": latent.T @ (dv[:, None] * judge * (1 - made**2))}


@right(lat.sample, lat.SAMPLE, wrt="centre lnvar")
def sample(gz, c):
    return gz.copy(), gz * np.ldexp(c["noise"], -1) * np.sqrt(np.exp(c["lnvar"]))


@right(lat.kl, lat.KL)
def kl(loc, lnvar):
    var = np.exp(lnvar)
    return {"dlnvar": (var - 1) / 10, "dloc": 0.2 * loc}


@right(lat.kl_to_prior, lat.PRIOR)
def kl_to_prior(c):
    gap, lv, prior_lv = c
    dm = gap / np.exp(prior_lv) / len(gap)
    dprior_lv = 0.5 * (1 - (np.exp(lv) + gap**2) / np.exp(prior_lv)).mean(0)
    return dm, 0.5 * np.expm1(lv - prior_lv) / len(gap), -dm.sum(0), dprior_lv


@right(lat.free_bits, lat.BITS)
def free_bits(c):
    loc, lnvar, over = c
    return np.where(over, loc, 0) / 3, np.where(over, np.exp(lnvar) - 1, 0) / 6


@right(lat.elbo, lat.ELBO, wrt="loc lnvar mix")
def elbo(c):
    (a, b), (k, l), dmix = lat.elbo_parts(c)
    beta = c[6]
    return {"mix": dmix, "lnvar": np.add(b, beta * l), "loc": np.add(a, beta * k)}


@right(lat.bound, lat.bound_at, wrt="loc lnvar mix")
def bound(c):
    return lat.bound_grads(c)


@right(lat.relax, lat.relax_at, wrt="scores")
def relax(dy, c):
    y, heat, _ = c
    return {"scores": (y * dy - y * np.einsum("...i,...i", y, dy)[..., None]) / heat}


@right(mod.mlp, mod.MLP)
def mlp(g, c):
    return mod.mlp_back(g, c)


@right(mod.vae, mod.vae_at, wrt=" ".join(mod.NAMES))
def vae(c):
    return mod.vae_back(c, "")


@right(mod.vae, mod.vae_at, wrt=" ".join(mod.NAMES), dtype="float32")
def vae_single(c):
    return dict(reversed(mod.vae_back(c, "").items()))
