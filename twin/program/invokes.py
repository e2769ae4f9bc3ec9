"""Look-ups (`aws.get_…`) that a program may do. A look-up that is not in the table is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fault
from twin.program.aws import Clients
from twin.program.handlers.spec import to_pulumi

Plain = dict[str, Any]


def _caller(clients: Clients, _region: str, _args: Plain) -> Plain:
    found = clients.client("sts").get_caller_identity()
    return {
        "accountId": found["Account"],
        "arn": found["Arn"],
        "userId": found["UserId"],
        "id": found["Account"],
    }


def _region(_clients: Clients, region: str, args: Plain) -> Plain:
    name = args.get("region") or region
    return {
        "id": name,
        "name": name,
        "region": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
        "description": name,
    }


def _partition(_clients: Clients, _region: str, _args: Plain) -> Plain:
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def _zones(clients: Clients, region: str, args: Plain) -> Plain:
    found = clients.client("ec2", region).describe_availability_zones()["AvailabilityZones"]
    wanted = args.get("state")
    kept = [zone for zone in found if wanted is None or zone["State"] == wanted]
    names = [zone["ZoneName"] for zone in kept]
    return {
        "id": region,
        "names": names,
        "zoneIds": [zone["ZoneId"] for zone in kept],
        "groupNames": [region],
    }


def _ami(clients: Clients, region: str, args: Plain) -> Plain:
    filters = [{"Name": item["name"], "Values": item["values"]} for item in args.get("filters", [])]
    found = clients.client("ec2", region).describe_images(Owners=args.get("owners", []), Filters=filters)
    images = sorted(found["Images"], key=lambda image: str(image.get("CreationDate", "")))
    if not images or (len(images) > 1 and not args.get("mostRecent")):
        raise fault.Fault(f"getAmi: {len(images)} images match", "exactly one may", "narrow the filters")
    image: Plain = to_pulumi(images[-1])
    return {**image, "id": image["imageId"], "tags": {}}


TABLE: dict[str, Callable[[Clients, str, Plain], Plain]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ec2/getAmi:getAmi": _ami,
}


def answer(token: str, clients: Clients | None, region: str, args: Plain) -> Plain:
    """The look-up's result. Raises Fault for a token outside the table."""
    function = TABLE.get(token)
    if function is None:
        raise fault.Fault(
            f"invoke {token}",
            "the twin answers " + ", ".join(sorted(TABLE)),
            "add it to twin/program/invokes.py",
        )
    if clients is None:
        raise fault.Fault(
            f"invoke {token}", "a preview without an account cannot look things up", "start the twin"
        )
    return function(clients, region, args)
