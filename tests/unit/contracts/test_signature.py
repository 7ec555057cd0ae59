"""Only bundles that somebody trusted has signed are taken, where anybody is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from driftloop.bundle import packing
from driftloop_contracts import bundle, signature, times
from driftloop_contracts.errors import BundleRefused, InvalidInput
from driftloop_contracts.object_store import FileStore
from driftloop_contracts.signature import ANYONE, Trusted

FILES = {"model.skops": b"model", "baseline.json": b"{}"}
END = times.from_text("2026-01-01T00:00:00Z")


def trust(*public: str) -> Trusted:
    return signature.trusted({signature.TRUSTED_KEYS: "\n".join(public)})


def packed(store: FileStore, key: str = "") -> str:
    made = packing.write(store, "ads", 1, END, files=FILES, facts={}, signing_key=key)
    return made.version


def test_a_signed_bundle_is_taken_by_who_trusts_its_key(tmp_path: Path) -> None:
    (private, public), (_, other) = signature.pair(), signature.pair()
    store = FileStore(tmp_path / "store")
    version = packed(store, private)
    # Keys change one after the other: for a time both are trusted.
    for number, trusted in enumerate((trust(public), trust(other, public), ANYONE)):
        folder = tmp_path / str(number)
        assert bundle.fetch(store, "ads", version, folder, trusted).version == version
    with pytest.raises(BundleRefused, match="none of the trusted keys"):
        bundle.fetch(store, "ads", version, tmp_path / "refused", trust(other))


def test_an_unsigned_bundle_is_refused_where_keys_are_trusted(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    version = packed(store)
    assert bundle.fetch(store, "ads", version, tmp_path / "taken", ANYONE)
    with pytest.raises(BundleRefused, match="is not signed"):
        bundle.fetch(store, "ads", version, tmp_path / "refused", trust(signature.pair()[1]))


@pytest.mark.parametrize("name", [bundle.MANIFEST, signature.FILE, "model.skops"])
def test_no_byte_of_a_signed_bundle_may_flip(tmp_path: Path, name: str) -> None:
    private, public = signature.pair()
    store = FileStore(tmp_path / "store")
    version = packed(store, private)
    key = bundle.key("ads", version, name)
    content = bytearray(store.get(key))
    for place in range(0, len(content), max(1, len(content) // 16)):
        content[place] ^= 1
        store.put(key, bytes(content))
        with pytest.raises(BundleRefused):
            bundle.fetch(store, "ads", version, tmp_path / f"{name}{place}", trust(public))
        content[place] ^= 1


def test_a_signature_vouches_for_one_manifest_alone(tmp_path: Path) -> None:
    """Somebody who may write to the bucket cannot dress another bundle in it."""
    private, public = signature.pair()
    store = FileStore(tmp_path / "store")
    signed = packed(store, private)
    other = packing.write(store, "ads", 2, END, files={"model.skops": b"evil"}, facts={}).version
    taken = store.get(bundle.key("ads", signed, signature.FILE))
    store.put(bundle.key("ads", other, signature.FILE), taken)
    with pytest.raises(BundleRefused, match="none of the trusted keys"):
        bundle.fetch(store, "ads", other, tmp_path / "other", trust(public))


def test_what_is_no_key_is_refused_and_a_private_one_never_shown(tmp_path: Path) -> None:
    private, public = signature.pair()
    curve = generate_private_key(SECP256R1())
    foreign = curve.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    for key in ("text", public, private[:60], foreign.decode()):
        with pytest.raises(InvalidInput) as caught:
            signature.sign(b"manifest", key)
        assert key == "text" or key[30:60] not in str(caught.value)
    known = curve.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    broken = public.replace("MCow", "AAAA")
    for text in ("text", known.decode(), broken, private):
        with pytest.raises(InvalidInput) as caught:
            signature.trusted({signature.TRUSTED_KEYS: text})
        assert private[30:60] not in str(caught.value)


def test_nobody_named_is_anybody() -> None:
    assert signature.trusted({}) == signature.trusted({signature.TRUSTED_KEYS: " "}) == ANYONE
