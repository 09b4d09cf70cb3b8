"""The sprites: every combination once, no two alike, and where they are said to be."""

import numpy as np

from minivae import data
from minivae.data import sprites


def test_every_combination_is_there_once_and_no_two_pictures_are_alike():
    x, factors = sprites.pictures(), sprites.factors()
    assert x.shape == (6144, 16, 16)
    assert x.dtype == np.uint8
    assert len(np.unique(x.reshape(6144, -1), axis=0)) == 6144
    assert len(np.unique(factors, axis=0)) == 6144
    assert [*(factors.max(axis=0) + 1)] == list(sprites.FACTORS.values())
    s, b, a, i, j = factors[4321]
    assert (((s * 4 + b) * 8 + a) * 8 + i) * 8 + j == 4321


def test_a_step_of_the_place_moves_a_picture_by_a_pixel():
    x = sprites.pictures().reshape(3, 4, 8, 8, 8, 16, 16)
    np.testing.assert_array_equal(x[2, 1, 3, 4, 5, :, 1:], x[2, 1, 3, 3, 5, :, :-1])
    np.testing.assert_array_equal(x[2, 1, 3, 4, 5, 1:], x[2, 1, 3, 4, 4, :-1])


def test_a_larger_size_covers_more_and_a_turn_about_as_much():
    covered = sprites.pictures().reshape(3, 4, 8, 64, 256)[:, :, :, 27].sum(axis=-1) / 255.0
    assert (np.diff(covered, axis=1) > 1).all()
    assert (covered.max(axis=2) / covered.min(axis=2)).max() < 1.35


def test_it_is_loaded_by_its_name():
    held_out, whole = data.load("sprites"), data.load("sprites", hold_out=False)
    assert (len(held_out.pixels_train), len(held_out.pixels_test)) == (5530, 614)
    assert held_out.labels == ("bar", "wedge", "hook")
    np.testing.assert_array_equal(
        whole.x_train, sprites.pictures().reshape(6144, -1) / np.float32(255)
    )
    np.testing.assert_array_equal(whole.y_train, sprites.factors()[:, 0])
    (entry,) = [entry for entry in data.available() if entry.name == "sprites"]
    assert (entry.n_train, entry.n_test, entry.state) == (5530, 614, "drawn")
    assert data.fetch("sprites").exists()
