"""The bucket as it is prepared, and what the keys of each service may do in it."""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import minio_server
import pytest
from minio import Minio
from minio.credentials import AssumeRoleProvider

from driftloop.adapters import bucket as buckets
from driftloop.resources.bucket_policies import SERVICES, policy
from driftloop_contracts.errors import StoreUnavailable
from driftloop_contracts.object_store import S3Store, open_store

pytestmark = pytest.mark.s3

FOLDERS = ("bundles", "inference", "retrainings", "requests", "outcomes", "features")
KEYS = tuple(f"{folder}/a" for folder in (*FOLDERS, "reviews", "cohorts"))
JOBS = {"inference/a", "outcomes/a", "bundles/a", "reviews/a", "cohorts/a"}
MAY = {
    "serving": ({"bundles/a"}, {"inference/a"}),
    "pipelines": (set(KEYS), {"bundles/a", "retrainings/a", "reviews/a", "cohorts/a"}),
    "jobs": (JOBS, {"cohorts/a"}),
    "controller": ({"retrainings/a"}, set()),
    "ingestion": ({"requests/a", "outcomes/a", "features/a"},) * 2,
}


@pytest.fixture
def store(minio: dict[str, str]) -> S3Store:
    """A bucket that does not exist yet."""
    found = open_store(f"s3://b-{secrets.token_hex(4)}", minio)
    assert isinstance(found, S3Store)
    return found


def as_service(service: str, folder: str, store: S3Store, minio: dict[str, str]) -> S3Store:
    """Return the store as who has keys with that service's policy sees it."""
    endpoint = minio["AWS_ENDPOINT_URL"]
    provider = AssumeRoleProvider(
        sts_endpoint=endpoint,
        access_key=minio["AWS_ACCESS_KEY_ID"],
        secret_key=minio["AWS_SECRET_ACCESS_KEY"],
        policy=json.dumps(policy(service, store.bucket, folder)),
        region="us-east-1",
    )
    address = endpoint.removeprefix("http://")
    client = Minio(address, credentials=provider, secure=False, region="us-east-1")
    return S3Store(client, store.bucket, store.prefix)


def allowed(act: Callable[[], object]) -> bool:
    try:
        act()
    except StoreUnavailable as error:
        if "AccessDenied" not in str(error):
            raise
        return False
    return True


def test_every_service_is_looked_at() -> None:
    assert set(MAY) == set(SERVICES)


@pytest.mark.parametrize("service", MAY)
def test_a_services_keys_do_what_it_needs_and_nothing_else(
    store: S3Store, minio: dict[str, str], service: str
) -> None:
    buckets.prepare(store, ["ads"], 100)
    for folder in ("ads", "routing"):
        for key in KEYS:
            store.put(f"{folder}/{key}", b"1")
    own, reads, writes = as_service(service, "ads", store, minio), *MAY[service]
    for key in KEYS:
        assert allowed(lambda k=key: own.get(f"ads/{k}")) is (key in reads), key
        assert allowed(lambda k=key: own.list(f"ads/{k[:-1]}")) is (key in reads), key
        assert allowed(lambda k=key: own.put(f"ads/{k}", b"2")) is (key in writes), key
        assert not allowed(lambda k=key: own.get(f"routing/{k}"))
        assert not allowed(lambda k=key: own.put(f"routing/{k}", b"2"))
    assert not allowed(lambda: own.list(""))


def test_a_bucket_is_made_once_and_keeps_what_else_is_set(store: S3Store) -> None:
    for namespaces in (["ads"], ["ads", "routing"]):
        buckets.prepare(store, namespaces, 100)
    assert buckets.versioned(store)
    rules = store.client.get_bucket_lifecycle(store.bucket).rules
    found = {rule.rule_id: rule.rule_filter.prefix for rule in rules}
    assert found == {
        "driftloop": "",
        "driftloop-ads": "ads/inference/",
        "driftloop-routing": "routing/inference/",
    }
    store.put("ads/bundles/a", b"old")
    store.put("ads/bundles/a", b"new")
    listed = store.client.list_objects(store.bucket, recursive=True, include_version=True)
    assert len(list(listed)) == 2


def test_the_commands_say_what_they_did(store: S3Store, minio: dict[str, str]) -> None:
    def driftloop(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | minio | {"DRIFTLOOP_STORE": f"s3://{store.bucket}"}
        command = [sys.executable, "-m", "driftloop.cli", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True)

    done = driftloop("bucket", "ads")
    assert done.returncode == 0, done.stderr
    assert "keeps versions; inference is kept 400 days." in done.stdout
    assert buckets.versioned(store)
    printed = driftloop("policy", "serving", "ads").stdout
    assert json.loads(printed) == policy("serving", store.bucket, "ads")
    for wrong in (("policy", "nobody", "ads"), ("policy", "serving", "../ads"), ("bucket", "A")):
        refused = driftloop(*wrong)
        assert refused.returncode == 2
        assert "must be" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_store_over_tls_is_reached_by_who_trusts_its_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    public = certificates / "public.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", certificates / "private.key", "-out", public, "-subj", "/CN=minio"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    with minio_server.serving(tmp_path / "data", certificates) as environ:
        with monkeypatch.context() as trusting:
            trusting.setenv("SSL_CERT_FILE", str(public))
            minio_server.create_bucket(environ)
            open_store(f"s3://{minio_server.BUCKET}", environ).put("a", b"1")
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        assert ssl.get_default_verify_paths().cafile != str(public)
        with pytest.raises(StoreUnavailable):
            open_store(f"s3://{minio_server.BUCKET}", environ).get("a")
