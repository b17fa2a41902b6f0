"""What words can be met by: the one look-up and the whole list say the same."""

from hypothesis import given
from hypothesis import strategies as st

from judul_lib.spans import find_span, word_spans
from judul_lib.title_parser import Unit

WORDS = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "kota", "pekan", "baru"]), min_size=1, max_size=4
)
PARSES = st.lists(WORDS.map(lambda words: Unit("x", "object", " ".join(words), False)), max_size=5)


@given(parse=PARSES, more=st.sampled_from(["ab", "abab", "pekanbaru", "kpb", ""]))
def test_one_span_is_found_as_in_all_of_them(parse, more):
    spans = word_spans(parse)
    for letters in (*spans, more):
        assert find_span(parse, letters) == spans.get(letters)


def test_the_first_of_equal_spans_counts():
    parse = [Unit("x", "object", text, False) for text in ("pekan baru", "pekan", "baru")]
    assert find_span(parse, "pekanbaru") == (0, 0)
    assert find_span(parse, "pb") == (0, 0)
    assert find_span(parse, "bpb") == (0, 2)
    assert find_span(parse, "baru") is None
