"""A package that is fit to be published, and servers to publish it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instanseg_export.publishing.answers import Service
from instanseg_export.publishing.client import Client
from instanseg_export.publishing.package import PublishedPackage, checked_package
from instanseg_export.publishing.zoo.manager import ArtifactManager
from support.fake_zoo import FakeZoo, serve, token_for

ALICE = token_for("alice|1", "Alice@example.com")


@pytest.fixture(scope="session")
def package(demo_package: Path) -> Iterator[PublishedPackage]:
    """The demo's, as it was exported; the zoo's test ran then."""
    with checked_package(demo_package, test=False) as checked:
        yield checked


@pytest.fixture
def zoo() -> Iterator[FakeZoo]:
    """A strict server, of which no test may take advantage."""
    fake = FakeZoo()
    with serve(fake):
        yield fake
    assert fake.violations == []


@pytest.fixture
def manager_of(zoo: FakeZoo) -> Iterator[Callable[..., ArtifactManager]]:
    """Give the verbs of the server to the owner of a token; nobody waits before another try."""
    clients: list[Client] = []

    def manager(token: str = ALICE) -> ArtifactManager:
        service = Service("the model zoo", zoo.address, "HYPHA_TOKEN", "make one")
        clients.append(Client(service, token, sleep=lambda seconds: None, timeout=20))
        return ArtifactManager(clients[-1])

    yield manager
    for client in clients:
        client.__exit__(None, None, None)
