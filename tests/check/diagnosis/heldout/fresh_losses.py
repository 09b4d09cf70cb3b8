"""Fresh entries: reconstruction losses, classification losses, losses of adversaries; all wrong."""

import numpy as np

from .fresh_corpus import draw, sigmoid, wrong


def pixels(**shapes):
    """Make an `at`: `target` between 0 and 1, the others normal."""

    def at(rng):
        drawn = {name: 1.1 * rng.standard_normal(shape) for name, shape in shapes.items()}
        return drawn | {"target": rng.uniform(0.05, 0.95, next(iter(shapes.values())))}

    return at


def bernoulli(scores, target):
    """Mean over the batch of the sum over pixels."""
    per_pixel = np.logaddexp(0, scores) - target * scores
    return per_pixel.sum() / len(scores)


@wrong("sign", bernoulli, pixels(scores=(4, 7)), wrt="scores")
def bernoulli_reversed(scores, target):
    return {"scores": (target - sigmoid(scores)) / scores.shape[0]}


@wrong("derivative_twice", bernoulli, pixels(scores=(4, 7)), wrt="scores")
def bernoulli_double_sigmoid(scores, target):
    p = sigmoid(scores)
    return {"scores": (p - target) * p * (1 - p) / scores.shape[0]}


@wrong("dims", bernoulli, pixels(scores=(3, 5)), wrt="scores")
def bernoulli_mean_of_all(scores, target):
    return {"scores": (sigmoid(scores) - target) / scores.size}


@wrong("batch", bernoulli, pixels(scores=(5, 4)), wrt="scores")
def bernoulli_batch_left_out(scores, target):
    return {"scores": sigmoid(scores) - target}


def bernoulli_of_probabilities(raw, target):
    prob = sigmoid(raw)
    tiny = 0.01
    nll = -(target * np.log(prob + tiny) + (1 - target) * np.log(1 - prob + tiny))
    return nll.sum(axis=1).mean(), (prob, target, tiny)


@wrong("loss_constant approximation", bernoulli_of_probabilities, pixels(raw=(3, 6)), wrt="raw")
def bernoulli_tiny_forgotten(kept):
    prob, target, _ = kept
    return {"raw": (prob - target) / prob.shape[0]}


@wrong("derivative_missing", bernoulli_of_probabilities, pixels(raw=(3, 6)), wrt="raw")
def bernoulli_stops_at_probability(kept):
    prob, target, tiny = kept
    slope = (1 - target) / (1 - prob + tiny) - target / (prob + tiny)
    return {"raw": slope / len(prob)}


def classes(rng):
    return {"votes": rng.standard_normal((5, 3)), "truth": np.array([0, 2, 1, 1, 0])}


def cross_entropy(votes, truth):
    top = votes.max(axis=1, keepdims=True)
    norm = top[:, 0] + np.log(np.exp(votes - top).sum(axis=1))
    return np.mean(norm - votes[np.arange(len(truth)), truth])


def posterior(votes, axis=1):
    e = np.exp(votes)
    return e / e.sum(axis=axis, keepdims=True)


@wrong("dims factor", cross_entropy, classes)
def cross_entropy_divided_by_classes(votes, truth):
    d = posterior(votes) - np.eye(3)[truth]
    return d / d.size


@wrong("wrong_axis", cross_entropy, classes)
def cross_entropy_over_examples(votes, truth):
    return (posterior(votes, axis=0) - np.eye(3)[truth]) / len(truth)


@wrong("derivative_twice", cross_entropy, classes)
def cross_entropy_jacobian_again(votes, truth):
    p = posterior(votes)
    d = (p - np.eye(3)[truth]) / len(truth)
    return p * (d - (p * d).sum(axis=1, keepdims=True))


@wrong("missing_term", cross_entropy, classes)
def cross_entropy_no_onehot(votes, truth):
    return posterior(votes) / len(truth)


@wrong("batch", cross_entropy, classes)
def cross_entropy_batch_twice(votes, truth):
    d = posterior(votes)
    d[range(len(truth)), truth] -= 1
    return d / len(truth) / len(truth)


def normal_nll(centre, log_width2, obs):
    r = obs - centre
    terms = log_width2 + r * r / np.exp(log_width2) + np.log(2 * np.pi)
    return 0.5 * terms.sum() / len(obs), (r, log_width2)


NLL = draw(centre=(4, 5), log_width2=(4, 5), obs=(4, 5))
NLL_ONE = draw(centre=(4, 5), log_width2=(1,), obs=(4, 5))


@wrong("factor", normal_nll, NLL, wrt="centre log_width2")
def normal_nll_width_undivided(c):
    r, lw = c
    n = len(r)
    return -r * np.exp(-lw) / n, (1 - r**2 * np.exp(-lw)) / n


@wrong("missing_term", normal_nll, NLL, wrt="centre log_width2")
def normal_nll_width_without_log(c):
    r, lw = c
    return -r * np.exp(-lw) / len(r), -0.5 * r**2 * np.exp(-lw) / len(r)


@wrong("variance_for_std", normal_nll, NLL, wrt="centre log_width2")
def normal_nll_centre_over_std(c):
    r, lw = c
    return -r * np.exp(-0.5 * lw) / len(r), 0.5 * (1 - r**2 * np.exp(-lw)) / len(r)


@wrong("no_sum", normal_nll, NLL_ONE, wrt="centre log_width2")
def normal_nll_one_width_not_summed(c):
    r, lw = c
    return -r * np.exp(-lw) / len(r), 0.5 * (1 - r**2 * np.exp(-lw)) / len(r)


@wrong("sign", normal_nll, NLL, wrt="centre log_width2", dtype="float32")
def normal_nll_centre_sign(c):
    r, lw = c
    return r * np.exp(-lw) / len(r), 0.5 * (1 - r**2 * np.exp(-lw)) / len(r)


@wrong("factor", at=draw(guess=(3, 4), obs=(3, 4)), wrt="guess")
def half_square_taken_whole(guess, obs):
    diff = guess - obs
    return np.square(diff).mean(), {"guess": diff / diff.size}


def poisson(log_rate, counts):
    return (np.exp(log_rate) - counts * log_rate).sum(-1).mean(), (log_rate, counts)


@wrong("batch", poisson, draw({"counts": np.full((3, 5), 2)}, log_rate=(3, 5)))
def poisson_summed(saved):
    return {"log_rate": np.exp(saved[0]) - saved[1]}


def continuous_bernoulli(scores, target):
    log_norm = np.log(np.expm1(scores) / scores)
    return (log_norm - target * scores).sum() / len(scores)


@wrong("missing_term approximation", continuous_bernoulli, pixels(scores=(3, 4)), wrt="scores")
def continuous_bernoulli_plain(scores, target):
    return {"scores": (sigmoid(scores) - target) / len(scores)}


# --- adversaries: one number per example from the critic's weights


def discriminate(true, made, judge):
    """Softplus form of the discriminator's loss."""
    on_true, on_made = true @ judge, made @ judge
    return np.logaddexp(0, -on_true).mean() + np.logaddexp(0, on_made).mean(), {
        "t": on_true,
        "m": on_made,
        "in": (true, made),
    }


JUDGE = draw(true=(4, 3), made=(5, 3), judge=(3,))


@wrong("sign missing_term", discriminate, JUDGE, wrt="judge")
def discriminate_made_pushed_up(c):
    true, made = c["in"]
    return true.T @ (sigmoid(c["t"]) - 1) / len(true) - made.T @ sigmoid(c["m"]) / len(made)


@wrong("overwritten_branch missing_term", discriminate, JUDGE, wrt="judge")
def discriminate_last_batch_only(c):
    true, made = c["in"]
    djudge = true.T @ (sigmoid(c["t"]) - 1) / len(true)
    djudge = made.T @ sigmoid(c["m"]) / len(made)
    return djudge


@wrong("batch dims", discriminate, JUDGE, wrt="judge")
def discriminate_sums(c):
    true, made = c["in"]
    return true.T @ (sigmoid(c["t"]) - 1) / len(true) + made.T @ sigmoid(c["m"])


def fool(latent, gen, judge):
    """The generator's loss that does not saturate."""
    made = np.tanh(latent @ gen)
    verdict = made @ judge
    return np.logaddexp(0, -verdict).mean(), (latent, made, judge, verdict)


FOOL = draw(latent=(4, 2), gen=(2, 3), judge=(3,))


@wrong("approximation missing_term minus_one", fool, FOOL, wrt="gen")
def fool_saturating(c):
    latent, made, judge, verdict = c
    dv = -sigmoid(verdict) / len(verdict)
    return {"gen": latent.T @ (np.outer(dv, judge) * (1 - made**2))}


@wrong("derivative_missing", fool, FOOL, wrt="gen")
def fool_without_tanh(c):
    latent, _made, judge, verdict = c
    dv = (sigmoid(verdict) - 1) / len(verdict)
    return {"gen": latent.T @ np.outer(dv, judge)}


def critic(true, made, judge):
    return (made @ judge).mean() - (true @ judge).mean(), (true, made)


@wrong("batch dims mean_for_sum", critic, JUDGE, wrt="judge")
def critic_sums(c):
    true, made = c
    return made.sum(0) - true.sum(0)
