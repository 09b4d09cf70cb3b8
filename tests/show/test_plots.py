"""Pictures: what is drawn where, in numbers; and PNG files that are not blank."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

import minivae
from minivae import VAE
from minivae.errors import OptionError, ShapeError
from minivae.show import plots
from minivae.show.canvas import LARGEST, grid

RNG = np.random.default_rng(0)

HISTORY = [
    {"epoch": 1, "beta": 0.5, "loss": 9.0, "nll": 8.0, "kl": 2.0, "val_loss": 9.5, "val_nll": 7.0},
    {"epoch": 2, "beta": 1.0, "loss": 7.0, "nll": 4.5, "kl": 2.5, "val_loss": 8.5, "val_nll": 6.0},
]


def drawn(ax):
    """The RGB array of an image in axes."""
    (image,) = ax.get_images()
    return np.asarray(image.get_array())


def test_grid_places_grey_examples_with_white_gaps():
    x = np.array([[0, 0.25, 0.5, 0.75], [1, 0.5, 0, 0]])
    canvas = grid(x, [(0, 0), (1, 1)], (2, 2), (0, 1), size=2, gap=1)
    assert canvas.shape == (5, 5, 3)
    expected = np.ones((5, 5))
    expected[:2, :2] = [[0, 0.25], [0.5, 0.75]]
    expected[3:, 3:] = [[1, 0.5], [0, 0]]
    for channel in range(3):
        np.testing.assert_array_equal(canvas[..., channel], expected)


def test_grid_widens_the_gap_between_groups_of_rows():
    x = np.zeros((4, 1))
    canvas = grid(x, [(i, 0) for i in range(4)], (1, 1), (0, 1), group=2, size=1, gap=3)
    assert np.flatnonzero(canvas[:, 0, 0] == 0).tolist() == [0, 4, 14, 18]


def test_grid_magnifies_small_examples_and_thins_large_ones():
    small = grid(np.array([[0.0, 1.0]]), [(0, 0)], (1, 2), (0, 1), size=6)
    np.testing.assert_array_equal(small[..., 0], np.repeat([[0, 0, 0, 1, 1, 1]], 3, axis=0))
    large = RNG.random((1, 20 * 30))
    thinned = grid(large, [(0, 0)], (20, 30), (0, 1), size=3)  # 30 > 4 x 3: every third pixel
    np.testing.assert_allclose(thinned[..., 1], large.reshape(20, 30)[::3, ::3], atol=1e-7)


def test_grid_scales_to_the_limits_and_clips_beyond():
    canvas = grid(np.array([[-3.0, -1.0, 0.0, 1.0, 9.0]]), [(0, 0)], (1, 5), (-1, 1), size=5)
    np.testing.assert_array_equal(canvas[0, :, 0], [0, 0, 0.5, 1, 1])


def test_grid_keeps_the_colours_of_rgb():
    x = np.array([[1, 0, 0.5, 0, 0.25, 1]])
    canvas = grid(x, [(0, 0)], (1, 2, 3), (0, 1), size=2)
    np.testing.assert_array_equal(canvas, [[[1, 0, 0.5], [0, 0.25, 1]]])


def test_examples_without_a_picture_are_refused(refuses):
    assert [plots.has_picture(s) for s in [(8, 8), (8, 8, 3), (8, 8, 2), (13,)]] == [1, 1, 0, 0]
    with refuses(ShapeError, "(13,)", "no picture"):
        plots.images(np.zeros((2, 13)), (13,))


@pytest.mark.parametrize("shape", [(0, 4), (3, 5)])
def test_rows_of_another_width_are_refused(refuses, shape):
    with refuses(ShapeError, str(shape), "4 values"):
        plots.images(np.zeros(shape), (2, 2))


def test_pictures_too_large_to_look_at_are_refused(refuses):
    with refuses(OptionError, str(LARGEST), "fewer"):
        plots.images(np.zeros((20_000, 4)), (2, 2))


def test_a_saved_picture_has_each_pixel_where_it_belongs(tmp_path):
    x = RNG.integers(0, 256, (6, 64)) / 255
    ax = plots.images(x, (8, 8), columns=3, title="Six")
    plots.save(ax, tmp_path / "six.png")
    saved = imread(tmp_path / "six.png")[..., :3]
    canvas = drawn(ax)
    height, width = canvas.shape[:2]
    assert (height, width) == (2 * 80 + 4, 3 * 80 + 2 * 4)
    bottom = len(saved) - 24
    inside = saved[bottom - height : bottom, 24 : 24 + width]
    np.testing.assert_allclose(inside, canvas, atol=1 / 255)
    assert saved[: bottom - height].min() < 0.5  # the title
    assert list(tmp_path.iterdir()) == [tmp_path / "six.png"]


def test_a_long_title_is_not_cut_off(tmp_path):
    plots.save(plots.images(np.zeros((1, 64)), (8, 8), title="W" * 40), tmp_path / "wide.png")
    saved = imread(tmp_path / "wide.png")[..., :3]
    assert saved.shape[1] > 40 * 15
    assert saved[:66, -12:].min() == 1  # a white margin to the right of the last letter
    assert saved[:66, -90:].min() < 0.5


def test_images_are_nearly_square_without_columns():
    ax = plots.images(np.zeros((10, 4)), (2, 2))
    assert drawn(ax).shape == (3 * 84 + 2 * 4, 4 * 84 + 3 * 4, 3)


def test_axes_that_are_given_are_drawn_into():
    mine = Figure().add_subplot()
    assert plots.images(np.zeros((2, 4)), (2, 2), title="Two", ax=mine) is mine
    assert mine.get_title(loc="left") == "Two"
    assert len(mine.get_images()) == 1
    assert not mine.axison


def test_reconstructions_lie_below_their_originals():
    originals, rebuilt = np.array([[0.0], [0.2], [0.4]]), np.array([[0.6], [0.8], [1.0]])
    ax = plots.reconstructions(originals, rebuilt, (1, 1), columns=2)
    canvas = drawn(ax)[..., 0]
    row = [42, 42 + 88, 42 + 2 * 88 + 8, 42 + 3 * 88 + 8]
    np.testing.assert_allclose(canvas[row, 42], [0, 0.6, 0.4, 1.0], atol=1e-7)
    np.testing.assert_allclose(canvas[row[:2], 42 + 88], [0.2, 0.8], atol=1e-7)


def test_reconstructions_need_one_for_each(refuses):
    with refuses(ShapeError, "(2, 4)", "(3, 4)"):
        plots.reconstructions(np.zeros((2, 4)), np.zeros((3, 4)), (2, 2))


def test_manifold_decodes_the_quantiles_of_the_prior():
    # A linear decoder that is the identity shows the latents themselves: pixel 0 is z1, 1 is z2.
    model = VAE(2, (), 2, likelihood="gaussian", rng=np.random.default_rng(0), dtype="float64")
    model.decoder[0].params["W"][...] = np.eye(2)
    model.decoder[0].params["b"][...] = 0
    canvas = drawn(plots.manifold(model, (1, 2), n=3, limits=(-2, 2)))[..., 0]
    q = NormalDist().inv_cdf(5 / 6)
    assert q == pytest.approx(0.9674, abs=1e-4)
    z1 = canvas[:: 42 + 1, :: 84 + 1] * 4 - 2
    z2 = canvas[:: 42 + 1, 83 :: 84 + 1] * 4 - 2
    np.testing.assert_allclose(z1, [[-q, 0, q]] * 3, atol=1e-6)
    np.testing.assert_allclose(z2, [[q] * 3, [0] * 3, [-q] * 3], atol=1e-6)


def test_manifold_needs_two_latent_dimensions(refuses):
    model = VAE(4, (), 3, rng=np.random.default_rng(0))
    with refuses(OptionError, "3 latent"):
        plots.manifold(model, (2, 2))


def test_latent_draws_each_class_in_its_colour_and_names_it_at_its_median():
    z = np.array([[0, 0], [0, 2], [0, 1], [9, 9], [8, 8]], float)
    ax = plots.latent(z, np.array([4, 4, 4, 1, 1]), ("a", "b", "c", "d", "e"), title="Codes")
    first, second = ax.collections
    np.testing.assert_array_equal(first.get_offsets(), z[3:])
    np.testing.assert_array_equal(second.get_offsets(), z[:3])
    assert (first.get_facecolor()[0, :3] != second.get_facecolor()[0, :3]).any()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["b", "e"]
    places = {text.get_text(): text.xy for text in ax.texts}
    np.testing.assert_allclose(places["b"], [8.5, 8.5])
    np.testing.assert_allclose(places["e"], [0, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")


def test_latent_holds_95_percent_of_the_prior_in_its_circle():
    (circle,) = plots.latent(np.zeros((1, 2))).patches
    z = np.random.default_rng(1).standard_normal((200_000, 2))
    inside = (np.hypot(*z.T) < circle.get_radius()).mean()
    assert inside == pytest.approx(0.95, abs=0.002)  # four standard errors
    assert not plots.latent(np.zeros((1, 2)), prior=False).patches


def test_latent_keeps_labels_of_classes_that_coincide_apart():
    z = np.random.default_rng(2).standard_normal((50, 2)) * 1e-3
    z = np.concatenate([z, [[5, 0], [-5, 0]]])
    ax = plots.latent(z, np.arange(52) % 5)
    places = np.array([text.xy for text in ax.texts])
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 9 * np.eye(5)
    assert distance.min() > 0.9 * 10 / 25


def test_latent_gives_the_eleventh_class_another_marker():
    ax = plots.latent(RNG.standard_normal((24, 2)), np.arange(24) % 12)
    first, eleventh = ax.collections[0], ax.collections[10]
    np.testing.assert_array_equal(first.get_facecolor(), eleventh.get_facecolor())
    assert len(first.get_paths()[0].vertices) != len(eleventh.get_paths()[0].vertices)
    assert len(ax.get_legend().get_texts()) == 12


def test_latent_without_classes_has_no_legend():
    ax = plots.latent(RNG.standard_normal((5, 2)))
    assert ax.get_legend() is None
    assert len(ax.collections[0].get_offsets()) == 5


def test_latent_draws_two_dimensions_only(refuses):
    with refuses(ShapeError, "(5, 3)"):
        plots.latent(np.zeros((5, 3)))


def test_curve_draws_training_and_validation():
    ax = plots.curve(HISTORY, "loss")
    training, validation = ax.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), [[1, 9], [2, 7]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 9.5], [2, 8.5]])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [r"training with $\beta$, last 7.00", "validation, last 8.50"]
    assert ax.get_ylabel() == "nats per example"


def test_curve_without_validation_has_one_line():
    (line,) = plots.curve(HISTORY, "kl").get_lines()
    assert line.get_label() == "training, last 2.50"


@pytest.mark.parametrize(("history", "term"), [([], "loss"), (HISTORY, "accuracy")])
def test_curve_refuses_what_there_is_not(refuses, history, term):
    with refuses(OptionError, term, "loss, nll, kl"):
        plots.curve(history, term)


def test_curves_keep_the_terms_apart(tmp_path):
    figure = plots.curves(HISTORY)
    assert [len(ax.get_lines()) for ax in figure.axes] == [2, 2, 1]
    assert len({ax.get_title(loc="left") for ax in figure.axes}) == 3
    plots.save(figure, tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").shape[:2] == (540, 1890)
    assert imread(tmp_path / "curves.png")[..., :3].std() > 0.05


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(b"old")

    class Broken(Figure):
        def savefig(self, file, **options):
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        plots.save(Broken(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_matplotlib_is_imported_late_and_pyplot_never():
    code = """
import sys, io, numpy as np
from minivae import plots
assert "matplotlib" not in sys.modules
plots.latent(np.eye(2), np.arange(2)).figure.savefig(io.BytesIO())
plots.images(np.eye(4), (2, 2), title="t").figure.savefig(io.BytesIO())
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    path = str(Path(minivae.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": path, "DISPLAY": "", "MPLBACKEND": ""}
    environment.pop("MPLBACKEND")
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB; as the eye without a defect.
EYES = {
    "usual": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@pytest.mark.parametrize("eye", EYES)
def test_classes_that_overlap_differ_to_every_eye(eye):
    def lab(colour):
        v = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
        xyz = XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / [0.9505, 1, 1.089]
        x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    seen = np.array([lab(colour) for colour in plots.CLASS_COLOURS])
    apart = np.linalg.norm(seen[:, None] - seen, axis=2) + 100 * np.eye(10)
    assert apart.min() > 15
    for digits, least in (((3, 5, 8), 55), ((4, 7, 9), 38), ((2, 3, 8), 25)):
        assert apart[np.ix_(digits, digits)].min() > least, digits


def test_all_colours_are_used_for_classes():
    assert sorted(plots.CLASS_COLOURS) == sorted(plots.COLOURS)
