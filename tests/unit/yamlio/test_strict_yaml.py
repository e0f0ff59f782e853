"""The loader reads YAML as people mean it, and says where every fault is."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.yamlio import strict_yaml
from zoo.yamlio.strict_yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES

ROOT = Path(__file__).parents[3]
FILES = sorted([*ROOT.glob("zoo/catalog/*/*.yaml"), *ROOT.glob("experiments/*.yaml")])


def value(text: str) -> object:
    """What `key: text` holds."""
    return strict_yaml.parse(f"key: {text}").data["key"]


def message(text: str) -> str:
    """The whole message that a text gives."""
    with pytest.raises(InputError) as caught:
        strict_yaml.parse(text, "file.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-6", 1e-6),
        ("3.0e-4", 3e-4),
        ("1e5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.inf", -math.inf),
    ],
)
def test_a_number_is_a_number(text: str, expected: float) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_not_a_number_is_a_float() -> None:
    found = value(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "y", "1_000", "12:30:45", "2024-01-01", "1.2.3", "e5", "0b1"]
)
def test_words_that_yaml_1_1_turned_into_something_else_stay_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("False", False), ("~", None)])
def test_the_words_of_yaml_1_2_mean_what_they_say(text: str, expected: object) -> None:
    assert value(text) is expected


@pytest.mark.parametrize("text", ['"1e-6"', "'true'", '"null"'])
def test_what_is_quoted_is_text(text: str) -> None:
    assert value(text) == text[1:-1]


@pytest.mark.parametrize("text", ["!!str 5", "!!set {a}", "!mine [1]", "! 5", "!!int '5'"])
def test_a_tag_is_refused_on_whatever_it_stands(text: str) -> None:
    assert "file.yaml:1:6: a tag (" in message(f"key: {text}")


def test_a_whole_number_without_end_is_refused() -> None:
    assert "a whole number that is too long; expected quotes, if text" in message(
        "a: " + "9" * 5000
    )
    assert value("9" * 1000) == int("9" * 1000)


def test_keys_stay_text_whatever_they_look_like() -> None:
    assert strict_yaml.parse("1: a\ntrue: b\nt1.0: c").data == {"1": "a", "true": "b", "t1.0": "c"}


def test_an_empty_text_is_no_value() -> None:
    assert strict_yaml.parse("").data is None
    assert strict_yaml.parse("# only a comment\n").data is None


def test_every_key_given_twice_is_reported_with_both_lines() -> None:
    assert message("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n") == (
        "file.yaml:3:1: 'a' again; first given on line 1\n"
        "    a: 3\n"
        "    ^\n"
        "file.yaml:4:11: 'd' again; first given on line 4\n"
        "    c: {d: 1, d: 2}\n"
        "              ^"
    )


def test_an_alias_is_refused_before_anything_is_built() -> None:
    assert message("a: &x [1]\nb: *x\n") == (
        "file.yaml:2:4: an alias (`*name`); expected the value written out\n    b: *x\n       ^"
    )


def test_a_bomb_of_aliases_costs_nothing() -> None:
    rows = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "an alias" in message("\n".join(rows))


def test_depth_and_number_of_values_are_bounded() -> None:
    deep = message("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert f"too deep or too many values; expected at most {MAX_DEPTH} levels" in deep
    assert "too deep or too many values" in message("- 1\n" * (MAX_NODES + 1))


def test_a_second_document_a_tag_and_a_key_that_is_a_list_are_refused() -> None:
    assert "file.yaml:2:1: a second document; expected one document a file" in message(
        "a: 1\n---\nb: 2"
    )
    assert "a tag (!python)" in message("a: !python os.system")
    assert "a tag (tag:yaml.org,2002:python/name:os.system)" in message(
        "a: !!python/name:os.system x"
    )
    assert "a key that is no plain word" in message("? [a, b]\n: 1")


def test_merge_keys_are_no_merge_keys() -> None:
    assert strict_yaml.parse("<<: {a: 1}\nb: 2").data == {"<<": {"a": 1}, "b": 2}


def test_a_tab_where_spaces_belong_is_placed() -> None:
    assert message("a:\n\tb: 1\n") == (
        "file.yaml:2:1: not YAML: while scanning for the next token "
        "found character '\\t' that cannot start any token\n"
        "    \tb: 1\n"
        "    ^"
    )


def test_text_that_is_not_yaml_is_placed() -> None:
    assert message("grid: [a, b\nseeds: [0]\n").startswith("file.yaml:2:6: not YAML: while parsing")


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: b\0c", "1:5"), ("a: 1\r\nb: \x07", "2:4"), ("\x1b[2J", "1:1"), ("a: 1\n'b\x7f", "2:3")],
)
def test_control_characters_are_refused_at_their_place_and_never_shown(
    text: str, place: str
) -> None:
    found = message(text)
    assert found.startswith(f"file.yaml:{place}: not YAML")
    assert found.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("a: {名前: [1, 2}", "    a: {名前: [1, 2}\n                   ^"),
        ("e\u0301: {a: [1, 2}", "    e\u0301: {a: [1, 2}\n                ^"),
        ("a\u202e: {a: [1, 2}", "    a\ufffd: {a: [1, 2}\n                 ^"),
        ("# \x9b[31m\na: [1, 2}", "    # \ufffd[31m\n      ^"),
    ],
)
def test_the_caret_stands_under_its_character(text: str, source: str) -> None:
    assert message(text).split("\n", 1)[1] == source


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    source, caret = message(f"a: [{'b, ' * 200}}}").splitlines()[1:]
    assert source[len(caret) - 1] == "}"
    assert len(source) < 170


def test_a_quote_that_does_not_end_is_placed_where_it_begins() -> None:
    assert message('a: 1\nb: "x\nc: 2\n').startswith("file.yaml:2:4: not YAML: while scanning")


@pytest.mark.parametrize(
    ("text", "character"),
    [(r"a\0b", r"\x00"), (r"\e[2J", r"\x1b"), (r"\ud83d\ude00", r"\ud83d")],
)
def test_control_characters_do_not_come_in_as_escapes_either(text: str, character: str) -> None:
    found = f"the control character '{character}', written as an escape"
    assert message(f'a: 1\nb: "{text}"') == (
        f'file.yaml:2:4: {found}; expected text that can be printed\n    b: "{text}"\n       ^'
    )
    assert found in message(f'"{text}": 1')


@pytest.mark.parametrize("escape", [r"\UFFFFFFFF", r"\U00110000"])
def test_an_escape_beyond_unicode_is_refused(escape: str) -> None:
    assert message(f'a: "{escape}"') == "file.yaml: not YAML: an escape that is no character"


def test_an_anchor_that_nothing_refers_to_is_harmless() -> None:
    assert strict_yaml.parse("a: &x [1]\nb: &x 2").data == {"a": [1], "b": 2}


def test_a_file_with_a_byte_order_mark_reads_like_one_without(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert strict_yaml.read(path).data == {"name": "x"}


def test_a_file_that_is_not_utf_8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nname: café\n".encode("latin-1"))
    with pytest.raises(InputError) as caught:
        strict_yaml.read(path)
    assert str(caught.value) == (
        f"{path}:2:10: the byte 0xe9 is not UTF-8; expected a text file in UTF-8\n"
        "    name: caf\ufffd\n"
        "             ^"
    )


def test_a_file_that_is_too_big_is_not_read_through(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as stream:
        stream.truncate(50 * MAX_BYTES)
    with pytest.raises(InputError) as caught:
        strict_yaml.read(path)
    assert str(caught.value) == f"{path}: too big; expected at most 1,000,000 bytes"


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError) as missing:
        strict_yaml.read(tmp_path / "no.yaml")
    assert str(missing.value) == (
        f"{tmp_path / 'no.yaml'}: cannot be read: No such file or directory; "
        "expected a YAML file; check the path"
    )
    with pytest.raises(InputError, match="Is a directory"):
        strict_yaml.read(tmp_path)


def test_places_are_kept_for_keys_and_values() -> None:
    document = strict_yaml.parse("a:\n  - b: 1\n    c: 2\n", "file.yaml")
    assert str(document.fault(("a", 0, "c"), "wrong", key=True)) == (
        "file.yaml:3:5: wrong\n        c: 2\n        ^"
    )
    assert document.fault(("a", 0, "c"), "wrong").place == "file.yaml:3:8"
    assert document.fault(("a", 0, "nothing", "there"), "wrong").place == "file.yaml:2:5"


def test_what_is_left_of_a_document_keeps_its_place() -> None:
    document = strict_yaml.parse("a: 1\nb:\n  - c\n  - d: 2\n    e: 3\nf: 4\n", "file.yaml")
    left = document.without({("a",), ("b", 0), ("b", 1, "d")})
    assert left.data == {"b": [{"e": 3}], "f": 4}
    assert left.fault(("b", 0, "e"), "wrong").place == "file.yaml:5:8"
    assert left.fault(("b", 0, "e"), "wrong", key=True).place == "file.yaml:5:5"
    assert document.data == {"a": 1, "b": ["c", {"d": 2, "e": 3}], "f": 4}


@given(st.text(max_size=200) | st.text("ab:-[]{},&*!|>'\"\n #%@?0.\t\\", max_size=60))
def test_any_text_gives_values_or_an_input_error(text: str) -> None:
    with suppress(InputError):
        assert strict_yaml.parse(text).lines == text.splitlines()


FRAGMENTS = [
    *(
        ": ",
        "- ",
        "? ",
        "\n",
        "\n  ",
        "\n    ",
        "  ",
        ", ",
        " #",
        "[",
        "]",
        "{",
        "}",
        "|\n",
        ">-\n",
    ),
    *(
        '"',
        "'",
        "\\n",
        "\\x00",
        "\\u12ab",
        "&a ",
        "*a",
        "!",
        "!!str ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
    ),
    *("a", "b: ", "1e5", "true", "?", "\u00e9", "\U0001f600", "\r\n", "\t", "\u2028", "\ufeff"),
]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=16).map("".join))
@example("{a, b: , c}")
@example("{a: b?c}")
@example(">#x")
@example("a: |\n  x\n\nb: >-\n  p q\n  r\n")
def test_a_text_reads_alike_with_and_without_libyaml(text: str) -> None:
    def found() -> object:
        try:
            document = strict_yaml.parse(text)
        except InputError as error:
            return str(error)
        return repr(document.data), document.values, document.keys

    fast = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert found() == fast


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_cards_and_manifests_are_read_by_libyaml_alone(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "SafeLoader")
        assert strict_yaml.parse(text).data["name"]


@given(st.floats(allow_nan=False) | st.integers(-(10**30), 10**30))
def test_a_number_written_by_python_reads_as_itself(number: float) -> None:
    text = repr(number).replace("inf", ".inf")
    assert value(text) == number
