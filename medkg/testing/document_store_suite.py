"""What every DocumentStore promises: documents come back as they were, by version and fingerprint.

A test module subclasses DocumentStoreSuite and gives it a `store` fixture.
"""

from __future__ import annotations

from medkg.testing.builders import a_context, a_document
from orchestration.contracts import DocumentStore
from orchestration.records import DocumentKey, StageContext

V1, V2, F1, F2 = "1" * 64, "2" * 64, "a" * 64, "b" * 64


def a_version(version: str = V1, fingerprint: str = F1, tenant_id: str = "default") -> StageContext:
    return a_context("doc-1", source="files", version=version, fingerprint=fingerprint, tenant_id=tenant_id)


class DocumentStoreSuite:
    """Subclassed once an implementation."""

    def test_a_document_comes_back_as_it_was(self, store: DocumentStore) -> None:
        document = a_document(title="β & “quotes” \U0001d6fd\n", version=V1)
        store.put([(a_version(), document)])
        assert store.get(a_version().key, V1, F1) == document

    def test_versions_and_fingerprints_are_kept_apart(self, store: DocumentStore) -> None:
        for version, fingerprint, title in ((V1, F1, "one"), (V2, F1, "two"), (V1, F2, "three")):
            store.put([(a_version(version, fingerprint), a_document(title=title, version=version))])
        key = a_version().key
        titles = [
            document.title
            for version, fingerprint in ((V1, F1), (V2, F1), (V1, F2))
            if (document := store.get(key, version, fingerprint)) is not None
        ]
        assert titles == ["one", "two", "three"]
        assert store.get(key, V2, F2) is None

    def test_putting_again_replaces(self, store: DocumentStore) -> None:
        for title in ("first", "second", "second"):
            store.put([(a_version(), a_document(title=title, version=V1))])
        assert store.titles([(a_version().key, V1)]) == ["second"]
        assert list(store.held("default")) == [(a_version().key, V1, F1)]

    def test_titles_come_in_the_order_asked_for(self, store: DocumentStore) -> None:
        store.put([(a_version(), a_document(title="one", version=V1))])
        key = a_version().key
        unknown = DocumentKey(tenant_id="default", source="files", doc_id="unknown")
        assert store.titles([(unknown, V1), (key, V1), (key, V2)]) == [None, "one", None]

    def test_a_document_is_discarded_whole_or_but_for_one_version(self, store: DocumentStore) -> None:
        key = a_version().key
        for version in (V1, V2):
            store.put([(a_version(version), a_document(version=version))])
        for _ in range(2):
            store.discard(key, (V2, F1))
        assert list(store.held("default")) == [(key, V2, F1)]
        store.discard(key, None)
        assert store.get(key, V2, F1) is None

    def test_a_copy_stands_under_another_fingerprint_beside_the_first(self, store: DocumentStore) -> None:
        key, document = a_version().key, a_document(title="one", version=V1)
        store.put([(a_version(), document)])
        for _ in range(2):
            store.copy([(key, V1, F1, F2), (key, V2, F1, F2)])
        assert store.get(key, V1, F2) == store.get(key, V1, F1) == document
        assert sorted(store.held("default")) == [(key, V1, F1), (key, V1, F2)]
        store.forget([(key, V1, F1)])
        assert store.get(key, V1, F2) == document

    def test_named_versions_are_forgotten(self, store: DocumentStore) -> None:
        key = a_version().key
        for version in (V1, V2):
            store.put([(a_version(version), a_document(version=version))])
        for _ in range(2):
            store.forget([(key, V1, F1), (key, V2, F2)])
        assert list(store.held("default")) == [(key, V2, F1)]

    def test_tenants_never_see_each_other(self, store: DocumentStore) -> None:
        store.put([(a_version(), a_document(version=V1))])
        other = a_version(tenant_id="other").key
        assert store.get(other, V1, F1) is None
        assert store.titles([(other, V1)]) == [None]
        assert list(store.held("other")) == []
        store.discard(other, None)
        store.forget([(other, V1, F1)])
        assert len(list(store.held("default"))) == 1

    def test_the_topology_of_a_document_is_known_also_of_its_copies(self, store: DocumentStore) -> None:
        store.put([(a_version(), a_document(version=V1))])
        store.copy([(a_version().key, V1, F1, F2)])
        assert sorted(store.provenance("default"), key=lambda document: document.fingerprint) == [
            (a_version().key, V1, fingerprint, "auto", "2025-01-01", None) for fingerprint in (F1, F2)
        ]
        revised = a_version(V2).with_metadata(revision="2026-02")
        store.put([(revised, a_document(version=V2))])
        assert {each.revision for each in store.provenance("default") if each.version == V2} == {"2026-02"}

    def test_tenants_with_documents_are_listed(self, store: DocumentStore) -> None:
        assert store.tenants() == []
        for tenant_id in ("other", "default"):
            store.put([(a_version(tenant_id=tenant_id), a_document(tenant_id=tenant_id, version=V1))])
        assert store.tenants() == ["default", "other"]
        store.discard(a_version(tenant_id="other").key, None)
        assert store.tenants() == ["default"]

    def test_a_new_store_is_empty_and_sound(self, store: DocumentStore) -> None:
        assert list(store.held("default")) == []
        assert store.damage() is None
        store.repair()
