"""Pictures and films of walks: what lies where, and what moves."""

import io

import numpy as np
import pytest
from PIL import Image

from minivae.errors import ShapeError
from minivae.uses.explore.pictures import GAP, LETTER, LINE, film, plane, strips

RNG = np.random.default_rng(0)


def frames_of(content):
    """Frames, their durations and whether they start over, of a GIF."""
    with Image.open(io.BytesIO(content)) as gif:
        frames, durations = [], []
        for i in range(gif.n_frames):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
        return frames, durations, gif.info["loop"]


def test_strips_place_images_and_words():
    images = np.array([[[0.0], [0.2], [0.4]], [[0.6], [0.8], [1.0]]])
    ax = strips(images, (1, 1), rows=["a", "bcd"], columns=["x", "y", "z"], title="Walks")
    (drawn,) = ax.get_images()
    canvas, step = np.asarray(drawn.get_array())[..., 0], 84 + GAP
    left = 4 * LETTER
    assert canvas.shape == (LINE + step + 84, left + 2 * step + 84)
    assert canvas[:LINE].min() == canvas[:, :left].min() == 1
    centres = canvas[LINE + 42 :: step, left + 42 :: step]
    np.testing.assert_allclose(centres, images[..., 0], atol=1e-7)
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["bcd"] == (left - LETTER, LINE + step + 42)
    assert places["z"] == (left + 2 * step + 42, LINE - 7)
    assert ax.get_title(loc="left") == "Walks"


def test_words_stay_beside_their_rows_where_rows_are_grouped():
    ax = strips(np.zeros((4, 1, 1)), (1, 1), rows=list("abcd"), group=2)
    drawn = np.asarray(ax.get_images()[0].get_array())
    for text in ax.texts:
        assert (drawn[int(text.get_position()[1]) + np.arange(-41, 41), -1] == 0).all()


def test_mathematics_takes_no_more_room_than_it_shows():
    wide = strips(np.zeros((1, 1, 1)), (1, 1), rows=["$z_{12}$"]).get_images()[0]
    assert np.asarray(wide.get_array()).shape[1] == 84 + 4 * LETTER


@pytest.mark.parametrize(
    ("shape", "labels"),
    [((2, 3), {}), ((2, 3, 4), {"rows": ["a"]}), ((2, 3, 4), {"columns": ["a"]})],
)
def test_strips_refuse_what_does_not_fit(refuses, shape, labels):
    with refuses(ShapeError, "3" if labels != {"rows": ["a"]} else "2"):
        strips(np.zeros(shape), (2, 2), **labels)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3)])
def test_a_film_shows_every_moment(shape):
    T, N, D = 4, 3, int(np.prod(shape))
    moments = np.linspace(0, 1, T)[:, None, None] * np.ones((T, N, D))
    content = film(moments, shape, columns=2, seconds=0.05, size=20)
    frames, durations, loop = frames_of(content)
    assert (len(frames), durations, loop) == (T, [50] * T, 0)
    for frame, value in zip(frames, np.linspace(0, 255, T), strict=True):
        assert abs(frame[30, 30].astype(float) - value).max() <= 1
        inside = (abs(frame.astype(int) - round(value)).max(axis=2) <= 1).sum()
        assert inside >= 3 * 20 * 20  # all three images


def test_the_colours_of_a_film_are_those_of_the_images():
    colours = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 0]]], float)
    frames, _, _ = frames_of(film(colours, (1, 1, 3), columns=2, size=20))
    for frame, pair in zip(frames, colours, strict=True):
        for i, colour in enumerate(pair):
            np.testing.assert_allclose(frame[30, 30 + i * (20 + GAP)], 255 * colour, atol=4)


def test_names_and_captions_change_what_is_written():
    still = RNG.random((2, 2, 4))[[0, 0]]
    frames, _, _ = frames_of(film(still, (2, 2), columns=2, captions=[": 1", ": 2"], title="At"))
    assert (frames[0] != frames[1]).any()
    bare, named = (film(still, (2, 2), columns=2, names=n) for n in ([], ["a", "b"]))
    heights = [frames_of(content)[0][0].shape[0] for content in (bare, named)]
    assert heights[1] == heights[0] + LINE


@pytest.mark.parametrize("labels", [{"names": ["a"]}, {"captions": ["a"]}])
def test_a_film_refuses_labels_that_do_not_fit(refuses, labels):
    with refuses(ShapeError, "1 labels", "3" if "names" in labels else "2"):
        film(np.zeros((2, 3, 4)), (2, 2), columns=2, **labels)


def test_the_plane_says_how_much_it_shows():
    points = RNG.standard_normal((20, 2))
    ax = plane(points, np.array([0.5, 0.123]), np.arange(20) % 2, ("x", "y"), title="Plane")
    assert "50%" in ax.get_xlabel()
    assert "12%" in ax.get_ylabel()
    assert ax.get_title(loc="left") == "Plane"
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), points[1::2])
