"""Secrets by the name before them, however it is written; the quick look before the search misses none."""

import random

import pytest

from verify import evidence

NAMES = (
    *(
        "pre_shared_key",
        "presharedkey",
        "pre-shared-key",
        "psk",
        "passwd",
        "password",
        "passphrase",
        "secret",
    ),
    *(
        "SecretString",
        "secret_binary",
        "SecretAccessKey",
        "token",
        "session_token",
        "AuthToken",
        "access-token",
    ),
    *("api_key", "apikey", "api-key", "authorization", "PASSWORD", "Api-Key", "pa\u017f\u017fword"),
    *("ap\u0131-key", "AP\u0130_KEY", "to\u212aen", "p\u017f\u212a"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_behind_the_name_of_a_secret_is_gone(name: str) -> None:
    assert evidence.redact(f"x {name}=wonderland y") == f"x {name}=[redacted] y"
    assert "wonderland" not in evidence.redact(f'{{"{name}": "wonderland"}}')


def test_the_look_before_the_search_changes_no_result() -> None:
    parts = [
        *NAMES,
        "key",
        "api",
        "shared",
        "_",
        "-",
        '"',
        "'",
        ":",
        "=",
        " ",
        "Bearer ",
        "x",
        "\u0307",
        "\u0131",
    ]
    chance = random.Random(5)
    for _ in range(5000):
        text = "".join(chance.choice(parts) for _ in range(chance.randint(1, 8)))
        searched = text
        for pattern in evidence._SECRETS:
            searched = pattern.sub(lambda found: f"{found.group(1)}[redacted]", searched)
        assert evidence.redact(text) == searched, ascii(text)
