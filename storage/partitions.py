"""How data is divided: which bucket, prefix and key each class and each customer has, and which server roles
may write and read there. Pure: the same answer serves keys, buckets, node roles and the region contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iam.node_policies import DataAccess
from settings.data import Customer, DataClass
from storage.names import bucket_name, class_bucket, class_patterns

# Inside a shared bucket a customer's objects lie under this and its name.
CUSTOMERS = "customers"


@dataclass(frozen=True)
class Partition:
    """One bucket of a data class. `customer` None: the shared one; `tenants`: customers with a prefix in it.

    `key` is the purpose of its default key, as in `Keys` and in the region contract.
    """

    name: str
    bucket: str
    data_class: str
    customer: str | None
    key: str
    tenants: tuple[str, ...] = ()

    @property
    def child(self) -> str:
        """The name of its resources: `data-records`, `customer-acme-bank--records`."""
        if self.customer is None:
            return f"data-{self.data_class}"
        return f"customer-{self.customer}--{self.data_class}"


def key_of_class(data_class: str) -> str:
    """The purpose of a class's own key."""
    return f"data/{data_class}"


def key_of_customer(customer: str) -> str:
    """The purpose of a customer's key."""
    return f"customer/{customer}"


def tenant_prefix(customer: str) -> str:
    """Where a customer's objects lie in a shared bucket."""
    return f"{CUSTOMERS}/{customer}/"


def partitions(
    classes: Mapping[str, DataClass], customers: Mapping[str, Customer], stack: str, account: str
) -> list[Partition]:
    """Every bucket of data: one shared for each class, one for each class of a customer with own buckets."""
    found = []
    for name in classes:
        tenants = [key for key, c in customers.items() if name in c.classes and c.partition == "prefix"]
        bucket = class_bucket(stack, account, name)
        found.append(
            Partition(f"data/{name}", bucket, name, None, key_of_class(name), tuple(sorted(tenants)))
        )
    for customer, stated in customers.items():
        if stated.partition == "bucket":
            found += [
                Partition(
                    f"customer/{customer}/{name}",
                    class_bucket(stack, account, name, customer),
                    name,
                    customer,
                    key_of_customer(customer),
                )
                for name in stated.classes
            ]
    return found


def data_access(
    classes: Mapping[str, DataClass], roles: Sequence[str], stack: str, account: str
) -> dict[str, DataAccess]:
    """What each server role does with data, by classes alone: customers come and go without a change of any
    role.
    """
    aliases = [f"alias/stockade/{stack}/{kind}/*" for kind in ("customer", "data")]
    delivery = bucket_name(stack, account, "delivery")

    def patterns(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(pattern for name in names for pattern in class_patterns(stack, account, name))

    return {
        role: DataAccess(
            write=patterns(name for name, stated in classes.items() if role in stated.writers),
            read=patterns(name for name, stated in classes.items() if role in stated.readers),
            key_aliases=aliases,
            logs=f"arn:aws:s3:::{delivery}/nodes/{role}/*",
        )
        for role in roles
    }


def concerned(classes: Mapping[str, DataClass], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Server roles that write and that read any of these classes."""
    writers = sorted({role for name in names for role in classes[name].writers})
    readers = sorted({role for name in names for role in classes[name].readers})
    return writers, readers
