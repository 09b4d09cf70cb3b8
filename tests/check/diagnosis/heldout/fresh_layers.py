"""Fresh entries: linear maps, normalisation, dropout, convolutions, pooling; all wrong."""

import numpy as np

from .fresh_corpus import draw, wrong

# --- a projection of every step of a sequence, weights stored as (out, in)


def project(feats, kernel, offset):
    return np.einsum("ntd,kd->ntk", feats, kernel) + offset, {"feats": feats, "kernel": kernel}


PROJECT = draw(feats=(2, 5, 3), kernel=(4, 3), offset=(4,))
SQUARE = draw(feats=(3, 2, 5), kernel=(5, 5), offset=(5,))


@wrong("transpose permuted", project, PROJECT)
def project_kernel_transposed(g, memo):
    return {
        "feats": g @ memo["kernel"],
        "kernel": np.einsum("ntk,ntd->dk", g, memo["feats"]),
        "offset": g.sum((0, 1)),
    }


@wrong("mean_for_sum dims factor", project, PROJECT)
def project_offset_mean(g, memo):
    dk = np.tensordot(g, memo["feats"], axes=([0, 1], [0, 1]))
    return g @ memo["kernel"], dk, g.mean(axis=(0, 1))


@wrong("no_sum", project, PROJECT)
def project_offset_sum_of_one_axis(g, memo):
    dk = np.tensordot(g, memo["feats"], axes=([0, 1], [0, 1]))
    return g @ memo["kernel"], dk, g.sum(axis=0)


@wrong("transpose", project, SQUARE)
def project_input_square(g, memo):
    dk = np.tensordot(g, memo["feats"], axes=([0, 1], [0, 1]))
    return g.dot(memo["kernel"].T), dk, g.sum((0, 1))


@wrong("no_upstream", project, PROJECT)
def project_offset_counts(g, memo):
    dk = np.tensordot(g, memo["feats"], axes=([0, 1], [0, 1]))
    return g @ memo["kernel"], dk, np.full(4, float(g.shape[0] * g.shape[1]))


# --- a low-rank adapter


def adapter(acts, down, up, alpha):
    low = acts @ down
    return acts + alpha * (low @ up), (acts, down, up, alpha, low)


ADAPTER = draw({"alpha": 0.37}, acts=(4, 6), down=(6, 2), up=(2, 6))


@wrong("factor", adapter, ADAPTER)
def adapter_down_without_alpha(g, saved):
    acts, down, up, alpha, low = saved
    dlow = g @ up.T
    return {
        "dacts": g + alpha * dlow @ down.T,
        "ddown": acts.T @ dlow,
        "dup": alpha * low.T @ g,
    }


@wrong("missing_term", adapter, ADAPTER)
def adapter_without_skip(g, saved):
    acts, down, up, alpha, low = saved
    dlow = alpha * (g @ up.T)
    return {"dacts": dlow @ down.T, "ddown": acts.T @ dlow, "dup": alpha * low.T @ g}


# --- tied weights: encode with m, decode with its transpose


def tied(v, m):
    code = np.tanh(v @ m)
    return code @ m.T, (v, m, code)


@wrong("missing_term overwritten_branch", tied, draw(v=(3, 5), m=(5, 2)))
def tied_last_use_only(g, kept):
    v, m, code = kept
    dm = g.T @ code
    dpre = (g @ m) * (1 - code**2)
    dm = v.T @ dpre
    return dpre @ m.T, dm


@wrong("derivative_missing", tied, draw(v=(3, 5), m=(5, 2)))
def tied_linear_code(g, kept):
    v, m, code = kept
    dpre = g @ m
    return dpre @ m.T, g.T @ code + v.T @ dpre


# --- a bilinear score per pair


def bilinear(left, mid, right):
    return np.sum((left @ mid) * right, axis=1), (left, mid, right)


@wrong("swapped", bilinear, draw(left=(4, 3), mid=(3, 3), right=(4, 3)))
def bilinear_ends_swapped(g, args):
    left, mid, right = args
    dleft = g[:, None] * (right @ mid.T)
    dright = g[:, None] * (left @ mid)
    return {"left": dright, "mid": left.T @ (g[:, None] * right), "right": dleft}


# --- lookup, pooling over time, scaled scores


def lookup(table):
    ids = np.array([2, 0, 2, 3, 2, 0])
    return table[ids], (ids, table.shape)


@wrong("overlap", lookup, draw(table=(5, 3)))
def lookup_duplicates_lost(g, stash):
    ids, shape = stash
    dtable = np.zeros(shape)
    dtable[ids] += g
    return (dtable,)


def pool_time(frames):
    return frames.mean(axis=1), frames.shape


@wrong("dims factor", pool_time, draw(frames=(2, 7, 3)))
def pool_time_undivided(g, shape):
    return {"frames": np.broadcast_to(g[:, None, :], shape).copy()}


def scores(q, k):
    scale = 1 / np.sqrt(q.shape[1])
    return scale * q @ k.T, (q, k, scale)


@wrong("factor", scores, draw(q=(3, 5), k=(4, 5)))
def scores_query_unscaled(g, held):
    q, k, scale = held
    return g @ k, scale * g.T @ q


# --- normalisation


def layer_norm(h, gain, shift):
    centred = h - h.mean(-1, keepdims=True)
    inv = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return gain * centred * inv + shift, (centred * inv, inv, gain)


LN = draw(h=(3, 2, 5), gain=(5,), shift=(5,))


def ln_inner(dn, unit, inv, axis=-1):
    mean_dn = dn.mean(axis, keepdims=True)
    return inv * (dn - mean_dn - unit * (dn * unit).mean(axis, keepdims=True))


@wrong("constant_stats", layer_norm, LN)
def layer_norm_frozen_spread(g, c):
    unit, inv, gain = c
    dn = g * gain
    dh = inv * (dn - dn.mean(-1, keepdims=True))
    return dh, (g * unit).sum((0, 1)), g.sum((0, 1))


@wrong("no_sum", layer_norm, LN)
def layer_norm_shift_per_row(g, c):
    unit, inv, gain = c
    return ln_inner(g * gain, unit, inv), (g * unit).sum((0, 1)), g


@wrong("wrong_axis", layer_norm, draw(h=(4, 4), gain=(4,), shift=(4,)))
def layer_norm_means_over_rows(g, c):
    unit, inv, gain = c
    return ln_inner(g * gain, unit, inv, axis=0), (g * unit).sum(0), g.sum(0)


@wrong("derivative_missing missing_term", layer_norm, LN)
def layer_norm_gain_left_out(g, c):
    unit, inv, _gain = c
    return ln_inner(g, unit, inv), (g * unit).sum((0, 1)), g.sum((0, 1))


def batch_norm_maps(maps, gamma, beta, eps):
    """Maps (N, C, H, W), statistics by channel."""
    axes = (0, 2, 3)
    m = maps.mean(axes, keepdims=True)
    s = np.sqrt(maps.var(axes, keepdims=True) + eps)
    hat = (maps - m) / s
    return gamma[:, None, None] * hat + beta[:, None, None], (hat, s, gamma, axes)


BN = draw({"eps": 1e-3}, maps=(3, 2, 2, 4), gamma=(2,), beta=(2,))


def bn_params(g, hat, axes):
    return {"dgamma": np.sum(g * hat, axes), "dbeta": np.sum(g, axes)}


@wrong("constant_stats", batch_norm_maps, BN)
def batch_norm_both_frozen(g, c):
    hat, s, gamma, axes = c
    return {"dmaps": g * gamma[None, :, None, None] / s, **bn_params(g, hat, axes)}


@wrong("constant_stats", batch_norm_maps, BN)
def batch_norm_frozen_mean(g, c):
    hat, s, gamma, axes = c
    dn = g * gamma[None, :, None, None]
    dmaps = (dn - hat * (dn * hat).mean(axes, keepdims=True)) / s
    return {"dmaps": dmaps, **bn_params(g, hat, axes)}


@wrong("mean_for_sum dims factor", batch_norm_maps, BN)
def batch_norm_gamma_mean(g, c):
    hat, s, gamma, axes = c
    dn = g * gamma[None, :, None, None]
    dmaps = (dn - dn.mean(axes, keepdims=True) - hat * (dn * hat).mean(axes, keepdims=True)) / s
    return {"dmaps": dmaps, "dgamma": np.mean(g * hat, axes), "dbeta": np.sum(g, axes)}


def rms_norm(u, w):
    r = np.sqrt(np.mean(np.square(u), axis=1, keepdims=True) + 1e-6)
    return u / r * w, (u, w, r)


@wrong("constant_stats missing_term", rms_norm, draw(u=(4, 3), w=(3,)))
def rms_norm_frozen(g, c):
    u, w, r = c
    return g * w / r, np.einsum("ij,ij->j", g, u / r)


def unit_length(vec):
    length = np.linalg.norm(vec, axis=-1, keepdims=True)
    return vec / length, (vec, length)


@wrong("constant_stats missing_term", unit_length, draw(vec=(5, 4)))
def unit_length_no_projection(g, c):
    return (g / c[1],)


# --- dropout

RNG = np.random.default_rng(77)


def drop(acts, keep):
    gate = (RNG.random(acts.shape) < keep) / keep
    return acts * gate, (gate, keep)


DROP = draw({"keep": 0.6}, acts=(6, 5))


@wrong("factor", drop, DROP)
def drop_unscaled(g, c):
    gate, _ = c
    return {"acts": np.where(gate > 0, g, 0)}


@wrong("noise_redrawn", drop, DROP)
def drop_new_gate(g, c):
    _, keep = c
    return {"acts": g * (RNG.random(g.shape) < keep) / keep}


@wrong("noise_missing derivative_missing wrong_mask", drop, DROP)
def drop_ungated(g, c):
    return {"acts": g}


# --- convolutions and pooling


def conv(img, filt, bias, stride):
    """img (N, H, W, C), filt (kh, kw, C, F), no padding."""
    n, height, width, _ = img.shape
    kh, kw, _, f = filt.shape
    oh, ow = (height - kh) // stride + 1, (width - kw) // stride + 1
    out = np.empty((n, oh, ow, f))
    for i in range(oh):
        for j in range(ow):
            patch = img[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, i, j] = np.tensordot(patch, filt, 3) + bias
    return out, (img, filt, stride)


CONV = draw({"stride": 1}, img=(2, 5, 4, 2), filt=(3, 2, 2, 3), bias=(3,))
CONV2 = draw({"stride": 2}, img=(2, 7, 5, 1), filt=(3, 3, 1, 2), bias=(2,))


def conv_back(g, c, write="add", flip=False, turn=False):
    img, filt, stride = c
    kh, kw = filt.shape[:2]
    dimg, dfilt = np.zeros_like(img), np.zeros_like(filt)
    used = filt[::-1, ::-1] if flip else filt
    for i in range(g.shape[1]):
        for j in range(g.shape[2]):
            where = np.s_[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            piece = np.einsum("nf,abcf->nabc", g[:, i, j], used)
            if write == "add":
                dimg[where] += piece
            else:
                dimg[where] = piece
            dfilt += np.einsum("nabc,nf->abcf", img[where], g[:, i, j])
    return dimg, dfilt[::-1, ::-1] if turn else dfilt, g.sum((0, 1, 2))


@wrong("overlap", conv, CONV)
def conv_assigned(g, c):
    return conv_back(g, c, write="set")


@wrong("overlap", conv, CONV2)
def conv_assigned_with_stride(g, c):
    return conv_back(g, c, write="set")


@wrong("permuted transpose", conv, CONV)
def conv_filter_turned(g, c):
    return conv_back(g, c, turn=True)


@wrong("permuted transpose", conv, CONV2)
def conv_image_from_turned_filter(g, c):
    return conv_back(g, c, flip=True)


@wrong("no_sum", conv, CONV)
def conv_bias_per_pixel(g, c):
    dimg, dfilt, _ = conv_back(g, c)
    return dimg, dfilt, g.sum(0)


def average_pool(grid):
    n, h, w = grid.shape
    return grid.reshape(n, h // 2, 2, w // 3, 3).mean((2, 4)), grid.shape


@wrong("factor dims", average_pool, draw(grid=(2, 4, 6)))
def average_pool_copies(g, shape):
    return {"grid": g.repeat(2, 1).repeat(3, 2)}


def enlarge(grid):
    return np.kron(grid, np.ones((1, 2, 2))), grid.shape


@wrong("mean_for_sum dims factor", enlarge, draw(grid=(2, 3, 4)))
def enlarge_mean(g, shape):
    n, h, w = shape
    return {"grid": g.reshape(n, h, 2, w, 2).mean((2, 4))}
