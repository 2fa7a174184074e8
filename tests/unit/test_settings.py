"""Settings: names, units, limits, secrets, and the sentences that say what is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import env_example
from config.setting import TEN_YEARS_SECONDS
from config.settings import ROOT, SETTINGS, Settings, SettingsError, load_settings


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.problems


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path) -> None:
    settings = load_settings({"WAYSTATION_DATA_DIR": str(tmp_path)})

    assert settings.api_host == "127.0.0.1"
    assert settings.api_port == 8080
    assert settings.partitions == 64
    assert settings.lease_seconds == 60
    assert settings.redis_is_embedded
    assert settings.redis_url is None


def test_every_setting_has_a_line_in_the_example() -> None:
    assert (ROOT / ".env.example").read_text() == env_example.render()


def test_a_default_is_itself_legal() -> None:
    environ = {s.name: str(s.default) for s in SETTINGS if s.default is not None}

    settings = load_settings(environ | {"REDIS_URL": "redis://localhost"})

    for setting in SETTINGS:
        if setting.default is not None:
            assert getattr(settings, setting.field) == setting.default


def test_every_problem_is_reported_at_once() -> None:
    found = problems_of(
        {
            "API_PORT": "0",
            "WAYSTATION_LEASE_SECONDS": "soon",
            "WAYSTATION_NAMESPACE": "a{b}",
            "WAYSTATION_MAX_ATEMPTS": "3",
        }
    )

    assert [problem.split(":")[0].split(" ")[0] for problem in found] == [
        "API_PORT",
        "WAYSTATION_NAMESPACE",
        "WAYSTATION_LEASE_SECONDS",
        "WAYSTATION_MAX_ATEMPTS",
    ]


def test_an_unknown_name_suggests_the_nearest_one() -> None:
    (problem,) = problems_of({"WAYSTATION_LEASE_SECOND": "5"})

    assert problem == (
        "WAYSTATION_LEASE_SECOND is not a setting. Did you mean WAYSTATION_LEASE_SECONDS?"
    )


@pytest.mark.parametrize(
    "text", ["0", "0.5", "-1", "nan", "inf", "-inf", "1e400", "315360001", "1s"]
)
def test_an_absurd_duration_is_refused(text: str) -> None:
    (problem,) = problems_of({"WAYSTATION_LEASE_SECONDS": text})

    assert problem.startswith("WAYSTATION_LEASE_SECONDS: ")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_value_counts_as_unset(text: str) -> None:
    assert load_settings({"WAYSTATION_LEASE_SECONDS": text}).lease_seconds == 60


@given(st.floats(min_value=1, max_value=TEN_YEARS_SECONDS))
def test_any_duration_from_a_second_to_ten_years_is_legal(value: float) -> None:
    settings = load_settings({"WAYSTATION_RETENTION_SECONDS": repr(value)})

    assert settings.retention_seconds == value


@given(st.text(max_size=30))
def test_no_text_at_all_makes_reading_fail_in_another_way(text: str) -> None:
    assert problems_of({s.name: text for s in SETTINGS} | {"API_PORT": "-1"})


def test_values_that_contradict_each_other_are_refused() -> None:
    (problem,) = problems_of({"WAYSTATION_OFFLINE_AFTER_SECONDS": "10"})

    assert problem == (
        "WAYSTATION_STALE_AFTER_SECONDS (90) is more than WAYSTATION_OFFLINE_AFTER_SECONDS (10)."
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "station.example"])
def test_a_station_that_others_can_reach_needs_a_decision_about_auth(host: str) -> None:
    (problem,) = problems_of({"API_HOST": host})

    assert "WAYSTATION_AUTH=off" in problem
    assert load_settings({"API_HOST": host, "WAYSTATION_AUTH": "off"}).api_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_tokens(host: str) -> None:
    assert load_settings({"API_HOST": host}).auth is None


def test_required_auth_is_refused_until_there_are_keys() -> None:
    (problem,) = problems_of({"WAYSTATION_AUTH": "required"})

    assert "not available in this version" in problem


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "redis-url"
    secret.write_text("redis://:hush@127.0.0.1:6379/0\n")

    settings = load_settings({"REDIS_URL_FILE": str(secret)})

    assert settings.redis_url == settings.jobs_redis_url == "redis://:hush@127.0.0.1:6379/0"
    assert "hush" not in repr(settings)


def test_a_secret_from_two_places_or_from_nowhere_is_refused(tmp_path: Path) -> None:
    twice = problems_of({"REDIS_URL": "redis://h", "REDIS_URL_FILE": str(tmp_path / "x")})
    missing = problems_of({"REDIS_URL_FILE": str(tmp_path / "x")})

    assert "both set" in twice[0]
    assert "can't be read" in missing[0]


@pytest.mark.parametrize("url", ["localhost:6379", "http://h:1", "redis:///0", "redis://h:99999"])
def test_a_bad_redis_url_is_refused_without_showing_it(url: str) -> None:
    (problem,) = problems_of({"REDIS_URL": url})

    assert url not in problem


def test_jobs_need_a_server_of_their_own_beside_a_cluster() -> None:
    cluster = {"REDIS_URL": "redis+cluster://127.0.0.1:7000"}

    (problem,) = problems_of(cluster)
    settings = load_settings(cluster | {"JOBS_REDIS_URL": "redis://127.0.0.1:6379"})

    assert "set JOBS_REDIS_URL" in problem
    assert settings.jobs_redis_url == "redis://127.0.0.1:6379"
    assert problems_of({"REDIS_URL": "redis://h", "JOBS_REDIS_URL": cluster["REDIS_URL"]})


def test_the_embedded_redis_is_found_by_the_file_it_left(tmp_path: Path) -> None:
    environ = {"WAYSTATION_DATA_DIR": str(tmp_path)}
    url_file = load_settings(environ).embedded_redis_url_file
    url_file.parent.mkdir()
    url_file.write_text("redis://:secret@127.0.0.1:21000/0\n")

    settings = load_settings(environ)

    assert settings.redis_is_embedded
    assert settings.redis_url == settings.jobs_redis_url == "redis://:secret@127.0.0.1:21000/0"


def test_a_relative_data_directory_counts_from_the_checkout() -> None:
    assert load_settings({"WAYSTATION_DATA_DIR": "elsewhere"}).data_dir == ROOT / "elsewhere"
    assert Settings().data_dir == ROOT / "var"
