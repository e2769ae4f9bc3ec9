"""What lets AWS services deliver logs into our log groups, as a pure document.

CloudWatch Logs User Guide, "Enable logging from AWS services": log groups whose names start with
/aws/vendedlogs/ need one policy for all of them (a region has ten policies of 5,120 characters at most), and
whoever makes such a log needs no right to change policies when it is there already.
"""

from __future__ import annotations

from iam.documents import Document, Statement, document, merge, of_account, on_behalf_of

PREFIX = "/aws/vendedlogs"
DELIVERY = "delivery.logs.amazonaws.com"


def delivery_policy(account: str, region: str, log_prefix: str) -> Document:
    """The delivery service may write streams of this stack's vended log groups, for this account only."""
    groups = f"arn:aws:logs:{region}:{account}:log-group:{PREFIX}{log_prefix}/*:log-stream:*"
    behalf = merge(of_account(account), on_behalf_of(f"arn:aws:logs:{region}:{account}:*"))
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    return document(
        [Statement("DeliverVendedLogs", "Allow", actions, [groups], {"Service": [DELIVERY]}, behalf)]
    )
