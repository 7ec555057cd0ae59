"""Signature: who made a bundle, as an Ed25519 signature over its manifest's bytes.

The manifest holds the digest of every file, so one signature vouches for all of them. Source:
RFC 8032; keys as PEM (PKCS 8 for the private one, SubjectPublicKeyInfo for public ones).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftloop_contracts.errors import BundleRefused, InvalidInput

FILE = "manifest.sig"
SIGNING_KEY, TRUSTED_KEYS = "DRIFTLOOP_SIGNING_KEY", "DRIFTLOOP_TRUSTED_KEYS"
"""Variables that hold a private key, and any number of public ones: more while keys change."""
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True)
class Trusted:
    """The keys whose bundles may load; none at all: every bundle may."""

    keys: tuple[Any, ...] = ()

    def check(self, manifest: bytes, signature: bytes | None, path: str) -> None:
        """Raise BundleRefused unless one of the keys signed the manifest at ``path``."""
        if not self.keys:
            return
        if signature is None:
            raise BundleRefused(f"{path} is not signed, and {TRUSTED_KEYS} is set.")
        if not any(_verifies(key, manifest, signature) for key in self.keys):
            raise BundleRefused(f"{path} is signed by none of the trusted keys.")


ANYONE = Trusted()


def sign(manifest: bytes, private_key: str) -> bytes:
    """Return the signature of ``manifest``, 64 bytes; raise InvalidInput for a wrong key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    allowed = "an unencrypted Ed25519 private key in PEM"
    try:
        key = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):  # whose message might tell of the key
        raise InvalidInput(SIGNING_KEY, "the environment", allowed, "another text") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(SIGNING_KEY, "the environment", allowed, type(key).__name__)
    return key.sign(manifest)


def trusted(environ: Mapping[str, str]) -> Trusted:
    """Return the trusted keys in ``environ``; raise InvalidInput for a text that holds none."""
    text = environ.get(TRUSTED_KEYS, "")
    if not text.strip():
        return ANYONE
    found = PEM.findall(text)
    if not found:
        allowed = "one or more public keys in PEM"
        # Not the text itself: it may be the private key.
        raise InvalidInput(TRUSTED_KEYS, "the environment", allowed, "a text without one")
    return Trusted(tuple(_public(pem) for pem in found))


def pair() -> tuple[str, str]:
    """Return a new private key and its public key, as PEM."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def _public(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    allowed = "Ed25519 public keys in PEM"
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise InvalidInput(TRUSTED_KEYS, "the environment", allowed, pem[:60]) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(TRUSTED_KEYS, "the environment", allowed, type(key).__name__)
    return key


def _verifies(key: Any, manifest: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True
