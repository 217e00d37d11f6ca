"""Generate the two synthetic data sets in assets/sample: Chinese résumés and news.

Both are generated from a small grammar. A rule is a name, a colon and alternatives
separated by "|". An alternative is text with slots, such as "{NAME}任{ORG}{TITLE}。". A
slot is replaced by a random alternative of the rule with its name or, if there is none,
by the result of Faker's method of that name. A slot in capitals is an entity, and its
name is the label; a suffix after a dot distinguishes rules for the same label:
"{ORG.school}" is an ORG. "#" stands for any digit, "%" for a digit that is not zero.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from faker import Faker
from faker.providers.job.zh_CN import Provider as Jobs

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import AtomicSet

SAMPLE = Path(__file__).parents[1] / "assets" / "sample"

# Brands and given names consist of rare characters: Faker would generate names of real
# companies and politicians. A brand may begin with a surname, so that a surname is not
# always part of a person's name.
SHARED = """
brand: {syllable}{syllable} | {syllable}{syllable} | {last_name}{syllable}
name: {man} | {woman}
man: {last_name}{syllable} | {last_name}{syllable}{manly}
manly: 军|强|鹏|刚|涛|峰|明|平|伟|斌|辉|龙|波|超|亮|杰
woman: {last_name}{syllable} | {last_name}{syllable}{womanly}
womanly: 芳|兰|英|梅|霞|娟|燕|玲|萍|琴|雪|婷|静|敏|丽|莹
syllable: 澜|岚|烁|翎|禾|屿|砚|棠|钧|骁|栩|珩|澄|朔|霁|穗|桐|泓|榕|琮
city: 上海|重庆|沈阳|长春|兰州|西宁|郑州|济南|太原|合肥|武汉|长沙|成都|贵阳|昆明|南宁
    |杭州|南昌|福州|海口|大连|青岛|宁波|厦门|苏州|无锡|徐州|烟台|洛阳|宜昌|株洲|桂林|绵阳
province: 河北省|山西省|辽宁省|吉林省|江苏省|浙江省|安徽省|福建省|山东省|湖北省|四川省
month: % | 10 | 11 | 12
day: % | 1# | 2%
ordinal: 一|二|三|四|五|六
digit: 两|三|四|五|六|七|八|九
"""

# Sentences of the rule `plain` have no entities, but words that occur in entities.
RESUME = """
sentence: {who}{cont}{abroad}{born}{race}{from}{edu}{TITLE.skill}。
    | {who}{cont}{abroad}{born}{race}{from}{edu}现任{ORG.self}{TITLE}。
    | {who}{cont}{abroad}{born}{race}{from}{edu}{span}任{post}。
    | {who}{cont}{abroad}{born}{EDU}。
    | {NAME}，{CONT}，{born}{EDU}，{PRO}专业，现任{post}。
    | {NAME}毕业于{ORG.school}，{EDU.degree}，曾任{ORG}{TITLE}、{TITLE}。
    | {NAME}与{NAME}同为{ORG}创始人，后者现任{ORG.self}{TITLE}。
    | {NAME}早年在{ORG.family}做学徒，{year}年起任{ORG.family}{TITLE}。
    | {NAME.short}{polite}现任{ORG.self}{TITLE}，兼任{post}。
    | {NAME.short}{polite}为{EDU.degree}，{TITLE.skill}，有{years}年{major}工作经验。
    | {span}任{post}；
    | {span}任{post}、{TITLE}；
    | {span}，历任{ORG}{TITLE}、{TITLE}、{TITLE}；
    | {span}先后在{ORG}、{ORG.office}工作，任{TITLE}。
    | {span}就读于{ORG.school}{PRO}专业，获{EDU.degree}；
    | {span}在{ORG.family}任{TITLE}，其后调入{ORG}；
    | {year}年{month}月至今担任{ORG.self}{TITLE}、{TITLE}。
    | {year}年{month}月加入{ORG.self}，现任{TITLE}。
    | {year}年取得{ORG.school}{EDU.degree}，主修{PRO}。
    | 现任{ORG.self}{TITLE}，{post}，{post}。
    | 历任{post}，{ORG.self}{TITLE}、{TITLE}。
    | 曾赴{LOC.abroad}学习{PRO}，回国后任{ORG.school}{TITLE.skill}。
    | {LOC}，{EDU}，{TITLE.party}，{TITLE.skill}。
    | {TITLE.skill}，{TITLE.party}，毕业于{ORG.school}{PRO}系。
    | {plain}
plain: 熟悉{major}，在多家上市公司负责过{duty}工作。
    | 具有{years}年{major}从业经历，擅长{duty}。
    | {year}年获得{province}{award}称号。
    | 主持{duty}项目%#项，经理人资格证书有效期至203#年。
who: {NAME}， | {NAME}： | {NAME.man}，男， | {NAME.woman}，女，
    | {NAME.man}先生， | {NAME.woman}女士，
NAME: {name}
NAME.man: {man}
NAME.woman: {woman}
NAME.short: {last_name}
polite: 先生 | 女士
cont: {CONT}， | {CONT}， |
CONT: 中国国籍 | 中国国籍 | 中国籍 | {land}国籍 | {land}籍
abroad: 无境外居留权， | 无永久境外居留权， | |
born: {birth}年出生， | {birth}年{month}月生， | 生于{birth}年{month}月， |
birth: 195# | 196# | 197# | 198#
race: {RACE}， | {RACE}， | |
RACE: 汉族|汉族|汉族|回族|满族|壮族|苗族|彝族|白族|土家族|蒙古族|朝鲜族
from: {LOC}， | | |
LOC: {province}人 | {city}人
LOC.abroad: {land}
land: 美国|英国|日本|德国|加拿大|新加坡|澳大利亚|新西兰|马来西亚
edu: {EDU}， | {EDU}，{EDU.degree}， |
EDU: {level} | {level}学历 | {level}学历
EDU.degree: {degree} | {degree}学位
level: 中专|大专|本科|大学|大学本科|硕士研究生|研究生|博士研究生
degree: 学士|硕士|博士
PRO: {major}
major: 会计|法律|金融|物流|统计|英语|土木工程|机械制造|电气自动化|计算机应用|工商管理
    |市场营销|国际贸易|应用化学|材料科学|食品工程|环境工程|临床医学|农业经济|园林设计
year: 199# | 200# | 201#
years: % | 1# | 2#
span: 200#年{month}月至201#年{month}月 | 199#年至200#年
duty: 内部审计|公司治理|信息披露|设备采购|质量管理|人员培训|成本控制
award: 劳动模范|优秀企业家|先进工作者|技术能手
post: {ORG}{TITLE} | {ORG}{TITLE} | {ORG}{TITLE} | {ORG.office}{TITLE.office}
ORG: {place}{brand}{trade}{form} | {place}{brand}{trade}{form}
    | {place}{brand}{company_suffix} | {brand}{trade} | {brand}会计师事务所
ORG.self: 公司 | 公司 | 公司 | 本公司 | 本公司 | 集团 | 本行 | 本所
ORG.office: {city}市{bureau} | {city}市第{ordinal}人民医院
    | {province}{trade}研究院
ORG.family: {last_name}氏{trade}厂 | {name}{trade}厂 | {name}商行
ORG.school: {city}{school} | {city}{school} | {brand}学院
place: {city} | {city}市 | {province} | |
trade: 机械|化工|纺织|建材|电子|食品|制药|物流|汽车零部件|水务|农业|印刷
form: 有限公司 | 股份有限公司 | 有限责任公司 | 集团 | 集团有限公司 | 总厂
bureau: 财政局|统计局|税务局|审计局|轻工业局|水利局
school: 理工大学|财经大学|师范学院|农业大学|轻工学院|第{ordinal}中学
TITLE: {rank} | {rank} | {department}{head} | {job}
TITLE.skill: 工程师|高级工程师|教授|副教授|讲师|经济师|高级经济师|注册会计师|研究员
TITLE.office: 主任|副主任|科员|办公室主任|党委书记|党委副书记
TITLE.party: 中共党员 | 民盟盟员 | 九三学社社员
rank: 董事长|副董事长|董事|独立董事|监事|监事会主席|总经理|副总经理|常务副总经理
    |总裁|总工程师|财务总监|董事会秘书|总经理助理|党委书记|厂长|副厂长
department: 财务部|研发中心|市场部|销售部|审计部|人力资源部|第{ordinal}车间
head: 主任|副主任|部长|副部长|经理
"""

# Some sentences have white space, which gets tags, too: real news has it between Latin
# words and, as U+3000, before paragraphs.
NEWS = """
sentence: 据{ORG.media}{TIM}报道，{COU}{ORG.state}{plans}{units}。
    | 【{ORG.media}讯 记者 {PER.chinese}】{COU}{POS}{PER}{TIM}表示，{claim}。
    | {COU}{ORG.state}公开新型{EQU} 称其{strength}　　{TIM}，{claim}。
    | {TIM}，{COU}{POS}{PER}抵达{LOC.city}，与{COU}{POS}{PER}会谈。
    | {COU}{ORG.state}{POS.state}{PER}说，{units}将部署到{LOC}。
    | {COU.short}{COU.short}两国{TIM}在{LOC}举行联合演练，出动{units}。
    | {COU.short}{COU.short}贸易额去年增长百分之%#，达到{NUM.money}。
    | {COU.short}方{TIM}回应说，{claim}。
    | {ORG.firm}{TIM}宣布，将以{NUM.money}收购{ORG.firm}。
    | {ORG.chinese}{POS.firm}{PER.chinese}{TIM}在{LOC.city}发布{EQU.phone}手机。
    | {ORG.foreign}{POS.firm}{PER}称，{claim}。
    | {ORG.latin}公司（下称{ORG.latin}）为{COU}{ORG.state}提供{units}。
    | {COU}{ORG.foreign}研制的{EQU.air}（{EQU.latin}）{TIM}首次试飞，{strength}。
    | 这款{EQU.air}最大航程{NUM.range}，{strength}，{COU}{plans}{units}。
    | 除{COU.china}外，{COU}、{COU}和{COU}也{plans}{EQU}。
    | {EQU}长%#米，采用英文名为 {english} 的新型材料，{strength}。
    | 专家{PER.chinese}认为，{EQU}比{EQU}{strength}，但{claim}。
    | {COU.china}{ORG.state}与{COU}{ORG.state}在{LOC}训练，参加人员{NUM.people}。
    | 编者按　　{TIM}，{ORG.firm}与{ORG.firm}在{LOC.city}签署协议，金额{NUM.money}。
    | {LOC.port}港务部门{TIM}证实，{COU}{EQU.sea}已离港，船上有{NUM.people}。
    | {PER.chinese}在{ORG.media}撰文指出，{COU.china}的{EQU}{strength}。
    | {PER.chinese}对{PER}说：“{claim}。”
    | {plain}
plain: {people}{attitude}，认为{claim}。
    | 相关项目的英文名称是 {english}，{claim}。
    | 图片来自网络　　{claim}，{people}{attitude}。
claim: {topic}仍有许多问题要解决 | 不应夸大{topic}的作用 | {topic}比预想的更加复杂
    | {topic}会在两三年后见到成效 | {topic}需要稳定的资金和人才 | 外界对{topic}看法不一
topic: 这笔交易|新的合作|装备更新|无人化|芯片供应|发动机研制|两军交流|数据安全|美化外观
    |日常维护|公司重组|远程通信|中期计划|海上搜救
people: 分析人士|不少网友|多位专家|业界人士|军事爱好者
attitude: 持谨慎态度|并不意外|表示欢迎|提出疑问|没有回应
plans: 计划采购|将接收|已订购|正在测试|决定升级|准备出售
strength: 造价更低|探测距离更远|航程更大|噪声更小|续航时间更长
english: Low Noise Wing | Open Sea Data Link | Smart Deck | Green Fuel Test
ORG.media: 《{brand}晚报》 | 《{brand}周刊》 | {brand}网 | {brand}社
ORG.state: 国防部|海军|空军|陆军|外交部|海岸警卫队|航天局|交通部
ORG.firm: {ORG.chinese} | {ORG.foreign}
ORG.chinese: {brand}{tech}公司 | {brand}{tech} | {city}{brand}集团
ORG.foreign: {sound}{ending}公司 | {sound}{ending}{tech}公司 | {ORG.latin}
ORG.latin: {latin} | {latin} Systems | {latin} Aero | {latin} Labs
latin: Quorvane | Tessolin | Ostrelle | Brivano | Kelmora | Zanthey
tech: 科技|航空|电子|船舶|半导体|能源|通信
PER: {sound}{ending} | {sound}{sound}{ending} | {sound}{ending}·{sound}{sound}{ending}
PER.chinese: {name}
sound: 阿|贝|卡|达|埃|费|格|哈|伊|科|莱|马|诺|奥|佩|罗|萨|塔|维|泽
ending: 夫|尔|森|斯|特|诺|尼|克|顿|曼|里|娜
COU: 美国|俄罗斯|英国|法国|德国|日本|韩国|印度|巴西|埃及|挪威|瑞典|芬兰|波兰|土耳其
    |加拿大|墨西哥|阿根廷|澳大利亚|新加坡|印度尼西亚|哈萨克斯坦
COU.china: 中国 | 中国 | 我国
COU.short: 中|美|俄|英|法|德|日|韩|印
LOC: {sea} | {LOC.city} | {LOC.port}
LOC.city: {city} | {city}郊区
LOC.port: {sound}{sound}{ending}港
sea: 地中海|波罗的海|红海|北海|印度洋|北极地区|东部沿海|西北高原|南部边境
TIM: {date} | {date} | {month}月初 | 201#年 | 201#年底 | 今年年初 | 本周 | 上月 | 昨天
date: {month}月{day}日 | {day}日 | 周{weekday} | 当地时间{day}日 | 201#年{month}月
weekday: 一|二|三|四|五|六|日
units: {NUM.planes}{EQU.air} | {NUM.ships}{EQU.sea}
NUM.planes: {count}架
NUM.ships: {count}艘
NUM.money: %#亿美元 | %.#亿元 | 约%##万欧元 | {digit}百亿日元
NUM.people: %##人 | %###余人 | {digit}百多名
NUM.range: %###千米 | %##公里 | 约{digit}千公里
count: {digit} | {digit} | % | %# | %#余
EQU: {EQU.air} | {EQU.sea} | {nick}{weapon} | {nick} | {weapon}
EQU.air: {nick}{aircraft} | {aircraft}
EQU.sea: {nick}{ship} | {ship}
EQU.latin: {adjective} {animal} % | {adjective} {animal}
EQU.phone: {animal} %# | {animal} Pro % | “{bird}”%
nick: “{bird}” | “{bird}”-% | QX-%# | VK-1## | ZT-% | HW-%#B
bird: 雪鸮|青鸾|白鹭|灰隼|夜莺|山雀|银鸥|赤鸢
adjective: Night | Silver | Blue | Quiet
animal: Heron | Marmot | Otter | Kite
aircraft: 无人机|战斗机|运输机|直升机|加油机|预警机
ship: 护卫舰|驱逐舰|潜艇|登陆舰|补给舰|无人艇
weapon: 防空导弹|反舰导弹|预警雷达|装甲车|侦察卫星|声呐
POS: 总理|国防部长|外长|议长|总参谋长|财政部长
POS.state: 发言人|负责人|参谋长|顾问
POS.firm: 首席执行官|总裁|董事长|副总裁|创始人|发言人
"""

Rules = dict[str, list[str]]


def read_rules(text: str) -> Rules:
    """Read the rules of a grammar. Indented lines continue a rule."""
    rules = {}
    for rule in re.split(r"\n(?! )", text.strip()):
        name, _, choices = rule.partition(":")
        rules[name] = [choice.strip() for choice in choices.split("|")]
    # Leave out those of Faker's jobs that are headings or lists ("经理/主管").
    job = re.compile(r"\w+(师|员|经理|总监|主管)")
    return rules | {"job": [name for name in Jobs.jobs if job.fullmatch(name)]}


def fill(template: str, rules: Rules, fake: Faker) -> list[tuple[str, str]]:
    """Replace the slots of a template, recursively.

    template: Text with slots.
    rules: The alternatives for each slot.
    fake: Chooses alternatives, and generates values for slots without a rule.
    RETURNS: Pieces of text, each with the label of its entity, or "" for none.
    """
    pieces = []
    # The odd items are the names of the slots.
    for i, part in enumerate(re.split(r"\{(.+?)\}", template)):
        if i % 2 == 0:
            pieces.append((fake.numerify(part), ""))
        elif part not in rules:
            pieces.append((getattr(fake, part)(), ""))
        else:
            inner = fill(fake.random.choice(rules[part]), rules, fake)
            if part[0].isupper():
                # One entity, however many pieces it consists of.
                inner = [("".join(text for text, _ in inner), part.partition(".")[0])]
            pieces += inner
    return pieces


def make_sentences(rules: Rules, fake: Faker, number: int) -> dict[str, list[str]]:
    """Generate this many different sentences, each with one BIO tag per character."""
    sentences: dict[str, list[str]] = {}
    while len(sentences) < number:
        pieces = fill("{sentence}", rules, fake)
        entities = [text for text, label in pieces if label]
        if len(set(entities)) < len(entities):
            continue  # a repeated entity sounds unnatural
        labels = []
        for text, label in pieces:
            if label:
                labels += [f"B-{label}"] + [f"I-{label}"] * (len(text) - 1)
            else:
                labels += ["O"] * len(text)
        sentences["".join(text for text, _ in pieces)] = labels
    return sentences


@exit_on_error()
def make_sample(
    out: Annotated[
        Path, typer.Argument(help="Folder for the files", show_default="assets/sample")
    ] = SAMPLE,
    records: Annotated[int, typer.Option(min=1, help="Sentences in each file")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the random choices")] = 0,
) -> None:
    """Generate two small labeled data sets from sentence patterns and invented names.

    resume.json contains JSON lines in which the text is a string; news.txt contains
    Python literals in which it is a list of characters. All people, companies and
    events are fictitious. The same seed and version of Faker generate the same files.
    """
    fake = Faker("zh_CN")
    fake.seed_instance(seed)
    resume = make_sentences(read_rules(SHARED + RESUME), fake, records)
    news = make_sentences(read_rules(SHARED + NEWS), fake, records)
    with AtomicSet() as files:
        new = files.add(out / "resume.json")
        with new.open("w", encoding="utf-8", newline="\n") as file:
            for text, labels in resume.items():
                record = {"text": text, "labels": labels}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        new = files.add(out / "news.txt")
        with new.open("w", encoding="utf-8", newline="\n") as file:
            for text, labels in news.items():
                record = {"text": list(text), "labels": labels}
                file.write(repr(record) + "\n")


if __name__ == "__main__":
    typer.run(make_sample)
