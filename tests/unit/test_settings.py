"""Settings: names, units, limits, secrets, and the sentences that say what is wrong."""

import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from limits import parse_many

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


OPEN_TO_OTHERS = ["0.0.0.0", "::", "192.168.1.4", "station.example"]
ON_LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]


@pytest.mark.parametrize("host", OPEN_TO_OTHERS)
def test_a_station_that_others_can_reach_asks_for_tokens(host: str) -> None:
    assert load_settings({"API_HOST": host}).auth_required
    assert load_settings({"API_HOST": host, "WAYSTATION_AUTH": "required"}).auth_required


@pytest.mark.parametrize("host", OPEN_TO_OTHERS)
def test_a_station_that_others_can_reach_refuses_to_run_open(host: str) -> None:
    (problem,) = problems_of({"API_HOST": host, "WAYSTATION_AUTH": "off"})

    assert "refuses to run open" in problem
    assert "Leave WAYSTATION_AUTH unset" in problem


@pytest.mark.parametrize("host", ON_LOOPBACK)
def test_loopback_needs_no_tokens_unless_that_is_asked_for(host: str) -> None:
    assert not load_settings({"API_HOST": host}).auth_required
    assert load_settings({"API_HOST": host, "WAYSTATION_AUTH": "required"}).auth_required


def test_a_random_admin_token_is_taken_and_never_shown() -> None:
    token = secrets.token_urlsafe(32)

    settings = load_settings({"WAYSTATION_ADMIN_TOKEN": token})

    assert settings.admin_token == token
    assert token not in repr(settings)


@pytest.mark.parametrize(
    "token", ["x" * 64, "changeme", "correct horse battery staple, and some more", "ä" * 40]
)
def test_a_weak_admin_token_is_refused_without_showing_it(token: str) -> None:
    (problem,) = problems_of({"WAYSTATION_ADMIN_TOKEN": token})

    assert problem.startswith("WAYSTATION_ADMIN_TOKEN: must be at least 32")
    assert token not in problem


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def test_a_public_key_may_have_its_line_ends_escaped_or_come_from_a_file(tmp_path: Path) -> None:
    text = pem(ed25519.Ed25519PrivateKey.generate())
    file = tmp_path / "key.pem"
    file.write_text(text)

    escaped = load_settings({"WAYSTATION_JWT_PUBLIC_KEY": text.replace("\n", "\\n")})
    named = load_settings({"WAYSTATION_JWT_PUBLIC_KEY_FILE": str(file)})

    assert escaped.takes_signed_tokens
    assert named.jwt_public_key == text.strip()


def test_a_public_key_that_would_not_hold_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the point
    for text in (pem(weak), pem(ec.generate_private_key(ec.SECP256R1())), "a password"):
        (problem,) = problems_of({"WAYSTATION_JWT_PUBLIC_KEY": text})

        assert "Ed25519, or RSA of at least 2048 bits" in problem


@pytest.mark.parametrize("url", ["http://idp.example/jwks", "ftp://idp.example", "https://", "idp"])
def test_keys_are_not_fetched_where_somebody_could_listen_in(url: str) -> None:
    (problem,) = problems_of({"WAYSTATION_JWT_JWKS_URL": url})

    assert problem.startswith("WAYSTATION_JWT_JWKS_URL: must be a URL")


def test_settings_of_signed_tokens_must_fit_together() -> None:
    url = {"WAYSTATION_JWT_JWKS_URL": "https://idp.example/jwks"}
    key = {"WAYSTATION_JWT_PUBLIC_KEY": pem(ed25519.Ed25519PrivateKey.generate())}

    assert "keep one of them" in problems_of(url | key)[0]
    assert "could be checked with" in problems_of({"WAYSTATION_JWT_ISSUER": "idp"})[0]
    assert load_settings(url | {"WAYSTATION_JWT_ISSUER": "idp"}).jwt_audience == "waystation"


@pytest.mark.parametrize(
    ("environ", "rates"),
    [
        ({}, (None, None)),
        ({"WAYSTATION_AUTH": "required"}, ("200/second", "20/second")),
        ({"WAYSTATION_RATE_LIMIT": "5/minute"}, ("5/minute", None)),
        ({"WAYSTATION_RATE_LIMIT_ANONYMOUS": "5/minute"}, (None, None)),
        (
            {
                "WAYSTATION_AUTH": "required",
                "WAYSTATION_RATE_LIMIT": "off",
                "WAYSTATION_RATE_LIMIT_ANONYMOUS": "off",
            },
            (None, None),
        ),
    ],
)
def test_callers_are_limited_where_they_are_known(
    environ: dict[str, str], rates: tuple[str | None, str | None]
) -> None:
    settings = load_settings(environ)

    assert (settings.caller_rates, settings.anonymous_rates) == rates


@pytest.mark.parametrize(
    ("text", "periods"),
    [("200/second", [1]), ("5/2 minutes;100/day", [120, 86_400]), ("7/hours; 8/second", [3600, 1])],
)
def test_a_rate_is_read_as_flask_limiter_reads_it(text: str, periods: list[int]) -> None:
    settings = load_settings({"WAYSTATION_RATE_LIMIT": text})

    assert [item.get_expiry() for item in parse_many(settings.caller_rates or "")] == periods


@pytest.mark.parametrize("text", ["200", "0/second", "-1/second", "1/fortnight", "1/second;", "on"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    (problem,) = problems_of({"WAYSTATION_RATE_LIMIT": text})

    assert problem.startswith("WAYSTATION_RATE_LIMIT: must be off, or rates like 200/second")


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
