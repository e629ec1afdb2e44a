"""Names that mean the same firm are near; different firms of one trade are not."""

import pytest

from shouwen.review.domain.names import NEAR, core, pieces, similarity


@pytest.mark.req("V-05")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("广州诚鑫达商贸有限公司", "广州诚鑫达商贸有限责任公司"),
        ("广州诚鑫达商贸有限公司", "广州　诚鑫达商贸（有限公司）"),
        ("Acme HR Co., Ltd.", "ＡＣＭＥ HR Limited"),
    ],
)
def test_one_firm_in_two_spellings_is_near(one: str, other: str) -> None:
    assert similarity(pieces(one), pieces(other)) >= NEAR


@pytest.mark.req("V-05")
@pytest.mark.parametrize(
    ("one", "other"),
    [("北京星河软件有限公司", "北京兰亭物业服务有限公司"), ("成都天府智造科技有限公司", "成都青羊教育咨询有限公司")],
)
def test_two_firms_of_one_city_are_not_near(one: str, other: str) -> None:
    assert similarity(pieces(one), pieces(other)) < NEAR


def test_a_suffix_alone_is_kept_rather_than_emptied() -> None:
    assert core("有限公司") == "有限公司"


def test_a_very_short_name_is_compared_as_a_whole() -> None:
    assert similarity(pieces("王芳"), pieces("王芳芳")) < NEAR
    assert similarity(pieces("王芳"), pieces("王 芳")) == 1.0
