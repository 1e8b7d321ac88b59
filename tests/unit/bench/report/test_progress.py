import io

import pytest

from bench.report.progress import Outline, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


def test_remaining_time_goes_by_how_wrong_the_guess_was(clock):
    progress = Progress([Outline("a", 2, 30.0), Outline("b", 1, 60.0)], io.StringIO(), clock)
    assert progress.remaining_s() == 90
    progress.section()
    progress.step("one")
    progress.step("two")
    clock.now = 30.0  # half of section a, twice as slow as guessed
    assert progress.share() == pytest.approx(15 / 90)
    assert progress.remaining_s() == pytest.approx(150)
    progress.section()
    assert progress.share() == pytest.approx(30 / 90)
    progress.close()
    assert progress.share() == 1


def test_more_steps_than_outlined_do_not_pass_the_end(clock):
    progress = Progress([Outline("a", 1, 10.0)], io.StringIO(), clock)
    progress.section()
    for number in range(5):
        progress.step(str(number))
    assert progress.share() < 1


def test_elsewhere_than_on_a_terminal_each_step_is_a_line(clock):
    out = io.StringIO()
    progress = Progress([Outline("split", 2, 100.0)], out, clock)
    progress.section()
    progress.step("unsplit")
    progress.step("layer3")
    progress.close()
    assert out.getvalue() == "[  0%, 1:40 left] split: unsplit\n[ 50%, 0:00 left] split: layer3\n"


def test_on_a_terminal_there_is_one_line_and_it_goes_away(clock):
    out = Terminal()
    progress = Progress([Outline("split", 2, 100.0)], out, clock)
    progress.section()
    progress.step("unsplit")
    assert "░" in out.getvalue()
    assert "\n" not in out.getvalue()
    progress.clear()
    assert out.getvalue().endswith("\r\x1b[K")
