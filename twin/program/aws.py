"""boto3 clients for the emulated account: one per service and region, reused by all threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.config import Config

# A request that carries this header twice gets the first answer again (see twin/account/replay.py).
TOKEN_HEADER = "X-Stockade-Token"  # noqa: S105


class Clients:
    """Clients of one account endpoint. `account` is the account id, `region` the default region."""

    def __init__(self, endpoint: str, account: str, region: str, credentials: tuple[str, str]) -> None:
        self.endpoint = endpoint
        self.account = account
        self.region = region
        self._credentials = credentials
        self._session = botocore.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._token = threading.local()

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, e.g. "ec2"; made once."""
        key = (service, region or self.region)
        client = self._clients.get(key)
        if client is not None:
            return client
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            return self._clients[key]

    def _make(self, service: str, region: str) -> Any:
        key, secret = self._credentials
        control = (
            service == "s3control"
        )  # see twin/account: the account's number must not reach the host name
        client = self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.endpoint.replace("://", "://account@", 1) if control else self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=64,
                connect_timeout=60,
                read_timeout=300,
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )
        client.meta.events.register("before-call", self._stamp)
        return client

    def _stamp(self, params: dict[str, Any], **_: Any) -> None:
        token = getattr(self._token, "value", "")
        if token:
            params["headers"][TOKEN_HEADER] = token
            self._token.value = ""  # the first call creates; what follows is repeatable by nature

    @contextmanager
    def once(self, token: str) -> Iterator[None]:
        """Mark the next call of this thread, so that repeating it after a crash makes nothing twice."""
        self._token.value = token
        try:
            yield
        finally:
            self._token.value = ""
