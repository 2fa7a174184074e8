"""Prints `docs/reference/http.md` from the OpenAPI document: `python -m app.http_reference`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.access_document import table
from app.errors import STATUS_OF
from app.openapi_document import openapi

_INTRODUCTION: Final = """\
# The HTTP interface

Made by `python -m app.http_reference` from the OpenAPI document, which a station serves at
`/api/v1/openapi.json`; don't edit. How the calls go together stands in [api.md](../api.md).

Every path under `/api/v1` answers as well under `/api`, and with no prefix at all. Where a station
asks for tokens, send yours as `Authorization: Bearer <token>`; [access.md](../access.md) says what
each sort of caller may do, [problems.md](problems.md) what each code of a refusal means.

"""
_REF: Final = re.compile(r"^#/components/schemas/(\w+)$")
_LINK: Final = re.compile(r"\]\(#([\w-]+)\)")
_NOUNS: Final = {"string": "text", "integer": "whole number", "number": "number", "null": "null"}

Schema = Mapping[str, Any]


def document() -> str:
    """The whole page."""
    spec = openapi()
    schemas = spec["components"]["schemas"]
    operations = [
        (path, method, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    ]
    rules = {row.operation_id: row.access.name for row in table()}
    common = set.intersection(*(_codes(operation["responses"]) for *_, operation in operations))
    parts = [_INTRODUCTION]
    tags = [tag["name"] for tag in spec["tags"]]
    parts += [f"- [{_title(tag)}](#{_anchor(_title(tag))})\n" for tag in tags]
    parts.append("- [Shapes](#shapes)\n\n")
    parts.append(
        f"Any call may be refused as {_linked(common)}; those are not named again below.\n\n"
    )
    for tag in tags:
        parts.append(f"## {_title(tag)}\n\n")
        for path, method, operation in operations:
            if operation["tags"] == [tag]:
                rule = rules[operation["operationId"]]
                parts += _operation(path, method, operation, rule, schemas)
                parts.append(_outcomes(operation["responses"], common))
    parts.append("## Shapes\n\n")
    for name in _shown_elsewhere("".join(parts), schemas):
        parts += _shape(name, schemas[name])
    return "".join(parts).rstrip() + "\n"


def _shown_elsewhere(text: str, schemas: Schema) -> list[str]:
    """The shapes that a text links to, and those that they link to."""
    anchors = {_anchor(name): name for name in schemas}
    found: set[str] = set()
    waiting = {anchors[anchor] for anchor in _LINK.findall(text) if anchor in anchors}
    while waiting:
        name = waiting.pop()
        found.add(name)
        linked = {anchors[anchor] for anchor in _LINK.findall("".join(_members(schemas[name])))}
        waiting |= linked - found
    return sorted(found)


def _operation(
    path: str, method: str, operation: Mapping[str, Any], rule: str, schemas: Schema
) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n\n"
    yield f"`{operation['operationId']}` · for {rule}\n\n"
    yield f"{_text(operation.get('summary'))}\n\n"
    if description := operation.get("description"):
        yield f"{_text(description)}\n\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | |\n|---|---|---|---|\n"
        for one in parameters:
            needed = " (required)" if one.get("required") and one["in"] != "path" else ""
            told = _cell(one.get("description") or one["schema"].get("description"))
            yield f"| `{one['name']}`{needed} | {one['in']} | {_type(one['schema'])} | {told} |\n"
        yield "\n"
    if "requestBody" in operation:
        yield from _body(path, method, operation["requestBody"], schemas)


def _body(path: str, method: str, body: Mapping[str, Any], schemas: Schema) -> Iterator[str]:
    (content,) = body["content"].values()
    found = _REF.match(content["schema"].get("$ref", ""))
    schema = schemas[found[1]] if found else content["schema"]
    optional = "" if body.get("required") else ", which may be left out"
    yield f"The body{optional}:\n\n"
    yield from _members(schema)
    if "example" in content:
        text = json.dumps(content["example"], ensure_ascii=False)
        yield f"```http\n{method.upper()} {path}\n{text}\n```\n\n"


def _outcomes(responses: Mapping[str, Any], common: set[str]) -> str:
    """What is answered when it is done, and the codes of what is refused."""
    done = []
    for status, response in sorted(responses.items()):
        if not _codes({status: response}):
            schemas = [content["schema"] for content in response.get("content", {}).values()]
            done.append(" ".join([f"**{status}**", *map(_type, schemas)]))
    refused = _linked(_codes(responses) - common)
    return f"Answers {', '.join(done)}." + (f" Refused as {refused}.\n\n" if refused else "\n\n")


def _codes(responses: Mapping[str, Any]) -> set[str]:
    """The codes of all that may be refused."""
    said = [response["description"] for response in responses.values()]
    refused = [text.removeprefix("Refused: ") for text in said if text.startswith("Refused: ")]
    return {code for text in refused for code in text.rstrip(".").split(", ")}


def _linked(codes: set[str]) -> str:
    ordered = sorted(codes, key=lambda code: (STATUS_OF[code], code))
    return ", ".join(f"{STATUS_OF[code].value} [`{code}`](problems.md#{code})" for code in ordered)


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n\n"
    if description := schema.get("description"):
        yield f"{_text(description)}\n\n"
    yield from _members(schema)


def _members(schema: Schema) -> Iterator[str]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if not properties:
        yield "No members.\n\n"
        return
    required = set(schema.get("required", ()))
    yield "| member | type | |\n|---|---|---|\n"
    # Those that are needed stand first; else the order is that of the code.
    for name in sorted(properties, key=lambda name: name not in required):
        needed = " (required)" if name in required else ""
        one = properties[name]
        yield f"| `{name}`{needed} | {_type(one)} | {_cell(one.get('description'))} |\n"
    yield "\n"


def _type(schema: Schema) -> str:
    """What a value may be, in a few words."""
    if found := _REF.match(schema.get("$ref", "")):
        return f"[{found[1]}](#{_anchor(found[1])})"
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return " or ".join(dict.fromkeys(_type(one) for one in choices))
    if "enum" in schema:
        return ", ".join("null" if one is None else f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    named = schema.get("type", "any JSON")
    kinds = [named] if isinstance(named, str) else list(named)
    return " or ".join(_plain(kind, schema) for kind in kinds)


def _plain(kind: str, schema: Schema) -> str:
    match kind:
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case "string" if "maxLength" in schema:
            return f"text of at most {schema['maxLength']}"
        case "integer" | "number":
            return f"{_NOUNS[kind]}{_range(schema)}"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {_type(schema['additionalProperties'])}"
        case _:
            return _NOUNS.get(kind, kind)


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    return f", at least {least}" if least is not None else ""


def _title(tag: str) -> str:
    return tag.replace("_", " ").capitalize()


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return heading.lower().replace(" ", "-")


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str | None) -> str:
    return _text(text).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(document())
