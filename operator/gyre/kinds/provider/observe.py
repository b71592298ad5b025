"""The only reads a Provider makes: the nodes of the cluster, and the other Providers, who may claim the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from gyre.adapters.prices import NodeTerms, book
from gyre.api import gvks
from gyre.api.kind import Reader
from gyre.cost.prices import Book
from gyre.kinds.provider.model import Provider


@dataclass(frozen=True, slots=True)
class Observed:
    nodes: tuple[NodeTerms, ...] = ()
    everybody: Book = field(default_factory=Book)
    """All Providers, this one among them, whatever their currency."""


async def gather(reader: Reader, provider: Provider) -> Observed:
    nodes = tuple(NodeTerms.of(obj) for obj in reader.everything(gvks.NODE))
    return Observed(nodes, book(reader.everything(gvks.PROVIDER)))
