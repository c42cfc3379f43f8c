"""The final report: for people in English or Traditional Chinese, for programs as JSON. Pure: text in, text out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from ingest.discover import Outcome
from ingest.pipeline import Report

Language = Literal["en", "zh"]
_MOST_NAMES = 20
_MOST_EXAMPLES = 3

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "done": "Ingest of {folder} into the collection {collection}",
        "dry": "Dry run of {folder} into the collection {collection}: nothing was written",
        "added": "added",
        "replaced": "replaced",
        "unchanged": "unchanged",
        "dropped": "dropped",
        "failed": "failed",
        "skipped": "skipped",
        "kept_out": "kept out",
        "kept": "the version indexed before stays",
        "kept_out_why": "deleted through the API; change the file, or use --full, to take it in again",
        "empty": "pages without text",
        "more": "and {count} more",
        "passages": "{count} passages from added and replaced files",
        "published": "Published generation {number}.",
        "current": "Nothing to publish: the index is up to date.",
        "separator": ", ",
    },
    "zh": {
        "done": "已將 {folder} 匯入文件集 {collection}",
        "dry": "試跑：將 {folder} 匯入文件集 {collection}，沒有寫入任何東西",
        "added": "新增",
        "replaced": "更新",
        "unchanged": "未變",
        "dropped": "移除",
        "failed": "失敗",
        "skipped": "略過",
        "kept_out": "不納入",
        "kept": "先前索引的版本仍保留",
        "kept_out_why": "已由 API 刪除；修改檔案或使用 --full 才會再納入",
        "empty": "沒有文字的頁",
        "more": "還有 {count} 個",
        "passages": "新增與更新的檔案共切成 {count} 個段落",
        "published": "已發布第 {number} 代索引。",
        "current": "不需發布：索引已是最新。",
        "separator": "、",
    },
}

# Codes stay in English beside the Chinese, so that the documentation can be searched for them.
_REASONS_ZH: Mapping[str, str] = {
    "no text": "沒有文字",
    "encrypted": "已加密",
    "limit": "超過限制",
    "damaged": "檔案損毀",
    "unsupported": "格式不支援",
    "changed": "讀取時被更動",
    "unreadable": "無法讀取",
    "hidden": "隱藏檔",
    "link": "連結",
    "not a file": "不是一般檔案",
    "own data": "本系統的資料",
}


def language_of(environ: Mapping[str, str]) -> Language:
    """Chinese for a Chinese locale, English otherwise; the first of LC_ALL, LC_MESSAGES and LANG that is set decides."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def shown(name: str) -> str:
    """A file name for one line of a terminal: what cannot be printed is written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def render(report: Report, folder: str, collection: str, language: Language) -> str:
    """The report as lines of text, counts first, then everything a person may have to act on."""
    words = _WORDS[language]
    lines = [words["dry" if report.dry_run else "done"].format(folder=shown(folder), collection=collection)]
    counts = [(name, len(getattr(report, name))) for name in ("added", "replaced", "unchanged", "dropped", "failed", "skipped", "kept_out")]
    lines.append("  " + words["separator"].join(f"{words[name]} {count}" for name, count in counts if count or name not in ("kept_out",)))
    if report.dry_run:
        for name in ("added", "replaced", "dropped"):
            lines += _section(words[name], getattr(report, name), words)
    lines += [f"{words['failed']}:"] if report.failed else []
    lines += [_failure(outcome, report, language) for outcome in report.failed]
    lines += _skipped(report.skipped, language)
    lines += _section(f"{words['kept_out']} ({words['kept_out_why']})", report.kept_out, words)
    empty = [f"{source}: {_numbers(pages)}" for source, pages in sorted(report.empty_pages.items())]
    lines += _section(words["empty"], empty, words)
    if not report.dry_run:
        lines.append(words["passages"].format(count=f"{report.passages:,}"))
        lines.append(words["published"].format(number=report.generation) if report.generation else words["current"])
    return "\n".join(lines)


def _section(title: str, names: Sequence[str], words: Mapping[str, str]) -> list[str]:
    if not names:
        return []
    rest = len(names) - _MOST_NAMES
    return [f"{title}:", *(f"  {shown(n)}" for n in names[:_MOST_NAMES]), *([f"  {words['more'].format(count=rest)}"] if rest > 0 else [])]


def _failure(outcome: Outcome, report: Report, language: Language) -> str:
    kept = f" ({_WORDS[language]['kept']})" if outcome.source in report.kept else ""
    detail = f": {shown(outcome.detail)}" if outcome.detail else ""
    return f"  {shown(outcome.source)}: {_reason(outcome.reason, language)}{detail}{kept}"


def _reason(reason: str, language: Language) -> str:
    return f"{_REASONS_ZH.get(reason, reason)} ({reason})" if language == "zh" else reason


def _skipped(outcomes: Iterable[Outcome], language: Language) -> list[str]:
    """One line a reason, with a few examples: a folder may hold thousands of pictures."""
    words = _WORDS[language]
    by_reason: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_reason.setdefault(outcome.reason, []).append(outcome)
    lines = []
    for reason, several in sorted(by_reason.items()):
        names = [shown(o.source) + (f" ({o.detail})" if reason == "link" and o.detail else "") for o in several[:_MOST_EXAMPLES]]
        if len(several) > _MOST_EXAMPLES:
            names.append(words["more"].format(count=len(several) - _MOST_EXAMPLES))
        lines.append(f"  {_reason(reason, language)} {len(several)}: {words['separator'].join(names)}")
    return [f"{words['skipped']}:", *lines] if lines else []


def _numbers(pages: Sequence[int]) -> str:
    """Page numbers with runs folded: 1-3, 7."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def as_json(report: Report, folder: str, collection: str) -> str:
    """The whole report, nothing folded, as one JSON object."""
    return json.dumps({"folder": folder, "collection": collection, **asdict(report)}, ensure_ascii=False, indent=2)
