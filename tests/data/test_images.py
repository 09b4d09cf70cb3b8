"""Pictures and folders of pictures, written by matplotlib and Pillow for the purpose."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minivae.data import load, load_image
from minivae.errors import DataError


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def grey(value, shape=(2, 3)):
    return np.full(shape, value, np.uint8)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["grey", "rgb", "opaque", "bits16"])
def test_png_pixels_become_unit_floats(tmp_path, pixels, kind):
    if kind == "grey":
        stored, expected = pixels[..., 0], pixels[..., 0] / 255
    elif kind == "rgb":
        stored, expected = pixels, pixels / 255
    elif kind == "opaque":
        stored = np.dstack([pixels, np.full((4, 5), 255, np.uint8)])
        expected = pixels / 255
    else:
        stored = pixels[..., 0].astype(np.uint16) * 257
        expected = stored / 65535
    image = load_image(str(save(tmp_path / "a.png", stored)))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, rtol=2e-7)


def test_another_kind_that_the_reader_knows(tmp_path, pixels):
    image = load_image(save(tmp_path / "a.bmp", pixels))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, pixels / 255, rtol=1e-7)


def test_transparency_is_refused(tmp_path, pixels):
    path = save(tmp_path / "a.png", np.dstack([pixels, pixels[..., :1]]))
    with pytest.raises(DataError, match=r"a\.png is partly transparent, expected grey or RGB"):
        load_image(path)


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "header"])
def test_what_is_no_picture_is_named(tmp_path, pixels, damage):
    path = save(tmp_path / "a.png", pixels)
    whole = path.read_bytes()
    path.write_bytes({"text": b"hello", "cut": whole[:60], "header": whole[:12]}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    with pytest.raises(DataError, match=r"a\.png cannot be read as a picture \(.+\), expected"):
        load_image(path)


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for i in range(10):
        save(tmp_path / f"{9 - i:02}.PNG", grey(25 * i))
    save(tmp_path / ".hidden.png", grey(1, (9, 9)))
    (tmp_path / "notes.txt").write_text("no picture")
    data = load(tmp_path)
    assert (data.name, data.shape, data.y_train) == (tmp_path.name, (2, 3), None)
    held_out = data.x_test[0, 0] * 255
    greys = [value for value in range(225, -1, -25) if abs(value - held_out) > 1]
    np.testing.assert_allclose(data.x_train[:, 0] * 255, greys, rtol=1e-6)


def test_colour_pictures_keep_their_channels_last(tmp_path, pixels):
    save(tmp_path / "a.png", pixels)
    data = load(tmp_path)
    assert data.shape == (4, 5, 3)
    np.testing.assert_allclose(data.x_train[0].reshape(4, 5, 3), pixels / 255, rtol=1e-7)


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["dog", "cat", "ant"], ("ant", "cat", "dog")), (["10", "9", "2"], ("2", "9", "10"))],
)
def test_subfolders_are_classes(tmp_path, names, expected):
    for value, name in enumerate(names):
        for i in range(value + 1):
            save(tmp_path / name / f"{i}.png", grey(value))
    (tmp_path / "empty").mkdir()
    data = load(tmp_path)
    assert data.labels == expected
    values = [names.index(data.labels[k]) for k in data.y_train]
    np.testing.assert_allclose(data.x_train[:, 0] * 255, values, rtol=1e-6)
    assert np.bincount(data.y_train).tolist() == [names.index(name) + 1 for name in expected]


@pytest.mark.parametrize(
    ("other", "size"),
    [(grey(0, (3, 2)), "3x2 grey"), (np.zeros((2, 3, 3), np.uint8), "2x3 RGB")],
)
def test_unequal_pictures_are_both_named(tmp_path, other, size):
    first = save(tmp_path / "a.png", grey(0))
    save(tmp_path / "b.png", grey(0))
    odd = save(tmp_path / "c.png", other)
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"{first} is 2x3 grey and {odd} is {size}, expected")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no PNG files"):
        load(tmp_path)


def test_pictures_beside_classes_are_refused(tmp_path):
    save(tmp_path / "a.png", grey(0))
    save(tmp_path / "one" / "a.png", grey(0))
    with pytest.raises(DataError, match=r"PNG files and subfolders of PNG files \(one\)"):
        load(tmp_path)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_is_between_zero_and_one_whatever_the_bit_depth(tmp_path, bits):
    top = 2**bits - 1
    row = np.array([0, top // 2 if bits > 1 else 0, top], np.uint32)
    packed = "".join(f"{value:0{bits}b}" for value in row)
    packed = packed.ljust(-(-len(packed) // 8) * 8, "0")
    scan = b"\0" + bytes(int(packed[i : i + 8], 2) for i in range(0, len(packed), 8))

    def chunk(kind, content):
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    header = struct.pack(">IIBBBBB", 3, 1, bits, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    content += chunk(b"IDAT", zlib.compress(scan)) + chunk(b"IEND", b"")
    (tmp_path / "grey.png").write_bytes(content)
    image = load_image(tmp_path / "grey.png")
    np.testing.assert_allclose(image, [row / top], atol=1e-6)
