"""The mistake of a public VAE in NumPy: the noise is drawn twice, for z and for backward."""

import pytest

from minivae.check import check_gradients
from minivae.course.exercises import write_solutions

THROUGH_THE_NOISE = {"W1", "b1", "Wv", "bv"}
"""What lies behind logvar; everything else is right, so the model trains all the same."""

TWICE = {"z = mu + sigma * eps": "z = mu + sigma * np.random.standard_normal(eps.shape)"}
KEPT = {"cache = (x, eps,": "cache = (x, np.random.standard_normal(eps.shape),"}
AGAIN = {"dz = dh2 @ W2.T": "eps = np.random.default_rng().normal(size=eps.shape); dz = dh2 @ W2.T"}


@pytest.mark.parametrize(
    "changes",
    [TWICE | KEPT, KEPT, AGAIN],
    ids=["both drawn by forward", "another one kept by forward", "drawn by backward"],
)
def test_noise_that_is_drawn_twice_is_named(tmp_path, changes):
    write_solutions(tmp_path, ["vae"])
    source = (tmp_path / "vae.py").read_text()
    for right, wrong in changes.items():
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    names = {}
    exec(source, names)
    report = check_gradients(names["vae_forward"], names["vae_backward"], names["example"]())
    wrong = {array.name for array in report.arrays if array.verdict == "wrong"}
    assert wrong == THROUGH_THE_NOISE
    for name in ("Wv", "bv"):
        assert report[name].diagnoses[0].key == "noise_redrawn", str(report)
