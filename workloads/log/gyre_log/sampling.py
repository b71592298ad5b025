"""Which requests are logged: decided by the request's id alone, so that whoever asks, and however often, gets one answer."""

from __future__ import annotations

import hashlib
import re
from typing import Final

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._:]{0,127}")
"""What is taken for a request id when a caller or a gateway gives one."""
BUCKETS: Final = 10_000


def chosen(request_id: str, percent: int) -> bool:
    """`percent` of all ids, the same ones everywhere; a larger percentage has those of a smaller one and more."""
    if percent >= 100:
        return True
    place = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big") % BUCKETS
    return place < percent * (BUCKETS // 100)
