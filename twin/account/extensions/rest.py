"""What an added operation of a JSON service needs: its parameters by AWS's own model, and a path to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def asked(response: Any) -> dict[str, Any]:
    """The request's parameters under the names of botocore's model, wherever they travelled (path, query,
    body).
    """
    response._get_action()  # fills in what stands in the path
    response.parse_parameters(response.normalized_request)
    return {name: value for name, value in response.params.items() if value is not None}


def route(urls: Any, response: Any, *paths: str) -> None:
    """Let `{0}<path>` reach a response class of moto; botocore then knows the operation. What varies in it
    is a named group, the only kind that moto hands to Flask.
    """
    for path in paths:
        urls.url_paths.setdefault("{0}" + path, response.dispatch)


def retag(tags: dict[str, str], wanted: Mapping[str, Any]) -> None:
    """Apply TagResource (`Tags`/`tags`) or UntagResource (`TagKeys`/`tagKeys`) parameters."""
    tags.update(wanted.get("Tags") or wanted.get("tags") or {})
    for key in wanted.get("TagKeys") or wanted.get("tagKeys") or []:
        tags.pop(key, None)
