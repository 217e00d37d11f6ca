"""Generate the synthetic data set in assets/nested: Chinese news with entities inside
of entities, and some that cross each other.

It is generated from a small grammar. A rule is a name, a colon and alternatives
separated by "|". An alternative is text with slots, such as "{ORG}{TITLE}". A slot is
replaced by a random alternative of the rule with its name. A slot in capitals is an
entity, whatever it contains, and its name is the label; a suffix after a dot
distinguishes rules for the same label: "{ORG.school}" is an ORG. Two entities that
cross are written in the alternative itself, "<TITLE:" … "<REF:" … ">" … ">", where the
first ">" ends the first one.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write

OUTPUT = Path(__file__).parents[1] / "assets" / "nested" / "news.jsonl"

# Names consist of rare characters: more frequent ones would give those of real people
# and companies. Only places are real.
GRAMMAR = """
sentence: {TIME}，{person}在{LOC.place}表示，{claim}。
    | {person}{TIME}到{LOC.place}调研。
    | {TIME}，{EVENT}在{LOC.place}开幕，{person}出席。
    | {ORG}与{ORG}{TIME}在{LOC.place}签署协议，共建{LOC.zone}。
    | {person}和{person}共同主编的《{WORK}》{TIME}出版。
    | {LOC.zone}管理部门{TIME}介绍，{claim}。
    | {ORG}{TIME}发布《{WORK}》，{person}担任主编。
    | {person}毕业于{ORG.school}，曾任{TITLE}。
    | {person}任{TITLE}，{person}不再担任这一职务。
    | 来自{ORG}、{ORG}和{ORG.school}的代表参加了{EVENT}。
    | 从{LOC.place}到{LOC.place}的线路{TIME}开通，经过{LOC.zone}。
    | {TIME}，{ORG}在{LOC.zone}设立{ORG.part}。
    | {EVENT}{TIME}闭幕，{claim}。
    | {plain}
plain: {people}认为，{claim}。 | {people}{attitude}，{claim}。
    | 大学教授和医院院长是{people}关注的职业。
    | 这家公司的自由贸易业务去年{growth}。
    | 中外双方将继续开展合作，{claim}。
claim: {topic}还有许多工作要做 | {topic}进展顺利 | {topic}取得初步成效
    | 将加快推进{topic} | {topic}需要更多投入
topic: 人才培养|港口建设|科研合作|口岸通关|医疗改革|数据开放|旧城更新|航线规划|课程改革
people: 专家|业内人士|不少读者|与会代表|当地居民
attitude: 持乐观态度|对此表示欢迎|提出不同看法
growth: 增长两成|有所下降|保持平稳
person: {PER} | {REF.after} | {ORG}{REF.after} | {TITLE}{PER} | {TITLE}{PER}
    | <TITLE:{ORG.firm}<REF:{rank}>{PER}>
    | <TITLE:{ORG.school}<REF:{rank.school}>{PER}>
REF.after: {PER}{rank} | {PER}{rank.school} | {PER}{polite}
polite: 先生 | 女士
rank: 经理 | 主任 | 总监 | 工程师
rank.school: 教授 | 副教授 | 院长 | 研究员
PER: {surname}{rare} | {surname}{rare}{rare} | {surname}{rare}{given}
surname: 王|李|张|刘|陈|杨|赵|黄|周|吴|徐|孙|胡|朱|高|林|何|郭|马|罗|梁|宋|郑|谢|韩
given: 军|强|鹏|芳|兰|英|梅|明|平|敏|静|杰
rare: 澜|岚|烁|翎|禾|屿|砚|棠|钧|骁|栩|珩|澄|朔|霁|穗|桐|泓|榕|琮
TITLE: {ORG}{post} | {ORG.school}{post.school} | {ORG.part}{post}
    | {LOC.area}{post.area}
post: 总经理|副总经理|董事长|首席科学家|发言人|负责人|顾问
post.school: 教授|副教授|校长|讲师|博士后|客座教授
post.area: 市长|副市长|代表|商会会长
ORG: {ORG.school} | {ORG.firm} | {ORG.firm} | {ORG.part} | {ORG.hospital} | {ORG.bureau}
ORG.school: {LOC.city}大学 | {LOC.city}{subject}大学 | {LOC.province}{subject}学院
    | {brand}学院
ORG.hospital: {ORG.school}附属医院 | {ORG.school}第{ordinal}附属医院
    | {LOC.city}第{ordinal}人民医院
ORG.firm: {brand}{trade} | {brand}{trade}公司 | {LOC.city}{brand}{trade}公司
    | {LOC.country}{brand}{trade}集团 | {brand}（{LOC.country}）公司
ORG.part: {ORG.firm}{LOC.city}分公司 | {ORG.school}{subject}研究所 | {ORG.firm}研发中心
    | {ORG.school}{subject}系
ORG.bureau: {LOC.area}{affairs}局 | {LOC.country}{affairs}部
LOC.place: {LOC.city} | {LOC.city} | {LOC.country} | {LOC.area} | {LOC.site}
    | {LOC.district}
LOC.area: {city}市 | {city}市 | {LOC.province}
LOC.district: {LOC.area.city}{direction}区 | {LOC.province}{city}市
    | {LOC.area.city}{direction}湖区
LOC.area.city: {city}市
LOC.site: {LOC.city}国际机场 | {LOC.city}{direction}站 | {LOC.city}港 | {LOC.city}体育馆
LOC.zone: {LOC.china}（{LOC.city}）自由贸易区 | {LOC.city}保税区
    | {LOC.china}（{LOC.province}）自由贸易试验区 | {LOC.city}{direction}新区
    | {LOC.china}—{LOC.abroad}边境合作区 | {LOC.area.city}{direction}区科技园
direction: 东|西|南|北|滨江|滨海
LOC.china: 中国
LOC.city: {city}
city: 上海|重庆|沈阳|长春|兰州|西宁|郑州|济南|太原|合肥|武汉|长沙|成都|贵阳|昆明|南宁
    |杭州|南昌|福州|海口|大连|青岛|宁波|厦门|苏州|无锡|徐州|烟台|洛阳|宜昌|株洲|桂林|绵阳
LOC.province: {province}
province: 河北省|山西省|辽宁省|吉林省|江苏省|浙江省|安徽省|福建省|山东省|湖北省|四川省
LOC.country: 中国 | {abroad}
LOC.abroad: {abroad}
abroad: 美国|英国|德国|法国|日本|韩国|泰国|越南|新加坡|马来西亚
EVENT: 第{ordinal}届{LOC.country}国际{fair}博览会 | {LOC.city}{fair}节
    | {year}年{LOC.china}（{LOC.city}）{fair}展览会 | {ORG.school}{number}周年校庆
    | {LOC.china}—{LOC.abroad}{fair}论坛
fair: 进口|旅游|电影|图书|汽车|茶叶|机器人|文化|花卉|体育
WORK: {LOC.city}{subject}史 | {LOC.country}{subject}史 | {PER}文集 | {PER}传
    | {ORG.school}校史 | 走进{LOC.place}
TIME: {month}月{day}日 | {year}年{month}月 | {year}年{month}月{day}日 | 本周{weekday}
    | 昨天 | 今年{month}月
year: 2019|2020|2021|2022|2023|2024
month: 1|2|3|4|5|6|7|8|9|10|11|12
day: 3|5|8|11|12|16|19|21|24|27|28
weekday: 一|二|三|四|五
ordinal: 一|二|三|四|五|六|七|八
number: 五十|六十|七十|八十|一百
subject: 医学|师范|理工|财经|法律|历史|化学|农业|音乐|体育|建筑|海洋
affairs: 教育|卫生|财政|交通|商务|文化|水利
brand: {rare}{rare} | {rare}{rare} | {surname}{rare} | 华{rare} | 中{rare}
trade: 机械|化工|纺织|电子|食品|制药|物流|航空|能源|通信|科技
"""

Rules = dict[str, list[str]]
Entity = tuple[int, int, str]


def read_rules(grammar: str) -> Rules:
    """Parse a grammar."""
    rules: Rules = {}
    for rule in re.split(r"\n(?!\s)", grammar.strip()):
        name, _, alternatives = rule.partition(":")
        rules[name] = [part.strip() for part in alternatives.split("|")]
    return rules


def fill(template: str, rules: Rules, random: Random) -> tuple[str, list[Entity]]:
    """Replace the slots of a template, recursively.

    RETURNS: The text, and its entities as start, end and label.
    """
    text, entities = "", []
    opened: list[tuple[int, str]] = []
    for part in re.findall(r"\{.+?\}|<[A-Z]+:|>|[^{}<>]+", template):
        if part == ">":
            start, label = opened.pop(0)
            entities.append((start, len(text), label))
        elif part[0] == "<":
            opened.append((len(text), part[1:-1]))
        elif part[0] == "{":
            name = part[1:-1]
            inner, inside = fill(random.choice(rules[name]), rules, random)
            start = len(text)
            entities += [(start + i, start + j, label) for i, j, label in inside]
            text += inner
            if name[0].isupper():
                entities.append((start, len(text), name.partition(".")[0]))
        else:
            text += part
    return text, entities


def make_sentences(number: int, seed: int) -> Iterator[dict]:
    """Generate this many different sentences with their entities."""
    rules, random = read_rules(GRAMMAR), Random(seed)
    seen = set()
    while len(seen) < number:
        text, entities = fill("{sentence}", rules, random)
        # A LOC.place may be nothing but a LOC.city.
        ordered = sorted(set(entities), key=lambda e: (e[0], -e[1], e[2]))
        surfaces = [text[i:j] for i, j, _ in ordered]
        if text in seen or len(set(surfaces)) < len(surfaces):
            continue  # a repeated entity sounds unnatural
        seen.add(text)
        yield {
            "text": text,
            "entities": [
                {"start": i, "end": j, "label": label, "text": text[i:j]}
                for i, j, label in ordered
            ],
        }


@exit_on_error()
def make_nested_sample(
    out: Annotated[
        Path, typer.Argument(help="The file", show_default="assets/nested/news.jsonl")
    ] = OUTPUT,
    records: Annotated[int, typer.Option(min=1, help="Sentences")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the random choices")] = 0,
) -> None:
    """Generate a small labeled data set with nested entities, as JSON lines with
    character offsets. People, companies and events are fictitious. The same seed
    generates the same file."""
    with (
        atomic_write(out) as new,
        new.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for record in make_sentences(records, seed):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    typer.run(make_nested_sample)
