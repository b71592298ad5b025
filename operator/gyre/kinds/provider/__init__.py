"""A Provider says what computing costs: a price list for the nodes that its labels choose.

Promises   status tells what has a price now, which nodes it prices, and which nodes of the cluster nobody prices, each with the
           fix; entries of one list never overlap (the API server refuses them).
Children   none
Never      guesses a price: a node, a device or a kind of capacity without one is Unknown, and so is what runs on it.

    created ──▶ Priced ──▶ … (a price begins or ends)
                  ├── Contested (Stalled): another Provider claims the same nodes
                  └── Expired (Stalled): no price holds any more

Conditions   Ready, NodesPriced
"""

from __future__ import annotations

from gyre.adapters.prices import price_list, terms_of
from gyre.api import gvks
from gyre.api.kind import Kind, Watch
from gyre.kinds.provider.decide import decide
from gyre.kinds.provider.model import Provider
from gyre.kinds.provider.observe import gather
from gyre.kinds.provider.reasons import Reason
from gyre.kinds.provider.status import CONDITIONS, summarize

KIND = Kind(
    model=Provider,
    gvk=gvks.PROVIDER,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    watches=(
        Watch(gvks.NODE, managed=False, everyone=terms_of),
        Watch(gvks.PROVIDER, managed=False, everyone=price_list),
    ),
)
