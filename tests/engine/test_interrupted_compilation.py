"""What Numba has begun to compile is whole, whenever Ctrl-C comes."""

import pytest
from engine.interrupted_compilation import interrupted


@pytest.mark.slow
def test_interrupts_in_the_first_calls_leave_numba_whole():
    """The whole is `python tests/engine/interrupted_compilation.py 10`."""
    tried, came, wrong = interrupted(2)
    assert not wrong, "\n".join(wrong)
    assert 0 < came <= tried
