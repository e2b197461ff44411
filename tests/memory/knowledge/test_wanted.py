"""Which words of a question are looked up when there are too many passages to look at all that hold one."""

from memory.knowledge._wanted import COUNTED, LOOKED_AT, chosen


def test_where_there_are_few_passages_every_word_is_looked_up() -> None:
    wanted = chosen({"oslo": 1, "campaign": 30, "unheard": 0}, 31)

    assert (wanted.query, wanted.complete) == ("oslo | campaign", True)


def test_a_rare_word_weighs_more_and_one_nobody_wrote_takes_its_share() -> None:
    weights = dict(chosen({"oslo": 1, "campaign": 30, "unheard": 0}, 31).weights)

    assert weights["oslo"] > 3 * weights["campaign"]
    assert sum(weights.values()) < 0.6  # no passage holds more than that of what was asked


def test_a_common_word_is_weighed_but_not_looked_up() -> None:
    wanted = chosen({"oslo": 3, "campaign": COUNTED}, 100_000)

    assert (wanted.query, wanted.complete) == ("oslo", False)
    assert [word for word, _ in wanted.weights] == ["oslo", "campaign"]


def test_of_common_words_alone_passages_that_hold_them_all_are_looked_at() -> None:
    assert chosen({"sales": COUNTED, "campaign": COUNTED}, 100_000).query == "sales & campaign"


def test_no_more_passages_are_looked_at_than_there_is_time_for_and_the_rarest_words_come_first() -> None:
    counts = {f"word{n}": LOOKED_AT // 3 - n for n in range(10)}

    wanted = chosen(counts, 100_000)

    assert wanted.query == "word9 | word8 | word7"
    assert not wanted.complete


def test_without_a_word_there_is_nothing_to_look_up() -> None:
    assert chosen({}, 10).query == chosen({"unheard": 0}, 10).query == ""
    assert chosen({"unheard": 0}, 10).complete
