"""Message templates: Chinese first, then English; checked when they are read, so that sending cannot fail on one.

A template may show values and choose between texts. It cannot loop, call, or reach into objects, so a template from
outside can neither hang the service nor read what it is not given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field

from shouwen.runtime.errors import Invalid

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
)
_SUBJECT_CHARACTERS = 120
_BODY_CHARACTERS = 4000
_WEEKDAYS = "一二三四五六日"

VARIABLES: Mapping[str, str] = {
    "number": "The number of the case, or the subject of another system",
    "link": "Where the matter can be seen",
    "case_type": "The kind of matter, in the template's language",
    "is_case": "Whether the matter is a case of the register",
    "target": "The promise, in the template's language",
    "clause": "Where the limit is written",
    "due": "When the limit ends, in the branch's zone",
    "role": "The role that is told, in the template's language; empty for the owner",
    "level": "The escalation level",
    "previous_due": "When the limit ended before it moved, in the branch's zone",
    "answer_until": "Until when an answer is awaited, in the branch's zone",
    "recipient": "Whom a failed message was meant for (an id)",
    "notice": "What a requester is to be told, in the template's language",
    "name": "How a requester is called; only in notices to them",
    "decision": "What was decided, in the template's language",
    "contact_name": "Who answers for the matter now; only in notices to requesters",
    "contact_department": "Their department",
    "contact_phone": "Their phone number",
    "code": "The secret code that shows a requester the progress",
    "text": "The words of an answer to a requester",
    "reason": "What the channel answered",
}
"""Every variable a template may use; those a message does not know are empty texts (level: 0)."""

SAMPLE: Mapping[str, Any] = {
    "number": "BJ-2026-000001",
    "link": "https://intake.example/cases/BJ-2026-000001",
    "case_type": "complaint",
    "is_case": True,
    "target": "first_response",
    "clause": "001 §13",
    "due": datetime.fromisoformat("2026-11-20T09:00:00+08:00"),
    "role": "manager",
    "level": 1,
    "previous_due": datetime.fromisoformat("2026-11-19T09:00:00+08:00"),
    "answer_until": datetime.fromisoformat("2026-11-19T12:00:00+08:00"),
    "recipient": "bj.clerk",
    "reason": "550",
    "notice": "handover",
    "name": "李娜",
    "decision": "adopted",
    "contact_name": "王芳",
    "contact_department": "客户服务部",
    "contact_phone": "010-12345678",
    "code": "7Q4M2K",
    "text": "您反映的情况已核实。",
}

WORDS: Mapping[str, tuple[str, str]] = {
    "inquiry": ("咨询", "inquiry"),
    "suggestion": ("建议", "suggestion"),
    "complaint": ("投诉", "complaint"),
    "report": ("举报", "report"),
    "service_request": ("服务申请", "service request"),
    "phone_answer": ("电话接听", "phone answer"),
    "acknowledgement": ("受理告知", "acknowledgement"),
    "acceptance": ("受理", "acceptance"),
    "first_response": ("首次响应", "first response"),
    "first_review": ("初审", "first review"),
    "reply": ("答复", "reply"),
    "department_reply": ("部门答复", "reply of the department"),
    "written_plan": ("书面处理方案", "written plan"),
    "decision": ("处理决定", "decision"),
    "resolution": ("办结", "resolution"),
    "promise": ("约定的答复", "agreed reply"),
    "on_site": ("到场处理", "attendance on site"),
    "client_notice": ("告知客户", "notice to the client"),
    "authority_notice": ("报告主管部门", "notice to the authority"),
    "determination_filing": ("工伤认定申请", "filing for injury determination"),
    "social_insurance_registration": ("社会保险登记", "social insurance registration"),
    "contract_signing": ("劳动合同签订", "signing of the labour contract"),
    "wage_payment": ("工资支付", "payment of wages"),
    "digest": ("建议汇总", "digest of suggestions"),
    "judicial_referral": ("移送司法机关", "referral to the judiciary"),
    "handover": ("接手人员的联系方式", "who answers for the matter now"),
    "extension": ("办理期限的变更", "the new time limit"),
    "survey": ("满意度调查", "the survey of satisfaction"),
    "suggestion_decision": ("建议的采纳结果", "the decision about the suggestion"),
    "progress": ("进度查询码", "the code that shows the progress"),
    "adopted": ("采纳", "adopted"),
    "not_adopted": ("暂不采纳", "not adopted"),
    "approved": ("同意", "approved"),
    "approved_with_conditions": ("附条件同意", "approved with conditions"),
    "refused": ("不同意", "refused"),
    "manager": ("部门经理", "manager"),
    "department_head": ("部门负责人", "head of department"),
    "coordinator": ("协调员", "coordinator"),
    "general_manager": ("总经理", "general manager"),
    "operator": ("系统管理员", "operator"),
}
"""Words of the suite in Chinese and English; what is not here is shown as its code."""


_CODES = frozenset({"case_type", "target", "role", "notice", "decision"})
"""Variables that are said by a word of the suite."""


class BadTemplate(Invalid):
    """The template cannot be used."""


class Part(BaseModel):
    """A template in one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(min_length=1, max_length=500, description="Jinja text of the subject line")
    body: str = Field(min_length=1, max_length=8000, description="Jinja text of the body, plain text")


class TemplateSource(BaseModel):
    """A template as it is written: both languages, always."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: Part
    en: Part


@dataclass(frozen=True, slots=True)
class Text:
    """The words of a message in one language."""

    subject: str
    body: str


ERASED: Mapping[Language, Text] = {"zh": Text("（已删除）", "（已删除）"), "en": Text("(erased)", "(erased)")}
"""What stands where the words of a notice were."""


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template."""

    name: str
    source: TemplateSource

    def render(self, values: Mapping[str, Any], *, time_zone: str) -> dict[Language, Text]:
        """The words for these values (names as in VARIABLES; the missing ones are empty)."""
        return {
            "zh": _render(self.source.zh, values, "zh", time_zone),
            "en": _render(self.source.en, values, "en", time_zone),
        }


def checked(name: str, source: TemplateSource) -> Template:
    """A template that will not fail when it is used.

    Raises:
        BadTemplate: a text cannot be read, uses what templates may not use, or shows nothing.
    """
    template = Template(name, source)
    for language in LANGUAGES:
        part = source.zh if language == "zh" else source.en
        for field, text in (("subject", part.subject), ("body", part.body)):
            _check(text, field=f"{language}.{field}")
            if not _fill(text, _spoken(SAMPLE, language, "Asia/Shanghai"), field=f"{language}.{field}").strip():
                raise BadTemplate("The text is empty.", field=f"{language}.{field}", remedy="Say something.")
    template.render(SAMPLE, time_zone="Asia/Shanghai")
    template.render({}, time_zone="Asia/Shanghai")
    return template


def mail_text(texts: Mapping[Language, Text]) -> Text:
    """Both languages as one mail: Chinese first."""
    zh, en = texts["zh"], texts["en"]
    return Text(f"{zh.subject} / {en.subject}", f"{zh.body}\n\n---\n\n{en.body}\n")


def spoken_time(at: datetime, time_zone: str, language: Language) -> str:
    """A time as people of the branch say it."""
    local = at.astimezone(ZoneInfo(time_zone))
    if language == "zh":
        weekday = _WEEKDAYS[local.weekday()]
        return f"{local.year}年{local.month}月{local.day}日（周{weekday}）{local:%H:%M}"
    zone = f"{local:%z}"
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} (UTC{zone[:3]}:{zone[3:5]})"


def _check(text: str, *, field: str) -> None:
    try:
        tree = _environment.parse(text)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise BadTemplate(f"It is not a template{where}.", field=field, remedy="Correct the braces.") from None
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise BadTemplate(
                f"Templates may not use {type(node).__name__} (line {node.lineno}).",
                field=field,
                remedy="Use {{ variable }} and {% if variable %} only.",
            )
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            raise BadTemplate(
                f"There is no variable {node.name[:40]} (line {node.lineno}).",
                field=field,
                remedy=f"Use one of {', '.join(VARIABLES)}.",
            )


def _render(part: Part, values: Mapping[str, Any], language: Language, time_zone: str) -> Text:
    spoken = _spoken(values, language, time_zone)
    subject = _one_line(_fill(part.subject, spoken, field=f"{language}.subject"))[:_SUBJECT_CHARACTERS]
    return Text(subject, _fill(part.body, spoken, field=f"{language}.body").strip()[:_BODY_CHARACTERS])


def _fill(text: str, spoken: Mapping[str, Any], *, field: str) -> str:
    try:
        return _compiled(text).render(spoken)
    except (TemplateError, ArithmeticError, TypeError, ValueError) as error:
        raise BadTemplate(f"It fails with {type(error).__name__}.", field=field, remedy="Simplify it.") from None


@lru_cache(maxsize=500)
def _compiled(text: str) -> JinjaTemplate:
    return _environment.from_string(text)


def _spoken(values: Mapping[str, Any], language: Language, time_zone: str) -> dict[str, Any]:
    spoken: dict[str, Any] = dict.fromkeys(VARIABLES, "") | {"level": 0, "is_case": False}
    for name, value in values.items():
        match value:
            case datetime():
                spoken[name] = spoken_time(value, time_zone, language)
            case str() if name in _CODES:
                spoken[name] = _word(value, language)
            case str():
                # A value never starts a header or a line of its own, but for an answer's own words.
                spoken[name] = value.strip() if name == "text" else _one_line(value)
            case _:
                spoken[name] = value
    return spoken


def _word(code: str, language: Language) -> str:
    if code not in WORDS:
        return _one_line(code.replace("_", " ") if language == "en" else code)
    return WORDS[code][0 if language == "zh" else 1]


def _one_line(text: str) -> str:
    return " ".join(text.split())


_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
