"""Reads an AWS account: read-only by construction, each answer fetched once, everything read noted as
evidence."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from settings.calendar import genuine
from verify.evidence import Recorder

READING = ("batch_get_", "describe_", "get_", "head_", "list_", "search_")


class AccountFault(RuntimeError):
    """The account does not answer, refuses to, or does not know the call: nothing is proven by that."""


class Account:
    """One AWS account as the usual AWS_… environment reaches it."""

    def __init__(self, region: str, recorder: Recorder) -> None:
        self.region = region
        self._recorder = recorder
        # An endpoint of one's own has no DNS name per bucket. Real AWS keeps its default addressing.
        own = any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ)
        if not own:
            genuine()
        self._config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"} if own else None,
        )
        self._session: Any = boto3.session.Session(region_name=region)
        self._clients: dict[tuple[str, str], Any] = {}
        self._answers: dict[str, dict[str, Any] | AccountFault | None] = {}
        self._shown: dict[str, str] = {}
        self._lost: dict[str, str] = {}

    def read(
        self,
        service: str,
        operation: str,
        *,
        region: str | None = None,
        absent: tuple[str, ...] = (),
        **parameters: Any,
    ) -> dict[str, Any] | None:
        """One API answer, all pages of it; None when the account answers with one of the `absent` error
        codes.

        Raises AccountFault when there is no answer, ValueError for an operation that is not a reading one.
        """
        if not operation.startswith(READING):
            raise ValueError(f"{service} {operation} is no reading call; verification changes nothing")
        where = region or self.region
        name = f"{service}.{operation} {json.dumps(parameters, sort_keys=True, default=str)}"
        key = f"{where} {name}"
        if key not in self._answers:
            self._answers[key] = self._fetch(where, service, operation, absent, parameters)
        answer = self._answers[key]
        if isinstance(answer, AccountFault):
            self._recorder.note(name, str(answer))
            raise answer
        if key not in self._shown:
            self._shown[key] = "none" if answer is None else json.dumps(answer, default=str)
        self._recorder.note(name, self._shown[key])
        return answer

    def need(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """As `read`, for an answer that always exists."""
        answer = self.read(service, operation, **parameters)
        if answer is None:
            raise AccountFault(f"{service} {operation} gave no answer")
        return answer

    def _fetch(
        self, region: str, service: str, operation: str, absent: tuple[str, ...], parameters: dict[str, Any]
    ) -> dict[str, Any] | AccountFault | None:
        asked = f"{service} {operation} in {region}"
        endpoint = ""
        try:
            client = self._client(region, service)
            endpoint = client.meta.endpoint_url
            if endpoint in self._lost:  # asked once, with retries: not again for each of a thousand reads
                return AccountFault(f"{asked}: {self._lost[endpoint]}")
            if client.can_paginate(operation):
                answer = client.get_paginator(operation).paginate(**parameters).build_full_result()
            else:
                answer = getattr(client, operation)(**parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in absent:
                return None
            return AccountFault(f"{asked}: {error}")
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            self._lost[endpoint] = str(error)
            return AccountFault(f"{asked}: {error}")
        except BotoCoreError as error:
            return AccountFault(f"{asked}: {error}")
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def _client(self, region: str, service: str) -> Any:
        if (region, service) not in self._clients:
            self._clients[region, service] = self._session.client(
                service, region_name=region, config=self._config
            )
        return self._clients[region, service]
