"""Progress: plain lines are rare enough for a log, and say what a reader wants to know."""

import io

from parametra.core.progress import Progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_plain_lines_come_at_most_every_interval_and_at_the_ends():
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, interval=10, clock=clock) as progress:
        for second in range(0, 26):
            clock.now = float(second)
            progress.update("truth", second / 25, day=second / 2)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("truth        0 %  0:00  day 0")
    assert "0:15 left" in lines[1]
    assert lines[-1] == "truth      100 %  0:25  day 12.5"


def test_values_carry_units_and_a_new_stage_shows_at_once():
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock=clock)
    progress.update("truth", 0.1)
    progress.update("training", 0.0, largest_wind=(54.321, "m/s"), temperature="190 to 310 K")
    assert "largest wind 54.32 m/s  temperature 190 to 310 K" in stream.getvalue().splitlines()[1]


def test_time_left_counts_from_where_this_process_began():
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock=clock)
    progress.update("truth", 0.8)
    clock.now = 3600.0
    progress.update("truth", 0.9)
    assert "1:00:00 left" in stream.getvalue()


def test_on_update_is_called_each_time():
    progress, calls = Progress(io.StringIO()), []
    progress.on_update = lambda: calls.append(1)
    for _ in range(3):
        progress.update("a", 0.5)
    assert len(calls) == 3
