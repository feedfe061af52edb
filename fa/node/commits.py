"""How long a group commit takes from this disk to every copy: what the mirror screen shows."""

from __future__ import annotations

from collections import deque

WINDOW = 256  # commits


class Commits:
    def __init__(self) -> None:
        self._travelling: deque[tuple[int, float]] = deque()
        self._delays: deque[float] = deque(maxlen=WINDOW)
        self._times: deque[float] = deque(maxlen=WINDOW)

    def began(self, txid: int, now: float) -> None:
        self._travelling.append((txid, now))

    def acknowledged(self, txid: int, now: float) -> None:
        while self._travelling and self._travelling[0][0] <= txid:
            _, began = self._travelling.popleft()
            self._delays.append(now - began)
            self._times.append(now)

    @property
    def delay_ms(self) -> float:
        """Median of the last commits, in ms; 0 before the first."""
        delays = sorted(self._delays)
        return round(delays[len(delays) // 2] * 1000, 2) if delays else 0.0

    @property
    def last_ms(self) -> float:
        """Of the last commit, in ms; 0 before the first."""
        return round(self._delays[-1] * 1000, 2) if self._delays else 0.0

    @property
    def per_second(self) -> float:
        """Rate over the last commits; 0 when there were fewer than two."""
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        return round((len(self._times) - 1) / span, 1) if span > 0 else 0.0
