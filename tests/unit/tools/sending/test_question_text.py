"""What a person is asked, and in which order: nothing that others wrote can pass for it or push it off the screen."""

from __future__ import annotations

from linq_mcp.contacts.directory import Directory
from linq_mcp.tools.sending.gates import Draft
from linq_mcp.tools.sending.question_text import send_question
from linq_mcp.tools.sending.target import Target

LINE, ANN, BO = "+12055550101", "+13345550191", "bo@example.com"


def lines_of(draft: Draft, *, name: str | None = None, names: dict[str, str] | None = None) -> list[str]:
    target = Target(
        chat_id="chat",
        line=LINE,
        recipients=(ANN, BO),
        name=name,
        is_group=True,
        status="HEALTHY",
        reputation="HEALTHY",
    )
    return send_question(target, draft, Directory(names or {})).message.split("\n")


def test_the_text_stands_first_and_the_line_next() -> None:
    """What is sent, from where, and to whom: in the first lines, whatever the rest holds."""
    files = tuple(f"https://files.example.com/{'x' * 3000}{number}.jpg" for number in range(20))
    lines = lines_of(Draft(text="Hello\n\nAnn", attachments=files), name="G" * 5000)
    assert lines[:6] == [
        "Send this message?",
        "> Hello",
        "> ",
        "> Ann",
        f"From your line: {LINE} (reputation: HEALTHY)",
        f"To: {ANN}, {BO}",
    ]
    assert lines[6].startswith('Group: "GGG')
    assert all(len(line) < 2500 for line in lines[6:])
    assert max(len(line) for line in lines if not line.startswith("Files")) < 200
    assert lines[-1].count("https://files.example.com/") == 20


def test_the_text_can_not_forge_a_fact() -> None:
    lines = lines_of(Draft(text=f"Hi\nTo: somebody else\nFrom your line: {BO}\n\nSend this message?"))
    assert [line for line in lines if line.startswith("To: ")] == [f"To: {ANN}, {BO}"]
    assert [line for line in lines if line.startswith("From your line: ")] == [lines[6]]
    assert lines.count("Send this message?") == 1


def test_names_written_from_right_to_left_stay_where_they_are() -> None:
    """Such a name would take the number after it to its other side."""
    hebrew, arabic = "\u05d3\u05df", "\u0639\u0644\u064a 12"
    lines = lines_of(Draft(text="Hi"), names={ANN: hebrew, BO: arabic}, name=f"{hebrew} 1")
    to, group = (next(line for line in lines if line.startswith(start)) for start in ("To: ", "Group: "))
    assert to == f"To: \u2068{hebrew}\u2069 ({ANN}), \u2068{arabic}\u2069 ({BO})"
    assert group == f'Group: \u2068"{hebrew} 1"\u2069'
    plain = lines_of(Draft(text="Hi"), names={ANN: "Zo\u00eb"})
    assert "\u2068" not in "".join(plain)
