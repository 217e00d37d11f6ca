"""Examples for the demo page: a text for each label of the pipeline."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

#: Made-up texts by language, from which examples are chosen.
TEXTS: dict[str, tuple[str, ...]] = {
    "zh": (
        "王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。",
        "李明，男，1968年出生，满族，无境外永久居留权，博士研究生学历，高级工程师。",
        "张伟先生毕业于清华大学机械工程专业，历任上海光明电子有限公司董事、总经理。",
        "陈静女士，江苏南京人，会计学学士，注册会计师，现任本公司财务总监。",
        "3月6日，巴西采购12架猎鹰无人机。",
        "据俄罗斯国防部消息，俄海军计划在2025年前为北方舰队装备6艘085型核潜艇。",
        "美国总统周二在华盛顿会见了法国外交部长，双方签署了三项协议。",
        "洛克希德·马丁公司将向日本交付首批F-35A战斗机，总价约为30亿美元。",
        "北京大学教授刘洋在上海举行的国际会议上介绍了新型芯片的研究成果。",
        "去年，阿里巴巴在杭州的员工人数增长了百分之十二。",
        "台风周五晚登陆福建厦门，中央气象台发布了红色预警。",
        "工程师为新型卫星安装了相控阵雷达，并更换了太阳能电池板。",
    ),
    "en": (
        "Maria Lopez moved from Lisbon to Toronto in 2019 to work for Northwind Bank.",
        "Watching Breaking Bad on Netflix with my sister in Chicago tonight.",
        "The new iPhone costs 999 dollars at Walmart, says Tim Cook.",
        "Manchester United beat Arsenal 3-1 at Old Trafford on Saturday.",
        "The Beatles recorded Abbey Road in London in 1969.",
        "Germany and France signed the treaty in Brussels on Monday.",
    ),
}
# Longer texts are not used.
_MAX_LENGTH = 160

Find = Callable[[list[str]], list[list[dict[str, Any]]]]


def choose_examples(
    texts: Iterable[str], find: Find, labels: Sequence[str]
) -> list[tuple[str, str]]:
    """Choose a text for each label: the one in which an entity of the label is found
    with the highest probability.

    texts: The texts to choose from. Long ones, and those of several lines, are left
        out.
    find: Predicts the entities of texts.
    labels: The labels.
    RETURNS: The labels that are found, each with its text.
    """
    short = [t for t in texts if t.strip() and len(t) <= _MAX_LENGTH and "\n" not in t]
    best: dict[str, tuple[float, str]] = {}
    for text, entities in zip(short, find(short), strict=True):
        for entity in entities:
            score = entity["score"] if entity["score"] is not None else 1.0
            if score > best.get(entity["label"], (0.0, ""))[0]:
                best[entity["label"]] = score, text
    return [(label, best[label][1]) for label in labels if label in best]
