from __future__ import annotations

from collections.abc import Sequence

import pytest

from fa.node.targets import addresses_of, name_of, objection

NAMES = {"mail.hall": ["10.0.0.7"], "me": ["127.0.0.1"], "both": ["10.0.0.7", "::1"], "meta": ["169.254.169.254"]}


def resolve(host: str) -> Sequence[str]:
    if host in NAMES:
        return NAMES[host]
    return addresses_of(host)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x", "json://2130706433/x", "json://0x7f000001/", "json://0177.0.0.1/", "json://[::1]/x",
        "json://[::ffff:127.0.0.1]/", "webhook+http://me/x", "json://both/", "mailto://user:pass@me",
        "webhook+https://169.254.169.254/latest/meta-data", "json://meta/", "json://0.0.0.0/", "json://[fe80::1]/",
        "json://224.0.0.1/", "dbus://", "syslog://", "JSON://127.0.0.1/", "json://[::bad/", "json://no.such.host.invalid/",
    ],
)  # fmt: skip
def test_a_factory_may_not_reach_the_coordinator_itself(url: str) -> None:
    assert objection(url, (), own=False, resolve=resolve)


@pytest.mark.parametrize("url", ["json://mail.hall/x", "mailto://u:p@mail.hall", "slack://TokenA/TokenB/TokenC"])
def test_a_factory_may_reach_others(url: str) -> None:
    assert objection(url, (), own=False, resolve=resolve) == ""


def test_keys_of_services_are_not_looked_up() -> None:
    def never(host: str) -> Sequence[str]:
        raise AssertionError(host)

    assert objection("slack://TokenA/TokenB", (), own=False, resolve=never) == ""


def test_an_allow_list_is_the_whole_list() -> None:
    hosts = ("mail.hall", "127.0.0.1", "slack://")
    for url in ("mailto://u:p@mail.hall", "json://127.0.0.1:8080/x", "slack://A/B"):
        assert objection(url, hosts, own=False) == "", url
    for url in ("json://other/", "discord://1/2", "json://mail.hall.evil/"):
        assert "alerts.hosts" in objection(url, hosts, own=False), url


def test_the_machines_own_settings_are_its_administrators_business() -> None:
    assert objection("mailto://localhost", ("mail.hall",), own=True) == ""


def test_nothing_of_a_target_but_its_scheme_is_shown() -> None:
    assert name_of("mailto://user:secret@host?token=x") == "mailto://…"
    assert name_of("slack://TokenA/TokenB") == "slack://…"
    for mistyped in ("mailto:u:secret@hall", "secret", "u:secret@hall://x"):
        assert name_of(mistyped) == "?://…"
