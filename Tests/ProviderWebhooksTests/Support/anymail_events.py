"""Takes the payloads out of django-anymail's own tests, without running them.

Reads {"folder": path}: the folder of its tests. Writes [{"provider", "test", "body", "expected"}]: the body of each test whose
payload is a literal, and the type that the test expects of each event.
"""
import ast
import json
import pathlib
import sys

PROVIDERS = {
    "amazon_ses": "ses", "sendgrid": "sendgrid", "mailgun": "mailgun", "postmark": "postmark", "sparkpost": "sparkpost",
    "mailjet": "mailjet", "brevo": "brevo", "resend": "resend",
}


def payload(function):
    """The largest literal that is given to a name with `event` in it."""
    found = None
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        if "event" not in node.targets[0].id:
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            # Parts of it are made by calls.
            continue
        if isinstance(value, (dict, list)) and len(str(value)) > len(str(found or "")):
            found = value
    return found


def expected(function):
    """The event types that are asserted, in their order."""
    types = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "assertEqual":
            first, second = (node.args + [None, None])[:2]
            if isinstance(first, ast.Attribute) and first.attr == "event_type" and isinstance(second, ast.Constant):
                types.append(second.value)
    return types


folder = pathlib.Path(json.load(sys.stdin)["folder"])
found = []
for name, provider in PROVIDERS.items():
    file = folder / f"test_{name}_webhooks.py"
    if not file.is_file():
        continue
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        body, types = payload(node), expected(node)
        if body is not None and types:
            found.append({"provider": provider, "test": node.name, "body": json.dumps(body), "expected": types})
json.dump(found, sys.stdout)
