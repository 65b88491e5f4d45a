#!/usr/bin/env python3
"""Makes the LSP4IJ template in `redraft/` what the extension's settings say, and packs it as `out/redraft-lsp4ij.zip`.

    python3 make.py            write the files and the zip
    python3 make.py --check    only say whether the files are as they should be
"""

import json
import pathlib
import re
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE / "redraft"

# File types as the IDE calls them, or by pattern where it may not know them: (name, patterns, language id).
FILES = [
    ("Rust", ["*.rs"], "rust"),
    ("Python", ["*.py", "*.pyi"], "python"),
    ("JavaScript", ["*.js", "*.mjs", "*.cjs"], "javascript"),
    ("JSX", ["*.jsx"], "javascriptreact"),
    ("TypeScript", ["*.ts", "*.mts", "*.cts"], "typescript"),
    ("TSX", ["*.tsx"], "typescriptreact"),
    ("Go", ["*.go"], "go"),
    ("Java", ["*.java"], "java"),
    ("Kotlin", ["*.kt", "*.kts"], "kotlin"),
    ("C", ["*.c", "*.h"], "c"),
    ("C++", ["*.cpp", "*.cc", "*.cxx", "*.hpp", "*.hh"], "cpp"),
    ("C#", ["*.cs"], "csharp"),
    ("PHP", ["*.php"], "php"),
    ("Ruby", ["*.rb"], "ruby"),
    ("Swift", ["*.swift"], "swift"),
    ("Scala", ["*.scala"], "scala"),
    ("Lua", ["*.lua"], "lua"),
    ("Shell Script", ["*.sh", "*.bash"], "shellscript"),
    ("SQL", ["*.sql"], "sql"),
    ("HTML", ["*.html"], "html"),
    ("CSS", ["*.css"], "css"),
    ("JSON", ["*.json"], "json"),
    ("YAML", ["*.yml", "*.yaml"], "yaml"),
    ("TOML", ["*.toml"], "toml"),
    ("Markdown", ["*.md"], "markdown"),
]

# What a setting's description and its JSON schema have in common.
TAKEN = ("type", "enum", "pattern", "minimum", "maximum", "additionalProperties", "default")


def settings():
    """The server's settings as the VS Code extension describes them: one list for all editors."""
    package = json.loads((HERE / "../vscode/package.json").read_text())
    properties = package["contributes"]["configuration"]["properties"]
    return {name: value for name, value in properties.items() if not name.startswith(("redraft.server.", "redraft.trace."))}


def undescribed():
    """Settings of the project's README that the extension does not describe, and the other way round."""
    section = (HERE / "../../README.md").read_text().split("### Settings", 1)[1].split("\nEnvironment", 1)[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {"redraft." + key.removesuffix(".NAME") for cell in cells for key in re.findall("`([^`]+)`", cell)}
    return sorted(documented ^ set(settings()))


def files():
    """The template's generated files and their texts."""
    template = {
        "id": "redraft",
        "name": "Redraft",
        "programArgs": {"default": "redraft lsp", "windows": "redraft.exe lsp"},
        "fileTypeMappings": [
            {"fileType": {"name": name, "patterns": patterns}, "languageId": language}
            for name, patterns, language in FILES
        ],
    }
    schema_properties, defaults = {}, {}
    for name, value in settings().items():
        described = {key: value[key] for key in TAKEN if key in value}
        described["description"] = (value.get("description") or value["markdownDescription"]).replace("`", "")
        schema_properties[name] = described
        if value["default"] is not None:
            defaults[name] = value["default"]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "redraft/settings.schema.json",
        "title": "Redraft",
        "type": "object",
        "properties": schema_properties,
        "additionalProperties": False,
    }
    return {
        "template.json": template,
        "settings.schema.json": schema,
        "settings.json": defaults,
        "initializationOptions.json": {},
        "clientSettings.json": {"caseSensitive": True},
    }


def main():
    if undescribed():
        sys.exit(f"in the README or in editors/vscode/package.json, but not in both: {', '.join(undescribed())}")
    wrong = []
    for name, value in files().items():
        path, text = TEMPLATE / name, json.dumps(value, indent=2) + "\n"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                wrong.append(name)
        else:
            path.write_text(text)
    if wrong:
        sys.exit(f"not as make.py makes it: {', '.join(wrong)}; run python3 editors/jetbrains/make.py")
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    with zipfile.ZipFile(out / "redraft-lsp4ij.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(TEMPLATE.iterdir()):
            archive.write(path, f"redraft/{path.name}")


main()
