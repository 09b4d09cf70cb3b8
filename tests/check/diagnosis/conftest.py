"""What a mistake is called is tested without the search for its line, which has a test of its own.

The search takes seconds where it finds nothing, and here are some hundred mistakes.
"""

import pytest

from minivae.check.diagnosis import doctor


@pytest.fixture(autouse=True, scope="module")
def names_alone(request):
    """Find no edits, but where they are what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.rpartition(".")[2] not in ("test_edits", "test_kinds"):
            patch.setattr(doctor, "find_mends", lambda evidence, wrong: [])
        yield
