"""Prints the client's answers, made from the station's OpenAPI document; script/answers calls it.

What a station answers is so defined once, in its own code. Only what it answers is taken: a client
reads leniently, so that limits of length and the like are left to the station.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

_REF: Final = "#/components/schemas/"
_SUFFIX: Final = "View"
_RENAMED: Final = {"AgentView": "AgentProfile", "MessageView": "StoredMessage"}
"""What would be taken for a class of the client itself."""

_HEADER: Final = '''\
"""What a station answers, as types; a field that it leaves out is None.

Generated from its OpenAPI document (client/tools/answers.py); don't edit.
"""
'''
_STRUCT: Final = "kw_only=True, frozen=True, omit_defaults=True"
_IMPORTS: Final = "import msgspec\nfrom msgspec import Struct"
_CHECKS: Final = (
    *("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"),
    *("pattern", "title"),
)
_OPTIONS: Final = (
    *("--input-file-type", "openapi", "--output-model-type", "msgspec.Struct"),
    *("--target-python-version", "3.11", "--use-schema-description", "--disable-timestamp"),
    *("--collapse-root-models", "--keyword-only", "--frozen-dataclasses"),
    *("--output-datetime-class", "datetime", "--formatters", "builtin"),
    *("--use-standard-collections", "--use-union-operator"),
)


def main() -> None:
    """Read the document from stdin and print the module."""
    document = json.load(sys.stdin)
    schemas = document["components"]["schemas"]
    wanted = dict(sorted((_name(name), _plain(schemas[name])) for name in _answered(document)))
    reduced = {
        "openapi": document["openapi"],
        "info": {"title": "Waystation", "version": document["info"]["version"]},
        "paths": {},
        "components": {"schemas": wanted},
    }
    command = (sys.executable, "-m", "datamodel_code_generator", *_OPTIONS)
    made = subprocess.run(  # noqa: S603 - our own arguments
        command, input=json.dumps(reduced), capture_output=True, text=True, check=False
    )
    if made.returncode:
        sys.exit(made.stderr)
    sys.stdout.write(_HEADER + _tidied(made.stdout))


def _tidied(module: str) -> str:
    """Frozen structs, None for what is left out, docstrings on a line."""
    module = module[module.index("\nfrom __future__") :]
    module = module.replace("Struct, kw_only=True)", f"Struct, {_STRUCT})")
    module = module.replace(" | None | UnsetType = ", " | None = ").replace("UNSET", "None")
    module = module.replace("from msgspec import None, Struct, UnsetType, field", _IMPORTS)
    module = module.replace(" = field(", " = msgspec.field(")
    module = module.replace("field_: str = msgspec.field(name='field')", "field: str")
    module = re.sub(r'"""\n +(.+)\n +"""', r'"""\1"""', module)
    return re.sub(r"class \w+\(Struct.*\):\n(?:    .*\n|\n(?=    ))+", _with_items, module)


def _with_items(found: re.Match[str]) -> str:
    """A page, with its entries under the same name in each; any other class as it is."""
    text = found[0]
    entries = re.findall(r"^    (\w+): (list\[\w+\])$", text, re.MULTILINE)
    if '"""A page of' not in text or len(entries) != 1:
        return text
    name, kind = entries[0]
    return (
        f"{text}\n    @property\n    def items(self) -> {kind}:\n"
        f'        """What is on this page."""\n        return self.{name}\n'
    )


def _name(schema: str) -> str:
    return _RENAMED.get(schema, schema.removesuffix(_SUFFIX))


def _plain(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A schema without what a reader need not check, under the client's names."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: _plain(value)
        for key, value in node.items()
        if key not in _CHECKS and key != "properties"
    }
    if isinstance(reference := node.get("$ref"), str):
        plain["$ref"] = _REF + _name(reference.removeprefix(_REF))
    if "properties" in node:
        required = node.get("required", ())
        plain["properties"] = {
            name: _plain(value) if name in required else _optional(_plain(value))
            for name, value in node["properties"].items()
        }
    return plain


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], "default": None}


def _answered(document: dict[str, Any]) -> set[str]:
    """The schemas that answers are made of, with those that they refer to."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    waiting = [
        name
        for path in document["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        for name in _references(response)
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REF):
            yield reference.removeprefix(_REF)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


if __name__ == "__main__":
    main()
