"""What `minivae read` writes, what it refuses, and what it leaves alone."""

import html
import json
import re
import subprocess
import sys

import pytest

import minivae.show.reader as reader
from minivae.check import check_gradients
from minivae.cli.main import main
from minivae.errors import DerivationError, OptionError
from minivae.ops import find_case
from minivae.show import derivations, typeset
from minivae.show.reader import folder, pages
from minivae.show.reader.prose import Prose, plain_title, split

pytestmark = pytest.mark.slow


def test_each_module_with_equations_has_a_page(site):
    made = {path.stem for path in site.glob("*.html")}
    named = {name.removeprefix("minivae.") for name in derivations.modules()}
    assert made == named | {"index"}
    assert {"ops.linear", "ops.activations.relu", "ops.negative_elbo", "train.optim.adam"} <= made


def test_equations_and_lines_link_both_ways(site):
    text = (site / "ops.reparameterize.html").read_text()
    source = (derivations.PACKAGE / "ops" / "reparameterize.py").read_text()
    for line, numbers in derivations.citations(source).items():
        (row,) = re.findall(rf'<span class="line cites" id="L-{line}" .*?\n</span>', text)
        for n in numbers:
            assert f'<a href="#eq-{n}">({n})</a>' in row
            (equation,) = re.findall(rf'<span class="display eq" id="eq-{n}".*?\n', text)
            assert f'<a href="#L-{line}">{line}</a>' in equation
    code = re.search(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)[1]
    first = int(re.search(r'class="line(?: cites)?" id="L-(\d+)"', text)[1])
    shown = html.unescape(re.sub(r"<[^>]+>", "", code))
    assert shown.strip("\n") == "\n".join(source.splitlines()[first - 1 :]).strip("\n")


def test_every_link_of_every_page_leads_somewhere(site):
    for page in site.glob("*.html"):
        text = page.read_text()
        ids = set(re.findall(r"id=['\"]([^'\"]+)", text))
        for target in re.findall(r"(?:href|src)=['\"]([^'\"]+)", text):
            if target.startswith("#"):
                assert target[1:] in ids, (page.name, target)
            elif not target.startswith("data:"):
                assert (site / target).is_file(), (page.name, target)


def test_the_check_is_the_one_that_was_made(site):
    report = check_gradients(find_case("kl"), tolerance=1e-7)
    assert report._repr_html_() in (site / "ops.kl.html").read_text()
    assert "no backward pass" in (site / "train.optim.adam.html").read_text()
    assert "Autoencoder(7-5-2" in (site / "index.html").read_text()


def test_katex_comes_with_its_licence(site):
    assert "MIT" in (site / "katex" / "LICENSE").read_text()
    assert not (site / "katex" / "katex.min.js").exists()  # the formulas are finished


def module(tmp_path, docstring, code="y = x  # (1)\n"):
    path = tmp_path / "module.py"
    path.write_text(f'r"""{docstring}"""\n\n{code}')
    return reader.chapter(path, "minivae.ops.module", [])


GOOD = "Title: $y$.\n\nText,\n$$ y = x\n   + 0 \\tag{1} $$\nby (1)."


def test_a_small_chapter(tmp_path):
    one = module(tmp_path, GOOD)
    assert one.lines_of == {1: [8]}
    text = pages.page(one, [one])
    assert 'id="eq-1" data-lines="8"' in text
    assert 'by <a href="#eq-1">(1)</a>' in text
    assert "<li>" not in text.partition("<article")[2].partition("</article>")[0]


@pytest.mark.parametrize(
    ("docstring", "code", "words"),
    [
        (GOOD, "y = x\n", "no line cites equation (1)"),
        (GOOD, "y = x  # (1), (2)\n", "line 8 cites equation (2), which is not there"),
        (GOOD.replace("y = x", r"\frac{y"), "y = x  # (1)\n", "is broken"),
        (GOOD.replace("Text", r"$\nothing$"), "y = x  # (1)\n", "\\\\nothing"),
        (GOOD.replace("Text", "5 $"), "y = x  # (1)\n", ""),
    ],
)
def test_what_is_broken_is_refused(tmp_path, docstring, code, words, refuses):
    with refuses(DerivationError, words):
        one = module(tmp_path, docstring, code)
        pages.page(one, [one])


def test_a_broken_module_fails_the_command_and_writes_nothing(tmp_path, monkeypatch, capsys):
    broken = module(tmp_path, GOOD.replace("y = x", r"\frac{y"))
    monkeypatch.setattr(reader, "chapters", lambda seed: ([broken], []))
    out = tmp_path / "pages"
    assert main(["read", "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("minivae: minivae/ops/module.py: the formula '\\\\frac{y")
    assert not out.exists()


def test_a_failed_gradient_check_is_shown_and_is_the_exit_code(tmp_path, monkeypatch, capsys):
    one = module(tmp_path, GOOD)
    case = find_case("tanh")
    report = check_gradients(case.forward, lambda dy, y: 1.5 * dy * (1 - y * y), {"x": [[0.3]]})
    chapter = reader.Chapter(one.name, one.docstring, one.source, one.code_from, [report])
    monkeypatch.setattr(reader, "chapters", lambda seed: ([chapter], []))
    assert main(["read", "--out", str(tmp_path / "pages")]) == 1
    assert "says: wrong" in capsys.readouterr().err
    assert "✗ wrong" in (tmp_path / "pages" / "ops.module.html").read_text()
    assert "✗ " in (tmp_path / "pages" / "index.html").read_text()


def test_a_folder_of_its_own_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "pages"
    folder.write(out, lambda new: (new / "old.html").write_text("old"))
    folder.write(out, lambda new: (new / "new.html").write_text("new"))
    assert sorted(path.name for path in out.iterdir()) == [folder.MANIFEST, "new.html"]
    assert json.loads((out / folder.MANIFEST).read_text()) == ["new.html"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_failure_leaves_the_old_pages(tmp_path):
    out = tmp_path / "pages"
    folder.write(out, lambda new: (new / "old.html").write_text("old"))

    def fail(new):
        (new / "half.html").write_text("half")
        raise OSError(28, "No space left on device", "half.html")

    with pytest.raises(OSError, match="No space"):
        folder.write(out, fail)
    assert (out / "old.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_other_files_are_never_lost(tmp_path, refuses):
    out = tmp_path / "pages"
    out.mkdir()
    (out / "thesis.tex").write_text("years")
    with refuses(OptionError, "holds thesis.tex, which minivae read has not made"):
        reader.build(out)
    assert (out / "thesis.tex").read_text() == "years"
    (out / "thesis.tex").unlink()
    folder.write(out, lambda new: (new / "index.html").write_text("mine"))  # empty: taken
    (out / "notes").mkdir()
    (out / "notes" / "mine.txt").write_text("notes")
    with refuses(OptionError, "notes/mine.txt"):
        folder.write(out, lambda new: None)
    assert (out / "notes" / "mine.txt").read_text() == "notes"
    file = tmp_path / "file"
    file.write_text("a file")
    with refuses(OptionError, "is no folder"):
        folder.write(file, lambda new: None)


def test_where_nothing_can_be_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert main(["read", "--out", str(tmp_path / "file" / "pages")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"minivae: {tmp_path / 'file' / 'pages'}: Not a directory."

    def deny(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folder.Path, "mkdir", deny)
    monkeypatch.setattr(reader, "chapters", lambda seed: ([module(tmp_path, GOOD)], []))
    assert main(["read", "--out", str(tmp_path / "pages")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"minivae: {tmp_path / 'pages'}: Permission denied."


@pytest.mark.parametrize("package", ["quickjs", "markdown_it", "pygments"])
def test_a_missing_package_is_one_sentence(package, tmp_path):
    program = f"import sys\nsys.modules[{package!r}] = None\nfrom minivae.cli.main import main\n"
    program += f"sys.exit(main(['read', '--out', {str(tmp_path / 'pages')!r}]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"with `{typeset.INSTALL}`.")
    assert not (tmp_path / "pages").exists()


def test_prose():
    prose = Prose({1: [8, 9]}, {"linear.py": "linear.html"})
    assert prose.html("see `ops/linear.py` and `x`") == (
        '<p>see <a href="linear.html"><code>ops/linear.py</code></a> and <code>x</code></p>\n'
    )
    assert "<table>" in prose.html("|a|b|\n|-|-|\n|1|2|")
    text = prose.html("the encoder's $-x\n+ y$, and $a_b$ and $c_d$ and 1 < 2")
    assert "<li>" not in text
    assert "<em>" not in text  # the underscores of two formulas are no emphasis
    assert ",</span> and" in text  # the comma stays with its formula
    assert text.count('class="whole"') == 1
    assert "mathrm" in prose.html("$dKL = KL_j$")
    joined = prose.html("both ($x$), the $n$-th and $y$'s own")
    assert re.findall(r'whole">(\(?)<span class="katex">.*?</span>(\S{0,4})</span> ', joined)
    assert joined.count('class="whole"') == 3
    assert "1 &lt; 2" in text
    assert split("A title: $x$\non two lines.\n\nRest.") == ("A title: $x$ on two lines", "Rest.")
    assert plain_title("Linear layer: $y = x W$ of `x`") == "Linear layer of x"
