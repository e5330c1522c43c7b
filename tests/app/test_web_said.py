"""What the server says has its Korean: every sentence of the source, and none that nobody says."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from deungdae.app.api.pages import WEB

SOURCE = WEB.parents[1]
WORDS = WEB / "said_words.js"
MEANT_FOR_OTHERS = {
    "app/api/schema.py": "it fails before anything is served, for whoever writes an answer",
    "app/causes.py": "only deungdae report cause asks a history for causes",
    "app/cli": "the command line answers whoever types there, in English",
    "app/datasets/anonymise.py": "only deungdae dataset anonymise calls it",
    "app/datasets/files.py": "only deungdae dataset reads folders and tables",
    "app/datasets/give.py": "only deungdae dataset gives sets away and takes them",
    "app/datasets/make.py": "only deungdae dataset reads declarations; a page gives its own, whole",
    "app/making.py": "only deungdae report trace and cause join files to parts",
    "exchange/dataset": "only deungdae dataset packs and unpacks",
    "insight/cause": "only deungdae report cause looks for causes and judges experiments",
    "learn/dataset/anonymous.py": "only deungdae dataset anonymise calls it",
    "learn/dataset/declaration.py": "only deungdae dataset reads declarations",
    "learn/images/borrowed.py": "only deungdae inspect train takes weights from elsewhere",
    "learn/dataset/strip.py": "only deungdae dataset anonymise calls it",
    "virtual/mtconnect/agent.py": "a virtual agent answers MTConnect clients in their own words",
    "wires/gcode.py": "only deungdae report trace and cause read programs",
}
SPEAKING = (  # what stands in these is said by many ways, so that all of it counts
    *("app/api/models.py", "app/teaching.py", "insight/vision/taught.py", "learn/inspection.py"),
    *("app/api/alarms.py", "decide/gate", "decide/loop", "insight/anomaly", "insight/condition"),
    *("insight/kpi/evaluation.py", "insight/kpi/quantities.py", "insight/spc", "machines"),
    *("learn/drift.py", "learn/images/candidates.py", "learn/images/example.py"),
    *("learn/images/training.py", "learn/measure/conformal.py", "learn/returns.py"),
    *("learn/pairs/taught.py", "learn/split/leak.py"),
    *("twin/monitor/score.py", "twin/optimise/improve.py", "twin/optimise/whatif.py"),
)
SILENT = {
    "Meta",
    "debug",
    "error",
    "exception",
    "info",
    "warning",
}  # calls that tell people nothing
NO_SENTENCES = {  # names of terms and other things that are the same in every language
    *("PQ first", "passed over", "sigma of all", "sigma within subgroups"),
    *("uncertainty of sigma", "the agent says", "as the alarm was told"),
    *("at most so many, the newest", "every code it reads", "every picture"),
    *("image/jpeg, image/png", "text/xml, application/xml", "{}, multipart/x-mixed-replace"),
    *("{} and {}", "{} has {} {}", "{} to {}", "{}: {}, at {}{}", "from {}", "number {}"),
    *("Deungdae {}", "HTTP {},", "chmod 600 {}", "serial {}", "url {}: {}"),
    *('source = "{}:{}"',),
    *("APT counted", "GQ as CM", "PQ known", "mean of study", "n of study"),
    *("training of {}", "of good parts to be rejected", "share of bad parts that may pass"),
    *("s that it may take, about", "Progress | None"),
    *("POST /api/v1/session/password", "text/plain; charset=utf-8"),
}
TELLING = {  # told without being raised
    *("Fault", "Health", "NotEnoughData", "Problem", "Refused", "WebError", "_fail"),
}
PROGRAMMERS = {  # raised for programmers, who read English
    *("AssertionError", "HTTPException", "KeyError", "LookupError", "NotImplementedError"),
    *("RuntimeError", "SystemExit", "TypeError"),
}
TOLD = {"lacking", "notes", "problem", "reason", "remedy"}
NAMES = {"file", "key", "person", "rule"}  # arguments that name something and say nothing
DEEPEST = 8  # steps from an argument back to where its words stand
WORD = re.compile(r"[A-Za-z]{2,}")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """One file of the source: which sentences stand in it, and where."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(SOURCE).as_posix()
        self.tree = ast.parse(path.read_text())
        self.functions: dict[str, list[Function]] = defaultdict(list)
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                self.functions[node.name].append(node)

    def tellers(self) -> set[str]:
        """Return what is called to make what is raised, or is given a problem or a remedy."""
        raises = (node.exc for node in ast.walk(self.tree) if isinstance(node, ast.Raise))
        raised = {called(node) for node in raises if isinstance(node, ast.Call)}
        functions = (each for same in self.functions.values() for each in same)
        given = {each.name for each in functions if TOLD & {one.arg for one in each.args.args}}
        return raised | given - {"__init__"}

    def all_texts(self) -> Iterator[tuple[str, int]]:
        """Yield everything that may be a sentence, but what documents, logs or is Korean too."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            children = list(ast.iter_child_nodes(node))
            if called(node) in SILENT or any(is_korean(child) for child in children):
                continue
            if isinstance(node, ast.JoinedStr):
                yield next(self.texts(node, self.tree)), node.lineno
                children = [each for each in children if isinstance(each, ast.FormattedValue)]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, node.lineno
            waiting += [child for child in children if not is_remark(child)]

    def told(self, tellers: set[str]) -> Iterator[tuple[str, int]]:
        """Yield each sentence with its line; tellers: what is called to tell people something."""
        yield from self._told(self.tree, self.tree, tellers)

    def _told(self, node: ast.AST, scope: ast.AST, tellers: set[str]) -> Iterator[tuple[str, int]]:
        if isinstance(node, Function):
            scope = node
        for argument in telling(node, tellers):
            yield from ((text, argument.lineno) for text in self.texts(argument, scope))
        for child in ast.iter_child_nodes(node):
            yield from self._told(child, scope, tellers)

    def texts(self, node: ast.AST | None, scope: ast.AST, depth: int = 0) -> Iterator[str]:
        """Yield what an expression may say, each part that differs as {}."""
        if depth > DEEPEST:
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            ends = list(self.texts(node.right, scope, depth + 1)) or ["{}"]
            for begin in list(self.texts(node.left, scope, depth + 1)) or ["{}"]:
                yield from (begin + end for end in ends)
            return
        for part in self.parts(node, scope):
            yield from self.texts(part, scope, depth + 1)
        for function in self.functions[called(node)]:
            for value in returned(function):
                yield from self.texts(value, function, depth + 1)

    def parts(self, node: ast.AST | None, scope: ast.AST) -> Iterator[ast.AST | None]:
        """Yield where else the words of an expression may stand."""
        match node:
            case ast.JoinedStr(values=all_parts):
                held = (part.value for part in all_parts if isinstance(part, ast.FormattedValue))
                yield from (part for part in held if not isinstance(part, ast.Constant))
            case ast.IfExp(body=one, orelse=other):
                yield from (one, other)
            case ast.BoolOp(values=found) | ast.Dict(values=found):
                yield from found
            case ast.Tuple(elts=found) | ast.List(elts=found) | ast.Set(elts=found):
                yield from found
            case ast.ListComp(elt=one) | ast.GeneratorExp(elt=one):
                yield one
            case (
                ast.Starred(value=one)
                | ast.Subscript(value=one)
                | ast.Await(value=one)
                | ast.NamedExpr(value=one)
            ):
                yield one
            case ast.Name(id=name):
                yield from list(assigned(scope, name)) or assigned(self.tree, name)
            case ast.Call(func=ast.Attribute(attr="join"), args=[one]):
                yield one
            case ast.Call(func=ast.Attribute(value=one, attr="get"), args=[_, *others]):
                yield from (one, *others)


def is_korean(node: ast.AST) -> bool:
    return bool(re.search("[가-힣]", str(getattr(node, "value", ""))))


def is_remark(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def called(node: ast.AST | None) -> str:
    """Return the last name of what is called, or nothing."""
    function = getattr(node, "func", None)
    return getattr(function, "id", getattr(function, "attr", ""))


def returned(function: Function) -> Iterator[ast.expr | None]:
    """Yield what a function returns or yields, if that is a text or an error."""
    if function.returns and re.search("str|Error", ast.unparse(function.returns)):
        ends = (node for node in ast.walk(function) if isinstance(node, ast.Return | ast.Yield))
        yield from (node.value for node in ends)


def telling(node: ast.AST, tellers: set[str]) -> Iterator[ast.expr]:
    """Yield the expressions that a node tells to people."""
    if isinstance(node, ast.Assign):
        names = {getattr(to, "id", getattr(to, "attr", "")).strip("_") for to in node.targets}
        if names & TOLD:
            yield node.value
    if not isinstance(node, ast.Call):
        return
    tells = called(node) in tellers
    if tells:
        yield from node.args
    for keyword in node.keywords:
        if keyword.arg in TOLD or (tells and keyword.arg not in NAMES):
            yield keyword.value


def assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """Yield what a name is given in a function, or at the top of a module."""
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    for node in nodes:
        if isinstance(node, ast.Assign):
            for to in node.targets:
                pairs = [(to, node.value)]
                if isinstance(to, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(to.elts, node.value.elts, strict=False))
                yield from (given for it, given in pairs if getattr(it, "id", "") == name)
        elif isinstance(node, ast.Call) and called(node) in ("append", "extend", "insert"):
            yield from node.args if getattr(node.func.value, "id", "") == name else ()
        elif isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == name:
            yield node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and name == getattr(
            node.target, "id", ""
        ):
            yield from filter(None, [node.value])


def is_sentence(text: str) -> bool:
    return " " in text and len(WORD.findall(text.replace("{}", " "))) + ("{}" in text) > 1


@pytest.fixture(scope="module")
def source() -> dict[str, str]:
    """Every sentence that people may read, and where it stands first."""
    modules = [Module(path) for path in sorted(SOURCE.rglob("*.py"))]
    tellers = set().union(TELLING, *(module.tellers() for module in modules)) - PROGRAMMERS
    found: dict[str, str] = {}
    for module in modules:
        if module.name.startswith(tuple(MEANT_FOR_OTHERS)):
            continue
        whole = module.all_texts() if module.name.startswith(SPEAKING) else ()
        for told, line in [*module.told(tellers), *whole]:
            text = re.sub(r"\{\w+\}", "{}", told).strip().removeprefix("; ")
            if is_sentence(text) and text not in NO_SENTENCES:
                found.setdefault(text, f"{module.name}:{line}")
    return found


def node(script: str, *given: object) -> object:
    """Return what a script makes of what is given, by the pages' own modules."""
    code = f"const given = {json.dumps(given)};\n{script}"
    ended = subprocess.run(
        ["node", "--input-type=module", "--no-warnings"],
        input=code,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def words() -> dict[str, list[list[str]]]:
    """The catalogue: what our own source says, and what libraries and systems say."""
    script = f"""const {{ sentences, foreign }} = await import("{WORDS.as_uri()}");
        console.log(JSON.stringify({{ sentences, foreign }}));"""
    found = node(script)
    assert isinstance(found, dict)
    return found


def said(*texts: str, language: str = "ko") -> list[str]:
    """Return what the pages say instead of each text."""
    script = f"""const {{ say }} = await import("{(WEB / "said.js").as_uri()}");
        const [language, ...texts] = given;
        console.log(JSON.stringify(texts.map((text) => say(text, language))));"""
    found = node(script, language, *texts)
    assert isinstance(found, list)
    return found


def test_every_sentence_has_its_korean(
    source: dict[str, str], words: dict[str, list[list[str]]]
) -> None:
    korean = {english for english, _ in words["sentences"]}
    missing = [
        f"{place}: write its Korean in {WORDS.relative_to(SOURCE)}: "
        f"[{json.dumps(text, ensure_ascii=False)}, …],"
        for text, place in source.items()
        if text not in korean
    ]
    assert not missing, "\n".join(missing)


def test_no_korean_is_left_without_its_sentence(
    source: dict[str, str], words: dict[str, list[list[str]]]
) -> None:
    left = [english for english, _ in words["sentences"] if english not in source]
    assert not left, "\n".join(left)


def test_the_source_is_searched(source: dict[str, str]) -> None:
    assert "{} cannot be reached: {}" in source
    assert "this needs the role {}" in source
    assert len(source) > 800


def test_a_sentence_stands_once(words: dict[str, list[list[str]]]) -> None:
    all_of_them = [english for english, _ in words["sentences"] + words["foreign"]]
    assert sorted({each for each in all_of_them if all_of_them.count(each) > 1}) == []


def test_the_korean_has_every_part_that_differs(words: dict[str, list[list[str]]]) -> None:
    for english, korean in words["sentences"] + words["foreign"]:
        places = set(re.findall(r"\{(\d+)\}", korean))
        assert places == {str(each + 1) for each in range(english.count("{}"))}, english
        assert "{}" not in korean, english


def test_sentences_hold_sentences() -> None:
    assert said(
        "opc.tcp://10.0.0.9:4840 did not answer within 5 s while reading",
        "http://10.0.0.9 cannot be reached: [Errno 111] Connect call failed ('10.0.0.9', 80)",
    ) == [
        "opc.tcp://10.0.0.9:4840: 5초 안에 응답하지 않았습니다 (하던 일: reading)",
        "http://10.0.0.9에 연결할 수 없습니다: 접속하지 못함 ('10.0.0.9', 80) (오류 111)",
    ]


def test_several_in_a_row_are_said_one_by_one() -> None:
    assert said(
        "2 signals do not work; reads come 3.1 s late: more than one period",
        "http://10.0.0.9 does not answer in time — check the path",
        "this needs a login\nask an administrator",
        "not everything was told in 5 % of the time; to bound it, state `rated` of each meter",
    ) == [
        "신호 2개를 읽지 못합니다; 읽기가 3.1초 늦습니다: 한 주기보다 깁니다",
        "http://10.0.0.9: 제시간에 응답하지 않습니다 — 경로를 확인하세요",
        "로그인이 필요합니다\n관리자에게 요청하세요",
        "시간의 5 % 동안 일부 값을 받지 못했습니다; 범위를 알려면 계량기마다 `rated`를 쓰세요",
    ]


def test_what_stands_before_a_sentence_stays() -> None:
    """The place that a fault names, and the rule that refused."""
    assert said(
        "factory.toml:12: machines.press.url = 'x': is missing\n    remedy: check the path",
        "expired: the command expired 3 s ago",
        "tcp://10.0.0.5:502: unit 3 answered exception 6: the device is busy",
    ) == [
        "factory.toml:12: machines.press.url = 'x': 빠졌습니다\n    조치: 경로를 확인하세요",
        "expired: 명령의 유효 시간이 3초 전에 지났습니다",
        "tcp://10.0.0.5:502: 국번 3: 예외 6 응답: 기기가 바쁩니다",
    ]


def test_the_longest_sentence_that_fits_is_taken() -> None:
    """Of '{} cannot be written' and '{} cannot be written: MTConnect can only be read'."""
    assert said("press-1 cannot be written: MTConnect can only be read") == [
        "press-1: 쓸 수 없습니다. MTConnect는 읽기만 됩니다"
    ]


def test_what_no_sentence_fits_stays_as_it_came() -> None:
    texts = ["", "벽돌이 걸렸습니다", "the fox jumped", "$& {1} {}", "  ", "a\n\nb — c; d"]
    assert said(*texts) == texts


def test_what_differs_is_never_taken_for_a_place() -> None:
    assert said("no alarm is called {1} $& $1 <b>") == ["‘{1} $& $1 <b>’: 그런 알람이 없습니다"]


def test_a_name_stands_in_marks_once() -> None:
    assert said("no alarm is called 'a'", "no alarm is called a") == [
        "‘a’: 그런 알람이 없습니다",
        "‘a’: 그런 알람이 없습니다",
    ]


def test_english_stays_english() -> None:
    assert said("this needs a login", language="en") == ["this needs a login"]


def test_no_text_keeps_a_page_busy() -> None:
    """Texts made to match everywhere: each ends, and the longest are not looked at."""
    parts = ["{} is ", " is no ", "; ", "a cannot be reached: ", ": ", "a — b; c is no d\n", " · "]
    texts = [part * (4000 // len(part)) for part in parts]
    assert len(said(*texts)) == len(texts)
    long = "this needs a login; " * 500
    assert said(long) == [long]
