"""Which encoders and filters the array's factories ask for, as its coordinator reads it: nodes prove them
(`fa.node.proofs`) before the first task needs them."""

from __future__ import annotations

from fa.core.model import FactoryVersion
from fa.core.recipe import RecipeError, parse_factory
from fa.core.recipe_needs import requirements, to_prove
from fa.store.readers import Readers


def wanted_by(row: FactoryVersion) -> frozenset[str]:
    """Nothing where this fa cannot read it."""
    try:
        factory = parse_factory(row.text)
    except RecipeError:
        return frozenset()
    return to_prove(word for product in factory.products for word in requirements(factory, product))


async def wanted_by_all(readers: Readers) -> frozenset[str]:
    """By all that are offered, and by what was ever submitted: a job keeps its version of a factory."""
    words = {word for row in await readers.factories() for word in wanted_by(row)}
    return to_prove(words.union(*(group.requires for group in await readers.groups())))
