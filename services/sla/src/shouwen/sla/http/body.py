"""Bodies that are a document: YAML, or JSON, which is read as YAML, so that mistakes have lines in both."""

from typing import Annotated, Any

from fastapi import Depends, Request

from shouwen.runtime.errors import Invalid


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8.", field="body", remedy="Send the document as UTF-8 text.") from None


DocumentText = Annotated[str, Depends(_text)]
"""The body as text."""


def document(description: str) -> dict[str, Any]:
    """What the API page says of such a body."""
    content = {"schema": {"type": "string"}}
    return {
        "requestBody": {
            "required": True,
            "description": description,
            "content": {"application/yaml": content, "application/json": {"schema": {"type": "object"}}},
        }
    }
