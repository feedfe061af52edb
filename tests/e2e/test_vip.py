"""The virtual address goes where the coordinator is, and clients on another host follow it by gratuitous ARP."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import kit, networks
from tests.e2e.networks import VIP, ArpListener, Array

MISSING = networks.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CLIENT = "client"


@pytest.fixture
def array(tmp_path: Path, proved: Path) -> Iterator[Array]:
    with networks.networked(tmp_path, proved) as made:
        made.network.plug_in(CLIENT)
        yield made


def test_it_follows_the_coordinator(array: Array, tmp_path: Path) -> None:
    """Through a switchover, SIGSTOP and kill -9 of the holder: one holder, announced, and answering."""
    arp = ArpListener(array.network, CLIENT, tmp_path / "arp.log")
    try:
        array.found("a", "--slots", "1", "--witness", "volume:san", "--vip", f"{VIP}/24@eth0")
        array.join("b", "--slots", "1")
        array.wait_mirror()
        kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
        _is_at(array, "a")
        array["a"].post("/v1/mirror/switchover", {"node": "b"})
        _is_at(array, "b")
        array.wait_mirror()

        array["b"].signal(signal.SIGSTOP)  # its kernel would go on answering ARP: the guardian gives the address up
        _is_at(array, "a")
        array["b"].signal(signal.SIGCONT)
        array.wait_mirror()
        _is_at(array, "a")

        array["a"].kill()
        _is_at(array, "b")
        kit.wait_until("each move was announced", lambda: len(arp.heard(VIP)) >= 4)
    finally:
        arp.close()


def _is_at(array: Array, name: str) -> None:
    """`name` alone holds the address, and who asks there from another host is answered."""
    network, certificate = array.network, array["a"].root / "tls" / "ca.pem"
    others = array.others(name)
    kit.wait_until(f"{name} holds the address", lambda: network.holds(name, VIP))
    kit.wait_until("nobody else does", lambda: not any(network.holds(other, VIP) for other in others))
    url = f"https://{VIP}:{networks.PORT}/healthz"
    kit.wait_until("a client is answered", lambda: networks.fetch(network, CLIENT, url, certificate))
