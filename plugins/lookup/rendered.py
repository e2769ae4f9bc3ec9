"""Lookup: the text of a template as `ansible.builtin.template` gives it, without copying every variable.

Ansible's own copies all variables of the node deeply for each template: with some 50 templates that was half
of a run's CPU time on the controller (docs/decisions/0007-speed.md). A template does not change variables.
"""

from __future__ import annotations

import os
from typing import Any

from ansible._internal._templating import _template_vars
from ansible._internal._templating._engine import TemplateOptions, TemplateOverrides
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

DOCUMENTATION = """
name: rendered
short_description: The text of a template of the role
description:
  - Like C(ansible.builtin.template) with its defaults; it reads the variables in place.
options:
  _terms: {description: Templates of the role., required: true}
  template_vars: {type: dict, default: {}, description: Variables for this template alone.}
author: Stockade
"""


class LookupModule(LookupBase):
    """`lookup('rendered', 'chrony.conf.j2', template_vars={})`."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """The texts, one per term; raises AnsibleError for a template that is not there."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self._render(term, variables or {}, self.get_option("template_vars")) for term in terms]

    def _render(self, term: str, variables: dict[str, Any], more: dict[str, Any]) -> Any:
        path = self.find_file_in_search_path(variables, "templates", term)
        if not path:
            raise AnsibleError(f"{term} is no template of the role; a template lies in its folder templates")
        about = _template_vars.generate_ansible_template_vars(
            path=term, fullpath=path, include_ansible_managed="ansible_managed" not in variables
        )
        folders = [os.path.dirname(path)]
        for folder in variables.get("ansible_search_path", []):
            folders += [os.path.join(folder, "templates"), folder]
        templar = self._templar.copy_with_new_env(
            available_variables={**variables, **about, **more}, searchpath=folders
        )
        text = trust_as_template(self._loader.get_text_file_contents(path))
        return templar._engine.template(
            text,
            options=TemplateOptions(
                escape_backslashes=False, overrides=TemplateOverrides.from_kwargs({"trim_blocks": True})
            ),
        )
