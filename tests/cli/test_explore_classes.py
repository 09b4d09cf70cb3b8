"""`minivae explore` of models that are given the class: one code, decoded with every class."""

from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.train.runs import open_run


@pytest.mark.parametrize("model", ["cvae", "m2"])
def test_each_row_is_one_code_with_every_class(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = f"train digits8 --model {model} --latent 3 --hidden 8 --limit 100 --epochs 1 --out run"
    monkeypatch.setattr("minivae.cli.pictures.draw", lambda *_: [])
    assert main([*words.split(), "--quiet"]) == 0
    drawn = {}
    monkeypatch.setattr(
        "minivae.cli.class_walks.strips",
        lambda images, shape, **how: drawn.update(images=images, **how) or None,
    )
    monkeypatch.setattr("minivae.show.plots.save", lambda _, path: Path(path).write_bytes(b"x"))
    assert main(["explore", "run"]) == 0
    assert [path.name for path in Path("run/explore-1").iterdir()] == ["analogies.png"]
    assert drawn["images"].shape == (10, 1 + 10, 64)
    assert drawn["columns"] == ["given", *map(str, range(10))]

    # With its own class, an example is what it is reconstructed as; one of each class is given.
    run = open_run("run")
    data = run.load_data()
    x, y, _ = run.test_rows(data)
    starts = sorted(np.flatnonzero(y == c)[0] for c in range(10))
    np.testing.assert_array_equal(drawn["images"][:, 0], x[starts][:, :64])
    rebuilt = run.reconstruct(x[starts])
    for row, number, expected in zip(drawn["images"], starts, rebuilt, strict=True):
        np.testing.assert_allclose(row[1 + y[number]], expected, rtol=1e-5, atol=1e-6)
        others = np.delete(row[1:], y[number], axis=0)
        assert np.abs(others - expected).max() > 1e-3

    assert main(["explore", "run", "--images", "3", "5"]) == 0
    np.testing.assert_array_equal(drawn["images"][:, 0], x[[3, 5]][:, :64])
    capsys.readouterr()
    assert main(["explore", "run", "--only", "traversals"]) == 2
    assert main(["explore", "run", "--morph", "a.png", "b.png"]) == 2
    assert main(["explore", "run", "--images", "3", "5000"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "traversals cannot be drawn, since the model is given a class" in said[0]
    assert "is given a class beside each latent" in said[1]
    assert "--images 5000 was given" in said[2]
