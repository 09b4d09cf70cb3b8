"""`minivae explore` of codes that are categories: what it sets each variable to, and refuses."""

from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.train.runs import open_run


@pytest.mark.parametrize(("model", "rows", "columns"), [("gumbel", 3, 4), ("vq", 12, 4)])
def test_each_variable_is_set_to_all_it_can_say(
    model, rows, columns, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    size = {"gumbel": "--latent 3 --categories 4", "vq": "--latent 2 --codebook 4"}[model]
    words = f"train digits8 --model {model} {size} --hidden 8 --limit 100 --epochs 1 --out run"
    monkeypatch.setattr("minivae.cli.pictures.draw", lambda *_: [])
    assert main([*words.split(), "--quiet"]) == 0
    drawn = {}
    monkeypatch.setattr(
        "minivae.cli.category_walks.strips",
        lambda images, shape, **how: drawn.update(images=images, **how) or None,
    )
    monkeypatch.setattr("minivae.show.plots.save", lambda _, path: Path(path).write_bytes(b"x"))
    assert main(["explore", "run"]) == 0
    assert [path.name for path in Path("run/explore-1").iterdir()] == ["categories.png"]
    assert drawn["images"].shape == (rows, 1 + columns, 64)

    # Setting a variable to what it is changes nothing.
    run = open_run("run")
    x, *_ = run.test_rows(run.load_data())
    one = run.training.model.prepare(x[:1])
    rebuilt = run.training.model.reconstruct(one)[0]
    code = run.training.model.codes(one)[0]
    for name, row in zip(drawn["rows"], drawn["images"], strict=True):
        z = int(name.split()[1]) - 1
        np.testing.assert_allclose(row[1 + int(code[z])], rebuilt, rtol=1e-5, atol=1e-6)

    assert main(["explore", "run", "--only", "traversals"]) == 2
    assert main(["explore", "run", "--morph", "a.png", "b.png"]) == 2
    said = capsys.readouterr().err
    assert "between which there is nothing" in said
    assert "no way from one category to another" in said
