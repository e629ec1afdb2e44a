"""The public web form: as JSON for a site of one's own, and as a page that works without scripts."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from shouwen.contracts.case import Relation
from shouwen.contracts.event import BranchCode
from shouwen.intake.domain.registration import Particulars, Registration
from shouwen.intake.domain.web_form import RELATION_TEXTS, TYPE_TEXTS, FormType, NoSuchForm
from shouwen.intake.handlers import web_form
from shouwen.intake.handlers.web_form import Forms, Received
from shouwen.intake.http import pages
from shouwen.intake.http.fields import ClientIdentifier, Email, Line, Phone, Sent, Words
from shouwen.intake.http.public import PUBLIC, address_of
from shouwen.runtime.errors import FieldProblem, Refused
from shouwen.runtime.http import field_problem

_NO_FORM: dict[int | str, dict[str, Any]] = {404: {"description": "There is no form of this branch"}}
_FORM: dict[int | str, dict[str, Any]] = {**PUBLIC, **_NO_FORM}
_PAGE = {**pages.responses({**PUBLIC, 422: {"description": "The page again, with what is wrong"}}), **_NO_FORM}

Branch = Annotated[BranchCode, Path(description="As beijing")]


class FormShown(BaseModel):
    """A form to be filled in."""

    branch: str
    name: str = Field(description="The branch by its name")
    token: str = Field(description="Send it back with the form, within a day")
    least_seconds: float = Field(description="A form that comes back faster was not filled in by a person")
    types: dict[str, str]
    relations: dict[str, str]


class FormSent(Sent):
    """A form that was filled in."""

    token: Annotated[str, StringConstraints(max_length=200)]
    type: FormType
    subject: Line
    description: Words
    name: Line | None = None
    phone: Phone | None = None
    email: Email | None = None
    relation: Relation = "other"
    client_name: Line | None = None
    client_identifier: ClientIdentifier | None = None
    website: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "", description="A field that people do not see: leave it empty and hide it"
    )

    def registration(self, branch: str) -> Registration:
        """The matter as the domain takes it."""
        return Registration(
            type=self.type,
            channel="web_form",
            branch=branch,
            severity=None,
            relation=self.relation,
            received_at=None,
            promised_at=None,
            owner=None,
            department=None,
            particulars=Particulars(
                subject=self.subject,
                description=self.description,
                requester_name=self.name,
                requester_phone=self.phone,
                requester_email=self.email,
                client_name=self.client_name,
                client_identifier=self.client_identifier,
            ),
        )


class FormAnswer(BaseModel):
    """A form that was registered."""

    number: str
    code: str | None = Field(description="With it and the number the progress can be seen; shown only this once")
    progress: str = Field(description="A page that asks for both; programs POST them to /api/public/progress")


def add_routes(router: APIRouter, *, forms: Forms) -> None:
    """The form of a branch."""

    async def receive(request: Request, branch: str, body: FormSent) -> Received:
        content = body.model_dump_json(exclude={"token"})
        return await web_form.receive(
            forms,
            body.registration(branch),
            token=body.token,
            trap=body.website,
            address=address_of(request),
            content_hash=forms.protection.fingerprint(f"form {branch}\n{content}"),
        )

    @router.get("/public/forms/{branch}", tags=["public"], responses=_FORM)
    async def show_form(branch: Branch) -> FormShown:
        """What is needed to show the form on a site of one's own; no account."""
        token, name = await web_form.invite(forms, branch)
        return FormShown(
            branch=branch,
            name=name,
            token=token,
            least_seconds=forms.least.total_seconds(),
            types={str(each): text for each, text in TYPE_TEXTS.items()},
            relations={str(each): text for each, text in RELATION_TEXTS.items()},
        )

    @router.post(
        "/public/forms/{branch}",
        status_code=201,
        tags=["public"],
        responses={200: {"model": FormAnswer, "description": "The same form came before"}, **_FORM},
    )
    async def send_form(branch: Branch, request: Request, body: FormSent, response: Response) -> FormAnswer:
        """Hand in a matter; no account. The answer holds the number and the code to see the progress."""
        received = await receive(request, branch, body)
        response.status_code = 201 if received.code else 200
        return FormAnswer(number=received.case.number, code=received.code, progress=received.link)

    @router.get("/public/forms/{branch}/page", tags=["public"], response_class=HTMLResponse, responses=_PAGE)
    async def show_page(branch: Branch) -> HTMLResponse:
        """The form as a page; it needs no script."""
        token, name = await web_form.invite(forms, branch)
        return _form_page(name, token, {}, ())

    @router.post(
        "/public/forms/{branch}/page",
        tags=["public"],
        response_class=HTMLResponse,
        responses=_PAGE,
        openapi_extra=pages.takes(*FormSent.model_fields),
    )
    async def send_page(branch: Branch, request: Request) -> HTMLResponse:
        """The page, filled in; the answer is a page."""
        token, name = await web_form.invite(forms, branch)
        given = await pages.typed(request)
        try:
            sent = FormSent.model_validate(given)
            received = await receive(request, branch, sent)
        except ValidationError as error:
            found = [field_problem(dict(each)) for each in error.errors(include_url=False, include_input=False)]
            return _form_page(name, given.get("token") or token, given, found, status=422)
        except NoSuchForm:
            raise
        except Refused as error:
            problem = FieldProblem(error.field or "", error.detail, error.remedy or "")
            kept = token if error.field == "token" else given.get("token", token)
            return _form_page(name, kept, given, [problem], status=error.status)
        return _thanks_page(name, received)


_FIELDS: Mapping[str, str] = {
    "subject": "主题 Subject *",
    "name": "姓名 Name（可不填 optional）",
    "phone": "电话 Phone（可不填 optional）",
    "email": "电子邮箱 E-mail（可不填 optional）",
    "client_name": "所在单位或客户名称 Company（可不填 optional）",
}


def _form_page(
    name: str, token: str, given: Mapping[str, str], problems: Iterable[FieldProblem], *, status: int = 200
) -> HTMLResponse:
    wrong = [f"{_FIELDS.get(each.field, each.field)}: {each.problem} {each.remedy}" for each in problems]
    lines = "".join(
        f'<label>{label}<input name="{field}" maxlength="200" value="{escape(given.get(field, ""))}"></label>'
        for field, label in _FIELDS.items()
    )
    return pages.html(
        f"{name} · 意见与诉求",
        pages.wrong(wrong)
        + '<form method="post" accept-charset="utf-8">'
        + f'<input type="hidden" name="token" value="{escape(token)}">'
        + f"<label>事项类型 Kind *{_choice('type', TYPE_TEXTS, given)}</label>"
        + f"<label>您的身份 You are{_choice('relation', RELATION_TEXTS, given)}</label>"
        + lines
        + '<label>内容 Text *<textarea name="description" maxlength="20000">'
        + f"{escape(given.get('description', ''))}</textarea></label>"
        + '<label class="apart" aria-hidden="true">请勿填写 Leave empty'
        + '<input name="website" tabindex="-1" autocomplete="off"></label>'
        + '<button type="submit">提交 Send</button></form>',
        status=status,
    )


def _choice(field: str, texts: Mapping[Any, str], given: Mapping[str, str]) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if given.get(field) == value else ""}>{escape(text)}</option>'
        for value, text in texts.items()
    )
    return f'<select name="{field}">{options}</select>'


def _thanks_page(name: str, received: Received) -> HTMLResponse:
    code = (
        f"<p>查询码 Code: <strong>{escape(received.code)}</strong></p>"
        "<p>请记下编号和查询码，凭此随时查询办理进度。 Keep both: with them the progress can be seen at any time.</p>"
        if received.code
        else "<p>此前已收到同一份表单。 The same form came before.</p>"
    )
    link = escape(received.link)
    return pages.html(
        f"{name} · 已收到",
        f"<p>编号 Number: <strong>{escape(received.case.number)}</strong></p>{code}"
        f'<p><a href="{link}">进度查询 Progress</a></p>',
    )
