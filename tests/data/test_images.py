"""Pictures and folders of pictures, written by matplotlib and Pillow for the purpose."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minivae.data import load, load_image
from minivae.errors import DataError


def save(path, pixels, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **how)
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


def picture(mode, seen):
    """A picture of one value, in which one pixel is clear if `seen`; and how to save it."""
    values = np.full((4, 5), 20, np.uint8)
    values[1, 1] = 9 if seen else 20
    if mode in ("LA", "RGBA"):
        alpha = np.where(values == 20, 255, 254).astype(np.uint8)
        parts = [values] * (len(mode) - 1) + [alpha]
        return Image.merge(mode, [Image.fromarray(part) for part in parts]), {}
    if mode == "RGB":
        return Image.fromarray(np.dstack([values] * 3)), {"transparency": (9, 9, 9)}
    image = Image.fromarray(values.astype(np.uint16) if mode == "I;16" else values)
    if mode == "P":
        image.putpalette([value for i in range(256) for value in (i, 0, 0)])
    return image, {"transparency": 9}


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "LA", "RGBA", "I;16"])
def test_whatever_says_that_a_pixel_is_clear_is_seen(tmp_path, mode):
    """An alpha that is full everywhere, and a clear colour that no pixel has, do no harm."""
    image, how = picture(mode, seen=True)
    with pytest.raises(DataError, match="is partly transparent"):
        load_image(save(tmp_path / "clear.png", image, **how))
    image, how = picture(mode, seen=False)
    loaded = load_image(save(tmp_path / "opaque.png", image, **how))
    assert loaded.shape == ((4, 5) if mode in ("L", "LA", "I;16") else (4, 5, 3))
    top = 65535 if mode == "I;16" else 255
    np.testing.assert_allclose(loaded.reshape(4, 5, -1)[..., 0], 20 / top, rtol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("clear", [0, 1])
def test_a_clear_grey_of_few_bits_is_meant_in_those_bits(tmp_path, bits, clear):
    content = few_bits([1] * 8, bits, b"\0" + bytes([clear]))
    (tmp_path / "grey.png").write_bytes(content)
    if clear == 1:
        with pytest.raises(DataError, match="is partly transparent"):
            load_image(tmp_path / "grey.png")
    else:
        np.testing.assert_allclose(load_image(tmp_path / "grey.png"), 1 / (2**bits - 1), atol=1e-6)


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
    with pytest.raises(DataError, match="holds no pictures"):
        load(tmp_path)


def test_pictures_beside_classes_are_refused(tmp_path):
    save(tmp_path / "a.png", grey(0))
    save(tmp_path / "one" / "a.png", grey(0))
    with pytest.raises(DataError, match=r"pictures and subfolders of pictures \(one\)"):
        load(tmp_path)


def few_bits(row, bits, clear=b""):
    """Bytes of a grey PNG of one row, with a clear grey if there is one."""
    packed = "".join(f"{value:0{bits}b}" for value in row)
    packed = packed.ljust(-(-len(packed) // 8) * 8, "0")
    scan = b"\0" + bytes(int(packed[i : i + 8], 2) for i in range(0, len(packed), 8))

    def chunk(kind, content):
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    header = struct.pack(">IIBBBBB", len(row), 1, bits, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    content += chunk(b"tRNS", clear) if clear else b""
    return content + chunk(b"IDAT", zlib.compress(scan)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_is_between_zero_and_one_whatever_the_bit_depth(tmp_path, bits):
    top = 2**bits - 1
    row = [0, top // 2 if bits > 1 else 0, top]
    (tmp_path / "grey.png").write_bytes(few_bits(row, bits))
    image = load_image(tmp_path / "grey.png")
    np.testing.assert_allclose(image, [np.array(row) / top], atol=1e-6)


@pytest.mark.parametrize("kind", ["jpg", "JPEG", "bmp", "webp", "tif", "gif", "ppm"])
def test_other_kinds_are_read_in_a_folder(tmp_path, kind):
    if kind == "webp":
        features = pytest.importorskip("PIL.features")
        if not features.check("webp"):
            pytest.skip("Pillow is built without WebP")
    for i in range(3):
        pixels = np.full((16, 16, 3), (200, 100, 50 * i), np.uint8)
        save(tmp_path / f"{i}.{kind}", pixels)
    data = load(tmp_path)
    assert data.shape == (16, 16, 3)
    assert data.notes == ()
    found = data.x_train.reshape(3, 256, 3).mean(axis=1) * 255
    np.testing.assert_allclose(found, [(200, 100, 50 * i) for i in range(3)], atol=5)


def test_a_grey_jpeg_is_grey(tmp_path):
    assert load_image(save(tmp_path / "a.jpg", grey(100, (8, 8)))).shape == (8, 8)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_picture_stands_as_its_exif_entry_says(tmp_path, kind):
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right by a quarter
    image = load_image(save(tmp_path / f"a.{kind}", pixels, exif=exif))
    assert image.shape == (24, 8)
    assert image[:8].max() < 0.1
    assert image[18:].min() > 0.9


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_a_film_is_refused(tmp_path, pixels, kind):
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"holds 2 pictures, expected one"):
        load_image(tmp_path / f"a.{kind}")


def test_grey_palettes_are_grey_and_colours_among_colours(tmp_path):
    first = Image.fromarray(grey(100))
    save(tmp_path / "grey" / "0.png", first.convert("P"))
    save(tmp_path / "grey" / "1.png", first)
    assert load(tmp_path / "grey").shape == (2, 3)
    coloured = Image.fromarray(np.full((2, 3, 3), (255, 0, 0), np.uint8))
    for names in ("01", "10"):
        folder = tmp_path / names
        save(folder / f"{names[0]}.png", first.convert("P"))
        save(folder / f"{names[1]}.png", coloured.convert("P"))
        assert load(folder).shape == (2, 3, 3)


@pytest.mark.parametrize("lossless", [True, False])
def test_a_grey_webp_is_grey_though_it_has_three_channels(tmp_path, lossless):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    image = load_image(save(tmp_path / "a.webp", ramp, lossless=lossless))
    assert image.shape == ramp.shape
    np.testing.assert_allclose(image, ramp / 255, atol=0 if lossless else 0.05)
    save(tmp_path / "a.png", ramp)
    assert load(tmp_path).shape == ramp.shape


def test_files_of_other_kinds_are_counted_where_there_is_nothing_else(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no pictures \(.*3 of other kinds \(3 .heic\)\)"):
        load(tmp_path)


def test_one_picture_is_no_data(tmp_path, pixels):
    with pytest.raises(DataError, match=r"is one picture; give a folder"):
        load(save(tmp_path / "a.png", pixels))


def test_what_systems_leave_is_nobodys_class(tmp_path):
    for name in ("cat", "dog"):
        for i in range(2):
            save(tmp_path / name / f"{i}.png", grey(i))
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        save(tmp_path / name / "0.png", grey(9, (7, 7)))
    save(tmp_path / "cat" / "._0.png", grey(9, (7, 7)))
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "dog" / "notes.txt").write_text("x")
    (tmp_path / "labels.csv").write_text("x")
    save(tmp_path / "dog" / "puppies" / "0.png", grey(1))
    (tmp_path / "bird").mkdir()
    data = load(tmp_path)
    assert data.labels == ("cat", "dog")
    assert len(data.x_train) == 4
    (note,) = data.notes
    assert "5 hidden or left by the system, 2 of other kinds (1" in note
    assert "folders without pictures, or below a class, passed over: 2" in note


def test_a_flat_folder_with_checkpoints_is_flat(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", grey(i))
    save(tmp_path / ".ipynb_checkpoints" / "0-checkpoint.png", grey(0))
    data = load(tmp_path)
    assert (data.labels, len(data.x_train)) == (None, 3)
    assert "1 hidden" in data.notes[0]


def test_pictures_two_folders_down_are_pointed_at(tmp_path):
    save(tmp_path / "train" / "cat" / "0.png", grey(0))
    with pytest.raises(DataError, match=r"holds no pictures.*; give .*train, whose subfolders"):
        load(tmp_path)
