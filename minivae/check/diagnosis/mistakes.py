"""The mistakes that the doctor knows by name; a diagnosis carries one of these keys."""

MISTAKES = {
    # whole-gradient mistakes
    "sign": "the sign is flipped",
    "factor": "a constant factor is missing or too much (2, 1/2, ...)",
    "batch": "the 1/B of the batch mean is missing, applied twice, or applied where it is not due",
    "dims": "a mean was taken for a sum, or a sum for a mean, over dimensions or samples",
    "zero": "nothing comes back: not propagated, masked or overwritten",
    "transpose": "a matrix is transposed, or a product was taken with the untransposed matrix",
    "permuted": "the right numbers in the wrong places: axes or rows are permuted",
    "swapped": "the gradient of another argument is returned here",
    "no_sum": "a sum over the batch, or over another broadcast axis, is missing",
    "mean_for_sum": "a mean over the batch stands where a sum belongs (bias, weights)",
    "no_upstream": "the upstream gradient was not multiplied in",
    "some_entries": "only some entries, rows or columns are wrong",
    # local derivatives
    "at_output": "the derivative was taken at the output instead of the input, or the reverse",
    "derivative_twice": "the local derivative (a sigmoid's, a softmax's) was multiplied in twice",
    "derivative_missing": "the local derivative is missing",
    "missing_term": "a term is missing (product rule, chain rule through a second path)",
    "extra_term": "a term is too much",
    "wrong_mask": "the mask comes from the wrong array",
    "wrong_axis": "a sum, softmax or normalisation runs over the wrong axis",
    "approximation": "the derivative belongs to another variant of the function (tanh GELU, eps)",
    # noise and variance
    "noise_redrawn": "the noise was drawn again for the backward pass",
    "noise_missing": "the noise is missing from the gradient",
    "noise_gradient": "the gradient was sent into the noise, or the noise was given one",
    "variance_for_std": "the variance stands where the standard deviation belongs, or the reverse",
    "sigma_head": "the head is treated as sigma or log sigma, but it is the log of the variance",
    # the VAE's sums
    "kl_missing": "the KL's part is missing",
    "kl_twice": "the KL's part is in twice",
    "minus_one": "the -1 is dropped from exp(logvar) - 1",
    "entropy_missing": "the entropy term of the importance-weighted bound is missing",
    "kl_reversed": "the two distributions of a KL are swapped",
    "beta": "beta is missing, or applied where it is not due",
    "overwritten_branch": "one branch overwrites another instead of being added",
    "weights": "the importance weights are wrong (uniform, of the wrong sign, or differentiated)",
    # structures
    "constant_stats": "mean or variance of a normalisation is treated as a constant",
    "overlap": "overlapping windows are overwritten instead of added",
    "logvar_clamp": "the gradient passes where the clamp is closed, or stops where it is open",
    "loss_constant": "a constant inside the loss (an eps in a log) is missing from the gradient",
}
"""Key -> description."""
