"""The schema of Gradescope's results, written by hand from its specification."""

TOP = {
    "score": (int, float),
    "execution_time": (int, float),
    "output": str,
    "output_format": str,
    "test_output_format": str,
    "test_name_format": str,
    "visibility": str,
    "stdout_visibility": str,
    "extra_data": dict,
    "tests": list,
    "leaderboard": list,
}
TEST = {
    "score": (int, float),
    "max_score": (int, float),
    "status": str,
    "name": str,
    "name_format": str,
    "number": str,
    "output": str,
    "output_format": str,
    "tags": list,
    "visibility": str,
    "extra_data": dict,
}
VISIBILITIES = {"visible", "hidden", "after_due_date", "after_published"}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}


def check_results(content):
    """Assert that this is a valid results.json.

    One without any score, which says that nobody knows, is taken for a failure of the autograder.
    """
    assert content["tests"] or "score" in content
    _check(content, TOP)
    for test in content["tests"]:
        _check(test, TEST)
        unknown = "score" not in test
        assert not unknown or "tell your instructor" in " ".join(test["output"].split())
        assert 0 <= test.get("score", 0) <= test["max_score"]
        assert test["status"] in {"passed", "failed"}
        assert test["name"]
    total = sum(test.get("score", 0) for test in content["tests"])
    assert abs(content.get("score", 0) - total) < 1e-9


def _check(table, keys):
    for key, value in table.items():
        assert key in keys, key
        assert isinstance(value, keys[key])
        assert not isinstance(value, bool)
        if key.endswith("visibility"):
            assert value in VISIBILITIES
        if key.endswith("_format"):
            assert value in FORMATS
