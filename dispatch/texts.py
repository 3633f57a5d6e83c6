"""What dispatch says to people, in English and Chinese: reasons of a recommendation, lines of the journal, alerts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dispatch.views import Reason

REASONS: dict[str, tuple[str, str]] = {
    "quickest": (
        "Quickest: {eta_en} (turnout {turnout_en} + {travel_en} by road, {way_en})",
        "最快到达：{eta_zh}（出动 {turnout_zh} + 路程 {travel_zh}，{way_zh}）",
    ),
    "eta": (
        "{eta_en} (turnout {turnout_en} + {travel_en} by road, {way_en})",
        "{eta_zh}（出动 {turnout_zh} + 路程 {travel_zh}，{way_zh}）",
    ),
    "slower": ("{gap_en} later than the quickest", "比最快的晚 {gap_zh}"),
    "has_skills": ("Has what is needed: {skills_en}", "具备所需技能：{skills_zh}"),
    "nearer": ("Would be {gap_en} quicker than the quickest suitable unit, but:", "可比最快的合适单元快 {gap_zh}，但："),
    "off_duty": ("Off duty", "未在岗"),
    "out_of_service": ("Out of service", "停止服务"),
    "lost_contact": ("Contact lost: not heard of for {age_en}", "失去联系：已 {age_zh} 没有消息"),
    "position_stale": ("Its position is {age_en} old", "位置信息已过时 {age_zh}"),
    "committed": ("Committed to another assignment", "已有任务"),
    "tried_declined": ("Declined this incident", "已拒绝本警情"),
    "tried_timed_out": ("Did not answer the offer in time", "未在时限内答复"),
    "tried_unable": ("Reported that it cannot", "已报告无法执行"),
    "tried_withdrawn": ("Was withdrawn from this incident", "已从本警情撤回"),
    "lacks_skill": ("Lacks: {skills_en}", "缺少技能：{skills_zh}"),
    "wrong_tier": ("Not for this kind of incident ({tier_en})", "不适用于此类警情（{tier_zh}）"),
    "beyond_limit": ("More than {limit_en} away", "路程超过 {limit_zh}"),
    "no_road": ("No road known where it stands", "所在位置没有已知道路"),
    "straight_line": (
        "Degraded: straight-line estimate, no road is known at the incident",
        "降级估算：警情地点没有可用道路，按直线距离计算",
    ),
    "at_base_assumed": ("Has not sent a position: taken to be at its base", "尚未上报位置：按驻地估算"),
}

ALERTS: dict[str, tuple[str, str]] = {
    "no_unit": (
        "Nobody is left to offer it to: every suitable unit declined, did not answer, or is busy. Decide what to do.",
        "没有可再派的单元：合适的单元均已拒绝、未答复或有任务。请决定如何处理。",
    ),
}

JOURNAL: dict[str, tuple[str, str]] = {
    "incident.received": ("Raised by camera {camera}: {kind}, score {score}", "由摄像机 {camera} 触发：{kind}，置信度 {score}"),
    "incident.seen_again": ("Seen again after it was cleared", "处置完毕后再次出现"),
    "incident.triage": ("Looked at", "开始研判"),
    "incident.confirm": ("Confirmed. {note}", "已确认。{note}"),
    "incident.dismiss": ("Dismissed as a false alarm: {reason_en}. {note}", "判定为误报：{reason_zh}。{note}"),
    "incident.cancel": ("Cancelled. {reason} {note}", "已取消。{reason}{note}"),
    "incident.duplicate": ("Duplicate of {reason}. {note}", "与警情 {reason} 重复。{note}"),
    "incident.control": ("Under control. {note}", "已控制。{note}"),
    "incident.clear": ("Cleared. {note}", "处置完毕。{note}"),
    "incident.verify": ("Verified by call-back. {note}", "已回访核实。{note}"),
    "incident.close": ("Closed. {note}", "已结案。{note}"),
    "incident.reopen": ("Reopened. {reason} {note}", "重新打开。{reason}{note}"),
    "incident.note": ("{note}", "{note}"),
    "incident.followed": ("Now {to_en}", "状态变为：{to_zh}"),
    "incident.alert.no_unit": ALERTS["no_unit"],
    "assignment.offered": ("Offered to {unit_name}: {eta_en}", "已向 {unit_name_zh} 发出派遣：预计 {eta_zh}"),
    "assignment.offered_next": (
        "In place of {cause_unit_name}, offered automatically to the next: {unit_name}: {eta_en}",
        "{cause_unit_name_zh} 未能执行，已自动派给下一单元 {unit_name_zh}：预计 {eta_zh}",
    ),
    "assignment.accepted": ("{unit_name} accepted", "{unit_name_zh} 已接受"),
    "assignment.declined": ("{unit_name} declined. {why_en}", "{unit_name_zh} 已拒绝。{why_zh}"),
    "assignment.timed_out": ("{unit_name} did not answer in time", "{unit_name_zh} 未在时限内答复"),
    "assignment.en_route": ("{unit_name} is under way", "{unit_name_zh} 已出发"),
    "assignment.on_scene": ("{unit_name} is on the scene", "{unit_name_zh} 已到场"),
    "assignment.cleared": ("{unit_name} has finished", "{unit_name_zh} 已完成处置"),
    "assignment.unable": ("{unit_name} cannot continue. {why_en}", "{unit_name_zh} 无法继续。{why_zh}"),
    "assignment.withdrawn": ("{unit_name} was withdrawn. {why_en}", "{unit_name_zh} 已撤回。{why_zh}"),
    "unit.lost_contact": ("Contact with {unit_name} is lost", "与 {unit_name_zh} 失去联系"),
    "grant.opened": (
        "Clear picture of {camera} opened for {life_en}: {purpose}",
        "已打开 {camera} 的清晰画面，时限 {life_zh}：{purpose}",
    ),
    "grant.ended": ("Clear picture of {camera} closed", "{camera} 的清晰画面已关闭"),
    "grant.expired": ("Clear picture of {camera} expired", "{camera} 的清晰画面已到期"),
    "clip.deleted": ("Clip deleted on schedule", "录像已按期删除"),
    "clip.missing": ("A clip was not there any more when its time to be deleted came", "录像到期删除时已不存在"),
    "thumbnail.deleted": ("Still picture deleted on schedule", "静态画面已按期删除"),
    "watched": ("Watched {camera} ({view})", "观看了 {camera}（{view}）"),
}

STATES: dict[str, tuple[str, str]] = {
    "received": ("received", "已接收"),
    "triage": ("in triage", "研判中"),
    "confirmed": ("confirmed", "已确认"),
    "dispatching": ("dispatching", "派遣中"),
    "responding": ("responding", "响应中"),
    "on_scene": ("on scene", "已到场"),
    "controlled": ("under control", "已控制"),
    "cleared": ("cleared", "处置完毕"),
    "verified": ("verified", "已核实"),
    "closed": ("closed", "已结案"),
    "false_alarm": ("false alarm", "误报"),
    "cancelled": ("cancelled", "已取消"),
    "duplicate_of": ("duplicate", "重复"),
}


# Why a unit declined, cannot go on, or was withdrawn: the codes that phone and console send. Other words stand as they came.
WHY: dict[str, tuple[str, str]] = {
    "busy": ("Busy with something else", "正忙于其他事务"),
    "too_far": ("Too far away", "距离太远"),
    "not_fit": ("Not fit for duty", "身体状况不适"),
    "no_equipment": ("Without the equipment", "缺少装备"),
    "breakdown": ("Vehicle or equipment broke down", "车辆或装备故障"),
    "blocked": ("The way is blocked", "道路受阻"),
    "injured": ("Injured", "受伤"),
    "recalled": ("Called elsewhere", "另有任务"),
    "not_needed": ("No longer needed", "不再需要"),
    "better_unit": ("A better unit is free", "有更合适的单元"),
    "sent_in_error": ("Sent in error", "误派"),
    "no_answer": ("No answer", "无应答"),
    "other": ("Another reason", "其他原因"),
}


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def reason(code: str, **facts: str) -> Reason:
    en, zh = REASONS[code]
    return Reason(code, en.format_map(_Blank(facts)), zh.format_map(_Blank(facts)))


def journal(code: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(English, Chinese) of one journal line; an unknown code speaks for itself."""
    en, zh = JOURNAL.get(code, (code, code))
    values = dict(facts)
    if isinstance(values.get("to"), str):
        values["to_en"], values["to_zh"] = STATES.get(values["to"], (values["to"], values["to"]))
    if isinstance(values.get("reason"), str):
        values["why_en"], values["why_zh"] = WHY.get(values["reason"], (values["reason"], values["reason"]))
    if isinstance(values.get("eta_s"), int | float):
        values["eta_en"], values["eta_zh"] = duration(values["eta_s"], "en"), duration(values["eta_s"], "zh")
    if isinstance(values.get("life_s"), int | float):
        values["life_en"], values["life_zh"] = duration(values["life_s"], "en"), duration(values["life_s"], "zh")
    return _tidy(en.format_map(_Blank(values))), _tidy(zh.format_map(_Blank(values)))


def _tidy(text: str) -> str:
    return " ".join(text.split()).rstrip(" :：")


def duration(seconds: float, language: Literal["en", "zh"]) -> str:
    """`45 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    h, m, s = ("h", "min", "s") if language == "en" else ("小时", "分", "秒")
    if hours:
        return f"{hours} {h} {minutes} {m}" if minutes else f"{hours} {h}"
    if minutes:
        return f"{minutes} {m} {left} {s}" if left else f"{minutes} {m}"
    return f"{left} {s}"


def length(metres: float | None, language: Literal["en", "zh"]) -> str:
    if metres is None:
        return "?"
    if metres < 1000:
        return f"{round(metres)} " + ("m" if language == "en" else "米")
    return f"{metres / 1000:.1f} " + ("km" if language == "en" else "公里")
