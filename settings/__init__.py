"""The typed settings of one region: `load` a stack file, or `parse` a mapping. Knows nothing of Pulumi."""

from settings.model import (
    Administrator,
    FirewallRule,
    Limit,
    Protocol,
    ServerRole,
    Services,
    Settings,
    Site,
    SiteKind,
    Tier,
    TimeServer,
    Vpc,
)
from settings.problems import Problem, SettingsError
from settings.stack import load, parse, parse_config

__all__ = [
    "Administrator",
    "FirewallRule",
    "Limit",
    "Problem",
    "Protocol",
    "ServerRole",
    "Services",
    "Settings",
    "SettingsError",
    "Site",
    "SiteKind",
    "Tier",
    "TimeServer",
    "Vpc",
    "load",
    "parse",
    "parse_config",
]
