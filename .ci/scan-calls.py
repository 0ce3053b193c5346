#!/usr/bin/env python3
"""Prints a call for each operation of docs/openapi.yaml that takes something, a line each: method, path with query, a header
or a dash, and a body or nothing. Each value is followed by an asterisk, which tells sqlmap to try it. What removes comes last.

Arguments name values for parameters: `scan-calls.py id=cmp_… domain=news.example.com`.
"""
import json
import pathlib
import sys

import yaml

# Streams that last, and what ends the session of who asks.
LEFT_OUT = {"watchCampaign", "streamOutcomes", "signOut"}
SAMPLES = {
    "string": "x", "integer": 1, "number": 1, "boolean": True, "email": "a@example.org",
    "date-time": "2030-01-01T00:00:00Z", "uri": "https://hooks.example.com/x",
}

document = yaml.safe_load((pathlib.Path(__file__).parents[1] / "docs/openapi.yaml").read_text())
given = dict(argument.split("=", 1) for argument in sys.argv[1:])


def resolved(node):
    while isinstance(node, dict) and "$ref" in node:
        name, node = node["$ref"], document
        for part in name[2:].split("/"):
            node = node[part]
    return node


def sample(schema, depth=0):
    schema = resolved(schema)
    for key in ["example", "default", "const"]:
        if schema.get(key) is not None:
            return schema[key]
    for key in ["examples", "enum"]:
        if schema.get(key):
            return schema[key][0]
    for key in ["oneOf", "anyOf", "allOf"]:
        if key in schema:
            return sample(schema[key][0], depth)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        members = schema.get("properties", {}) if depth < 3 else {}
        return {name: sample(member, depth + 1) for name, member in members.items()}
    if kind == "array":
        return [sample(schema.get("items", {}), depth + 1)]
    return SAMPLES.get(schema.get("format"), SAMPLES[kind])


def marked(value):
    """JSON in which each value that a caller chooses has a mark."""
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(name) + ":" + marked(member) for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(marked, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)[:-1] + '*"'
    return json.dumps(value) + ("*" if isinstance(value, (int, float)) and not isinstance(value, bool) else "")


calls = []
for path, item in document["paths"].items():
    for method, operation in item.items():
        if method not in ["get", "post", "patch", "put", "delete"] or operation["operationId"] in LEFT_OUT:
            continue
        parameters = [resolved(each) for each in item.get("parameters", []) + operation.get("parameters", [])]
        query, address, header, body = [], path, "-", ""
        for parameter in parameters:
            name = parameter["name"]
            value = given.get(name) or sample(parameter.get("schema", {}))
            if parameter["in"] == "path":
                prefix = path.split("/")[2]
                address = address.replace("{" + name + "}", str(given.get(f"{prefix}.{name}", value)) + "*")
            elif parameter["in"] == "query":
                query.append(f"{name}={'true' if value is True else value}*")
        contents = resolved(operation.get("requestBody", {})).get("content", {})
        for kind, content in list(contents.items())[:1]:
            header = "Content-Type: " + kind
            if kind == "application/json":
                body = marked(content.get("example") or sample(content.get("schema", {})))
            else:
                text = content.get("example") or sample(content.get("schema", {"type": "string"}))
                body = str(text).strip().splitlines()[0] + "*"
        if query or address != path or contents:
            calls.append([method.upper(), address + ("?" + "&".join(query) if query else ""), header, body])
# In its own call: under one key every other body would be refused before it is read.
calls.append(["POST", "/v1/suppressions", "Idempotency-Key: k*", '{"addresses":["a@example.org"],"reason":"manual"}'])
for call in sorted(calls, key=lambda call: call[0] == "DELETE"):
    print(*call, sep="\t")
