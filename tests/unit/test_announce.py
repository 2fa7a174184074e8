"""What a station says when it does not become ready."""

from pathlib import Path

from station.announce import reasons
from station.layout import Layout


def test_processes_that_keep_ending_are_named_with_their_logs(tmp_path: Path) -> None:
    layout = Layout(data_dir=tmp_path)
    layout.run.mkdir()
    layout.starts_of("routing").write_text("14 1700000000.000\n")
    layout.starts_of("web").write_text("1 1700000000.000\n")

    said = "\n".join(reasons(503, b'{"status": "not ready"}', layout))

    assert f"routing was started 14 times: see {tmp_path}/log/routing.log" in said
    assert "web was started" not in said
    assert '/health/ready answers 503: {"status": "not ready"}' in said


def test_a_web_that_does_not_answer_is_named(tmp_path: Path) -> None:
    said = "\n".join(reasons(0, b"", Layout(data_dir=tmp_path)))

    assert f"web does not answer: see {tmp_path}/log/web.log" in said
