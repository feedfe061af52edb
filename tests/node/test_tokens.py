from dataclasses import replace

import pytest

from fa.core.model import Role
from fa.errors import Invalid
from fa.node.tokens import make_api_token, make_join_token, proves, read_api_token, read_join_token

PIN = bytes(range(32))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_an_api_token_proves_itself(role):
    text, row = make_api_token(role, at=1000, expires_at=2000)
    shown = read_api_token(text)
    assert text.startswith(f"fa_{role}_") and shown.id == row.id
    assert shown.secret not in repr(row)
    assert proves(row, shown.secret, 1999)
    assert not proves(row, shown.secret, 2000)
    assert not proves(row, shown.secret[:-1] + "!", 1999)
    assert not proves(replace(row, expires_at=None), "\udcff", 1999)


def test_a_join_token_can_be_typed_by_hand():
    text, row = make_join_token("0f3a-9c11-77aa", PIN, at=0, expires_at=10)
    shown = read_join_token(f"  {text.lower()}\n")
    assert (shown.id, shown.pin) == (row.id, PIN)
    assert text.startswith("FA1-0F3A9C11-") and row.uses_left == 1
    assert proves(row, shown.secret, 5)
    assert not proves(replace(row, uses_left=0), shown.secret, 5)


def test_any_slip_of_one_character_is_seen(monkeypatch):
    monkeypatch.setattr("secrets.token_bytes", lambda size: bytes(range(size)))  # two characters let 1 in 1,024 through
    text, _ = make_join_token("0f3a9c11", PIN, at=0, expires_at=None)
    for place, was in enumerate(text):
        with pytest.raises(Invalid):
            read_join_token(text[:place] + ("A" if was != "A" else "B") + text[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "fa_admin", "fa_node_AAAAAAAA_" + "a" * 43, "fa_root_AAAAAAAA_" + "a" * 43, "FA1-x"]
)
def test_what_is_no_token(text):
    assert read_api_token(text) is None
    with pytest.raises(Invalid, match="not a join token"):
        read_join_token(text)
