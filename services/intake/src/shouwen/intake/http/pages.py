"""Plain pages for requesters: they need no script, load nothing, and hold only what the JSON beside them holds."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from shouwen.runtime.http import PROBLEM_JSON

CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_MOST_FIELDS = 30
_STYLE = (
    "body{font:16px/1.6 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;margin-top:1rem}input:not([type=radio]),select,textarea{width:100%;font:inherit;"
    "padding:.4rem;box-sizing:border-box}textarea{min-height:8rem}"
    "button{margin-top:1.5rem;font:inherit;padding:.5rem 2rem}"
    "fieldset label{display:inline-block;margin-right:1rem}.wrong{border-left:4px solid #b00;padding-left:1rem}"
    ".apart{position:absolute;left:-9999px}dt{font-weight:bold}th{text-align:left;padding-right:1rem}"
)


def html(title: str, content: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page; ``content`` is markup, in which every value was escaped."""
    page = (
        f'<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return HTMLResponse(page, status_code=status, headers={"Content-Security-Policy": CSP, **(headers or {})})


def wrong(texts: Iterable[str]) -> str:
    """What is to be put right, above a form; nothing when there is nothing."""
    lines = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<div class="wrong" role="alert"><ul>{lines}</ul></div>' if lines else ""


def responses(others: Mapping[int | str, Mapping[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The descriptions of a page and of the pages with what went wrong."""
    page = {"text/html": {"schema": {"type": "string"}}}
    # What is wrong with the address itself is said before there is a page.
    either = {**page, PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described = {status: {**answer, "content": either} for status, answer in others.items()}
    return {200: {"description": "A page", "content": page}, **described}


def takes(*fields: str) -> dict[str, Any]:
    """The description of a form's body."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


async def typed(request: Request) -> dict[str, str]:
    """The fields of a form that were filled in; what is no text is left out."""
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return {name: text for name, text in form.items() if isinstance(text, str) and text.strip()}
