"""The paper's source: no number and no count is typed in it, and what it cites is listed."""

import re

from linear_probing import paper

# Counts in words; "one" is no count in most of its uses, and an ordinal is none.
COUNTS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|thousand|half|quarter|third|twice"


def prose(root):
    """Return the paper's source below the line TEXT without comments, labels and citations."""
    source = (root / paper.SOURCES[0]).read_text(encoding="utf-8").split("// TEXT\n")[1]
    source = re.sub(r"^//.*$", "", source, flags=re.M)
    source = source.partition("#set text(size:")[0]
    return re.sub(r"<[a-z-]+\d*>|@[a-z-]+\d*", "", source)


def test_no_number_is_typed_in_the_text(root):
    text = prose(root)
    assert "= Results" in text
    found = [line for line in text.splitlines() if re.search(r"[\d²³½¼]", line)]
    assert not found


def test_no_count_is_typed_in_words(root):
    found = re.findall(rf"\b(?:{COUNTS})s?\b", prose(root), flags=re.I)
    assert not found


def test_no_semicolon_ends_an_expression_and_vanishes(root):
    assert not re.findall(r"#[\w.-]+;|\];", prose(root))


def test_what_is_cited_is_listed_and_what_is_listed_is_cited(root):
    source, listed = ((root / name).read_text(encoding="utf-8") for name in paper.SOURCES[:2])
    keys = set(re.findall(r"@\w+\{(\w+),", listed))
    assert len(keys) == 15
    assert set(re.findall(r"@([a-z]+\d{4})|cite\(<(\w+)>", source)) == {
        (key, "") if f"@{key}" in source else ("", key) for key in keys
    }
