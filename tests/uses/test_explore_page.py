"""The page in a real browser: its pixels are the library's, and nothing leaves it."""

import io

import numpy as np
import pytest
from PIL import Image

from minivae import VAE, Autoencoder, ConditionalVAE, data
from minivae.engine.backend import erf
from minivae.engine.layer import Sequential
from minivae.errors import OptionError, ShapeError
from minivae.ops import ACTIVATIONS, LIKELIHOODS, Bernoulli, Clamp, Dropout, Linear
from minivae.show.plots import CLASS_COLOURS
from minivae.train.runs import Run
from minivae.uses.explore.page import page_html, write_page

TOLERANCE = 1e-5
"""Of pixels and latents, between the page and the library."""

DIGITS = data.load("digits8")


def model(kind=VAE, pixels=64, hidden=(9, 7), latent=2, seed=1, **options):
    """A model whose random weights are large enough that all of its parts matter."""
    made = kind(pixels, hidden, latent, rng=np.random.default_rng(seed), **options)
    noise = np.random.default_rng(seed + 1).standard_normal(made.params.theta.size)
    made.params.theta[...] = 0.4 * noise
    return made


def page(folder, made, *, shape=(8, 8), name="digits", x=None, y=DIGITS.y_test, **options):
    path = folder / "page.html"
    x = DIGITS.x_test if x is None else x
    path.write_text(page_html(made, shape, x, y, labels=DIGITS.labels, name=name, **options))
    return path


def test_classes_have_the_colours_that_they_have_in_pictures(tmp_path):
    text = page(tmp_path, model()).read_text()
    for k, colour in enumerate(CLASS_COLOURS):
        assert f'{{"name": "{k}", "colour": "{colour}"}}' in text


@pytest.fixture
def opened(visit, tmp_path):
    """`opened(model)`: its page, when it is ready; at the end, nothing was asked for or wrong."""
    visits = []

    def open_page(made, *, size=(1200, 900), scheme="light", has_touch=False, **options):
        how = {"size": size, "scheme": scheme, "has_touch": has_touch}
        seen = visit(page(tmp_path, made, **options), **how)
        visits.append(seen)
        seen.page.wait_for_selector("#main", state="visible")
        return seen.page

    yield open_page
    for seen in visits:
        assert seen.errors == []
        assert seen.outside == []
        assert seen.requests[0].endswith("page.html")


def numbers(opened_page, expression, argument=None):
    return np.array(opened_page.evaluate(f"(given) => Array.from({expression})", argument))


def latent(opened_page):
    """Where the point is."""
    return numbers(opened_page, "minivae.state().z")


def shown(opened_page):
    """What is painted there."""
    return numbers(opened_page, "minivae.state().x")


def bytes_of(opened_page, canvas):
    """Red, green and blue that a canvas shows."""
    js = """(id) => {
        const shown = document.getElementById(id), copy = document.createElement("canvas");
        [copy.width, copy.height] = [shown.width, shown.height];
        const pen = copy.getContext("2d", {willReadFrequently: true});
        pen.drawImage(shown, 0, 0);
        return Array.from(pen.getImageData(0, 0, copy.width, copy.height).data);
    }"""
    return np.array(opened_page.evaluate(js, canvas)).reshape(-1, 4)[:, :3]


def decoded(made, z):
    return made.decode(np.asarray(z)[None].astype(made.params.dtype))[0].copy()


MODELS = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"likelihood": name} for name in LIKELIHOODS if name != "bernoulli"),
    {"kind": Autoencoder},
    {"hidden": ()},
    {"latent": 5, "logvar_range": (-1.0, 0.5)},
    {"dtype": "float64"},
]


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for all models."""
    context = chromium.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("options", MODELS, ids=str)
def test_encoder_and_decoder_are_the_library_s(tab, tmp_path, options):
    made = model(**options)
    tab.goto(page(tmp_path, made).as_uri())
    tab.wait_for_selector("#main", state="visible")
    rng = np.random.default_rng(3)
    for z in rng.standard_normal((3, made.latent)) * [[0], [1], [3]]:
        mean = numbers(tab, "minivae.network.decode(given)", z.tolist())
        np.testing.assert_allclose(mean, decoded(made, z), atol=TOLERANCE)
    for x in DIGITS.x_test[:3]:
        encoded = made.encode(made.prepare(x[None]))
        mu = numbers(tab, "minivae.network.encode(given).mu", x.tolist())
        if isinstance(encoded, tuple):
            sigma = numbers(tab, "minivae.network.encode(given).sigma", x.tolist())
            expected = np.exp(np.clip(encoded[1][0], *made.logvar_range) / 2)
            np.testing.assert_allclose(sigma, expected, rtol=TOLERANCE)
            encoded = encoded[0]
        np.testing.assert_allclose(mu, encoded[0], rtol=TOLERANCE, atol=TOLERANCE)
    if made.likelihood.name == "categorical":
        assert mean.min() >= 0
        assert mean.max() <= 1


def test_the_error_function_of_the_page_is_exact(tab, tmp_path):
    made = model(hidden=(41,), latent=2, activation="gelu", likelihood="gaussian", pixels=41)
    for layer in made.decoder:
        layer.params["W"][...] = 0
        layer.params["b"][...] = 0
    x = np.linspace(-7, 7, 41).astype("float32")
    made.decoder[0].params["b"][...] = x
    made.decoder[1].params["W"][...] = np.eye(41)
    tab.goto(page(tmp_path, made, shape=(1, 41), x=np.zeros((3, 41), "f4"), y=None).as_uri())
    tab.wait_for_selector("#main", state="visible")
    wide = x.astype("float64")
    expected = 0.5 * wide * (1 + erf(wide / np.sqrt(2)))
    np.testing.assert_allclose(numbers(tab, "minivae.network.decode([0, 0])"), expected, atol=1e-15)


def test_the_mouse_moves_across_the_plane_and_the_pixels_follow(opened):
    made = model()
    tab = opened(made)
    box = tab.locator("#plane").bounding_box()
    middle, half = tab.evaluate("[minivae.plane.middle, minivae.plane.half]")
    tab.mouse.move(box["x"] + 100, box["y"] + 100)
    tab.mouse.down()
    for right, down in ((100, 100), (150, 130), (box["width"] - 40, box["height"] - 9)):
        tab.mouse.move(box["x"] + right, box["y"] + down, steps=3)
        z = latent(tab)
        # The canvas has a border of one pixel, which belongs to its box and not to the plane.
        size = box["width"] - 2
        place = np.array([(right - 1) / size, 1 - (down - 1) / size])
        np.testing.assert_allclose(
            z, middle + half * (2 * place - 1), atol=2 * half / size
        )  # a pixel
        x = decoded(made, z)
        np.testing.assert_allclose(shown(tab), x, atol=TOLERANCE)
        np.testing.assert_allclose(bytes_of(tab, "output").T, [255 * x] * 3, atol=0.51)
    tab.mouse.up()
    tab.mouse.move(box["x"] + 50, box["y"] + 50)
    np.testing.assert_array_equal(latent(tab), z)
    assert f"= {z[0]:.2f}".replace("-", "−") in tab.text_content("#where")


def test_a_finger_moves_the_point(opened):
    tab = opened(model(), size=(390, 844), has_touch=True)
    tab.locator("#plane").scroll_into_view_if_needed()
    box = tab.locator("#plane").bounding_box()
    before = latent(tab)
    tab.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    after = latent(tab)
    assert after[0] > before[0] or after[1] < before[1]
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_arrow_keys_move_the_point(opened):
    made = model()
    tab = opened(made)
    tab.focus("#plane")
    tab.keyboard.press("Home")
    middle, half = tab.evaluate("[minivae.plane.middle, minivae.plane.half]")
    np.testing.assert_allclose(latent(tab), middle, atol=1e-12)
    for key, step in (
        ("ArrowRight", (0.02, 0)),
        ("ArrowUp", (0, 0.02)),
        ("Shift+ArrowLeft", (-0.125, 0)),
        ("Shift+ArrowDown", (0, -0.125)),
    ):
        before = latent(tab)
        tab.keyboard.press(key)
        np.testing.assert_allclose(latent(tab) - before, np.multiply(step, half))
    np.testing.assert_allclose(
        shown(tab),
        decoded(made, latent(tab)),
        atol=TOLERANCE,
    )


def test_a_slider_sets_its_dimension_alone(opened):
    made = model(latent=4)
    tab = opened(made)
    before = latent(tab)
    slider = tab.get_by_label("z3", exact=True)
    slider.fill("1.5")
    expected = before.copy()
    expected[2] = 1.5
    np.testing.assert_allclose(latent(tab), expected)
    np.testing.assert_allclose(shown(tab), decoded(made, expected), atol=TOLERANCE)
    slider.press("ArrowRight")
    assert latent(tab)[2] == pytest.approx(1.51)


def test_two_dimensions_of_many_are_picked_for_the_plane(opened):
    tab = opened(model(latent=4))
    tab.select_option("#across", label="z4")
    tab.select_option("#up", label="z1")
    before = latent(tab)
    box = tab.locator("#plane").bounding_box()
    place = [1 + share * (box["width"] - 2) for share in (0.8, 0.2)]
    tab.mouse.click(box["x"] + place[0], box["y"] + place[1])
    middle, half = tab.evaluate("[minivae.plane.middle, minivae.plane.half]")
    z = latent(tab)
    np.testing.assert_allclose(z[[1, 2]], before[[1, 2]], atol=1e-12)
    np.testing.assert_allclose(z[[3, 0]], middle + 0.6 * half * np.array([1, 1]), atol=4e-3 * half)
    tab.select_option("#up", label="z4")  # the other one makes room
    assert tab.input_value("#across") != tab.input_value("#up")


def test_the_principal_directions_span_the_plane_at_first(opened):
    made = model(latent=4)
    tab = opened(made)
    mu, _ = made.encode(made.prepare(DIGITS.x_test))
    _, _, Vt = np.linalg.svd(mu - mu.mean(axis=0), full_matrices=False)
    for axis, direction in zip("uv", Vt[:2], strict=True):
        found = numbers(tab, f"minivae.plane.{axis}")
        np.testing.assert_allclose(abs(found @ direction), 1, atol=1e-4)
    points = numbers(tab, "minivae.plane.points")
    found = np.stack([numbers(tab, f"minivae.plane.{axis}") for axis in "uv"])
    np.testing.assert_allclose(points, mu[: len(points)] @ found.T, atol=1e-3)


def test_what_is_drawn_is_encoded_and_painted_again(opened):
    made = model()
    tab = opened(made)
    tab.click("#clear")
    assert bytes_of(tab, "sketch").max() == 0
    box = tab.locator("#sketch").bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    tab.mouse.up()
    x = numbers(tab, "minivae.sketch.x")
    image = x.reshape(8, 8)
    assert image[2:6, 3:5].min() > 0.3
    assert image[:, [0, 1, 6, 7]].max() == 0
    mu, _ = made.encode(made.prepare(x[None]))
    z = latent(tab)
    np.testing.assert_allclose(z, mu[0], rtol=TOLERANCE, atol=TOLERANCE)
    rebuilt = made.reconstruct(made.prepare(x[None]))[0]
    np.testing.assert_allclose(bytes_of(tab, "rebuilt")[:, 0], 255 * rebuilt, atol=0.51)
    tab.click("#erase")
    tab.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    assert numbers(tab, "minivae.sketch.x").sum() < x.sum()


def test_a_picture_is_drawn_with_the_keyboard(opened):
    tab = opened(model())
    tab.click("#clear")
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate("document.activeElement.id") == "sketch"
    assert tab.is_visible("#brush")
    for key in ("Space", "ArrowUp", "Shift+ArrowUp", "Shift+ArrowUp"):
        tab.keyboard.press(key)
    image = numbers(tab, "minivae.sketch.x").reshape(8, 8)
    assert (image[1:5, 3:5] > 0.1).all()
    assert image[6:].max() == image[:, [0, 1, 6, 7]].max() == 0
    tab.keyboard.press("Tab")
    assert tab.is_hidden("#brush")


def png(values):
    content = io.BytesIO()
    Image.fromarray(np.rint(255 * values).astype(np.uint8)).save(content, format="PNG")
    return content.getvalue()


def test_a_file_is_opened_in_the_size_and_the_shades_of_the_model(opened):
    tab = opened(model())
    digit = DIGITS.x_test[5].reshape(8, 8)
    for name, values in (("five.png", digit), ("dark.png", 1 - digit)):
        file = {"name": name, "mimeType": "image/png", "buffer": png(values)}
        tab.set_input_files("#file", file)
        tab.wait_for_selector(f"#own-help:has-text('{name}')")
        expected = np.rint(255 * digit) / 255
        x = numbers(tab, "minivae.sketch.x").reshape(8, 8)
        np.testing.assert_allclose(x, expected, atol=1.01 / 255)
    assert "exchanged" in tab.text_content("#own-help")
    large = png(np.kron(digit, np.ones((5, 5))))
    tab.set_input_files("#file", {"name": "big.png", "mimeType": "image/png", "buffer": large})
    tab.wait_for_selector("#own-help:has-text('big')")
    assert "8 × 8" in tab.text_content("#own-help")
    assert abs(numbers(tab, "minivae.sketch.x").reshape(8, 8) - digit).mean() < 0.08
    tab.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no"})
    tab.wait_for_selector("#own-help:has-text('no picture')")


def test_a_picture_is_dropped(opened):
    tab = opened(model())
    digit = DIGITS.x_test[7].reshape(8, 8)
    tab.evaluate(
        """(bytes) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "seven.png", {type: "image/png"}));
            dispatchEvent(new DragEvent("drop", {dataTransfer: files, cancelable: true}));
        }""",
        list(png(digit)),
    )
    tab.wait_for_selector("#own-help:has-text('seven')")
    x = numbers(tab, "minivae.sketch.x")
    np.testing.assert_allclose(x, np.rint(255 * digit.ravel()) / 255, atol=1.01 / 255)


def test_dots_are_the_examples_and_show_them(opened):
    made = model()
    tab = opened(made)
    mu, _ = made.encode(made.prepare(DIGITS.x_test))
    points = numbers(tab, "minivae.plane.points")
    np.testing.assert_allclose(points, mu[: len(points)], atol=1e-5)
    np.testing.assert_allclose(
        numbers(tab, "minivae.examples.picture(4)"),
        np.rint(255 * DIGITS.x_test[4]) / 255,
        atol=1e-12,
    )
    inside = abs(points - tab.evaluate("minivae.plane.middle")).max(axis=1)
    i = int(inside.argmin())
    x, y = tab.evaluate(f"minivae.plane.toPixel(minivae.plane.points[{i}])")
    box = tab.locator("#plane").bounding_box()
    tab.mouse.move(box["x"] + 1 + x, box["y"] + 1 + y)
    assert tab.is_visible("#tip")
    tab.mouse.move(box["x"] + 1, box["y"] - 30)
    assert tab.is_hidden("#tip")


def test_buttons_do_what_they_say(opened):
    tab = opened(model(latent=3), scheme="dark")
    tab.click("#home")
    assert latent(tab).tolist() == [0, 0, 0]
    tab.click("#surprise")
    assert (latent(tab) != 0).all()
    before = latent(tab)
    tab.click("#walk")
    for _ in range(100):  # frames come as fast as the machine lets them
        if (latent(tab) != before).any():
            break
        tab.wait_for_timeout(50)
    assert (latent(tab) != before).any()
    tab.click("#walk")
    before = latent(tab)
    tab.wait_for_timeout(50)
    np.testing.assert_array_equal(latent(tab), before)
    for look in ("dots", "pictures", "both"):
        tab.click(f"#look button[value={look}]")
        assert tab.get_attribute(f"#look button[value={look}]", "aria-pressed") == "true"
    tab.click("#legend button >> nth=3")
    assert tab.evaluate("minivae.plane.chosen") == 3
    tab.click("#strip button >> nth=1")
    assert numbers(tab, "minivae.sketch.x").max() == 1


@pytest.mark.parametrize("shape", [(5, 4), (4, 5, 3)])
def test_pictures_of_other_shapes_and_shades(opened, shape):
    D = int(np.prod(shape))
    x = np.random.default_rng(0).uniform(-1, 3, (30, D)).astype("f4")
    made = model(pixels=D, likelihood="gaussian")
    tab = opened(made, shape=shape, x=x, y=None, limits=(-1.0, 3.0))
    tab.click("#strip button >> nth=0")
    given = numbers(tab, "minivae.sketch.x")
    np.testing.assert_allclose(given, x[0], atol=2.01 / 255)
    expected = np.clip(255 * (decoded(made, latent(tab)) + 1) / 4, 0, 255)
    channels = 3 if len(shape) == 3 else 1
    painted = bytes_of(tab, "output")[:, :channels].ravel()
    np.testing.assert_allclose(painted, expected, atol=0.51)
    assert tab.is_visible("#colour-label") == (channels == 3)
    if channels == 3:
        tab.click("#clear")
        tab.click("#sketch")
        assert abs(numbers(tab, "minivae.sketch.x") - x[0]).max() > 0.1


def test_a_page_cannot_be_made_to_ask_for_anything(visit, tmp_path):
    name = "</script><img src='http://example.org/a.png' onerror='window.broken = 1'>"
    seen = visit(page(tmp_path, model(), name=name))
    seen.page.wait_for_selector("#main", state="visible")
    assert name in seen.page.text_content("#made")
    assert seen.page.title() == f"Explore {name}"
    assert seen.page.evaluate("window.broken") is None
    assert (seen.errors, seen.outside) == ([], [])
    refused = "fetch('http://example.org/b').then(() => 0, () => 'refused')"
    assert seen.page.evaluate(refused) == "refused"
    assert seen.outside == []


def test_an_old_browser_is_told_so(visit, tmp_path):
    path = page(tmp_path, model())
    old = "<head><script>delete window.DecompressionStream</script>"
    path.write_text(path.read_text().replace("<head>", old))
    seen = visit(path)
    seen.page.wait_for_selector("#notice:has-text('too old')", state="visible")


def test_the_page_of_a_common_model_is_small():
    digits = data.load("mnist5k")
    made = VAE(784, (400,), 20, rng=np.random.default_rng(0))
    # Normal weights are harder to compress than the uniform ones that a model starts with.
    made.params.theta[...] = 0.05 * np.random.default_rng(1).standard_normal(652_824)
    text = page_html(made, (28, 28), digits.pixels_test, digits.y_test, labels=digits.labels)
    assert len(text.encode()) < 3_500_000
    assert "http" not in text.replace("http-equiv", "")


class OtherPixels(Bernoulli):
    name = "other pixels"


def with_layer(layer):
    made = model()
    made.decoder = Sequential(Linear(2, 64, rng=np.random.default_rng(0)), layer)
    return made


def with_likelihood():
    made = model()
    made.likelihood = OtherPixels()
    return made


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: model(ConditionalVAE, labels=("a", "b")), OptionError, "kind 'cvae'"),
        (with_likelihood, OptionError, "'other pixels'"),
        (lambda: with_layer(Clamp(0, 1)), OptionError, "a Clamp layer"),
        (lambda: model(latent=1), OptionError, "1 latent dimension"),
    ],
)
def test_a_model_that_cannot_run_is_refused(refuses, make, error, words):
    with refuses(error, words):
        page_html(make(), (8, 8), DIGITS.x_test)


def test_a_table_has_no_page(refuses):
    with refuses(ShapeError, "(64,)", "no picture"):
        page_html(model(), (64,), DIGITS.x_test)


def test_dropout_and_layers_in_layers_run(tab, tmp_path):
    inner = Sequential(Linear(64, 64, rng=np.random.default_rng(2)), Dropout(0.5))
    made = with_layer(inner)
    tab.goto(page(tmp_path, made).as_uri())
    tab.wait_for_selector("#main", state="visible")
    mean = numbers(tab, "minivae.network.decode([1, -1])")
    np.testing.assert_allclose(mean, decoded(made, [1, -1]), atol=TOLERANCE)


class FakeRun(Run):
    """As much of a run as is asked for before anything is written."""

    def __init__(self):
        pass

    shape, folder = (8, 8), "runs/one"

    def load_data(self, other=None):
        return DIGITS if other is None else data.load(other)


@pytest.mark.parametrize(
    ("name", "source", "error", "words"),
    [
        ("page.png", None, OptionError, "must end in .html"),
        ("there.html", None, OptionError, "exists already"),
        ("page.html", "mnist5k", ShapeError, "(28, 28)"),
    ],
)
def test_a_page_is_refused_before_it_is_written(refuses, tmp_path, name, source, error, words):
    (tmp_path / "there.html").write_text("mine")
    with refuses(error, words):
        write_page(FakeRun(), tmp_path / name, data=source)
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert (tmp_path / "there.html").read_text() == "mine"
