"""Links between cells: exactly once and in order, over a channel that loses, repeats and reorders frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messaging.codec import envelope_from, micros
from actors.messaging.frames import LINK, FrameContent, unpack_frame
from actors.runtime.links import FRAME_BYTES, FRAME_ENVELOPES, LONGEST_RESEND, RESEND_AFTER, Links, later_than
from tests.fakes.runtime_tables import NOW, runtime_store, saying


@dataclass
class End:
    """One cell as its link with the other sees it. `run` is a turn: it takes frames, sends, commits, gives frames."""

    peer: str
    now = NOW
    taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = runtime_store()
        self.session.commit()
        self.start()

    def start(self) -> None:
        """After the process has been replaced: what is known is what is stored."""
        self.links = Links(self.session, [self.peer])
        self.session.begin()
        self.links.open()
        self.session.commit()

    def run(
        self, frames: tuple[FrameContent, ...] = (), send: tuple[str, ...] = (), *, commit: bool = True
    ) -> list[FrameContent]:
        self.session.begin()
        taken: list[str] = []
        for content in frames:
            self.links.acknowledge(self.peer, content.acknowledged)
            taken += [envelope_from(each).message.text for each in self.links.take(self.peer, content)]  # type: ignore[attr-defined]
        for text in send:
            self.links.add(self.peer, saying(text))
        self.links.write()
        given_out = [unpack_frame(payload) for _, payload in self.links.frames(self.now)]
        if not commit:
            self.session.roll_back()
            self.session.begin()
            self.links.forget()
            self.session.roll_back()
            return []
        self.session.commit()
        self.links.committed()
        self.taken += taken
        return given_out

    def stored(self) -> int:
        self.session.begin()
        (count,) = self.session.one("SELECT count(*) FROM links_out") or (0,)
        self.session.roll_back()
        return int(count)


def numbers(content: FrameContent) -> tuple[int, int, int]:
    return content.number, len(content.envelopes), content.acknowledged


def test_what_is_sent_is_numbered_and_kept_until_it_is_acknowledged() -> None:
    """A process may die at any moment between."""
    ours, theirs = End("b"), End("a")
    (frame,) = ours.run(send=("x", "y"))
    assert numbers(frame) == (1, 2, 0)
    assert ours.stored() == 2
    (answer,) = theirs.run((frame,))
    assert numbers(answer) == (0, 0, 2)
    assert ours.run((answer,)) == []
    assert ours.stored() == 0
    assert theirs.taken == ["x", "y"]


def test_one_frame_is_under_way_and_the_next_goes_when_it_is_answered() -> None:
    """A peer that stands still is sent no more than that."""
    ours, theirs = End("b"), End("a")
    (first,) = ours.run(send=("x",))
    assert ours.run(send=("y",)) == []
    (second,) = ours.run(tuple(theirs.run((first,))))
    assert numbers(second) == (2, 1, 0)


def test_a_frame_without_an_answer_is_sent_again_with_what_has_come_since() -> None:
    """And not before it is overdue."""
    ours = End("b")
    ours.run(send=("x",))
    ours.run(send=("y",))
    due = ours.links.next_due()
    assert due == NOW + RESEND_AFTER
    ours.now = due - timedelta(microseconds=1)
    assert ours.run() == []
    ours.now = due
    assert [numbers(frame) for frame in ours.run()] == [(1, 2, 0)]


def test_what_was_taken_is_known_to_be_earlier_after_a_restart_too() -> None:
    """A turn that only took something in leaves no line in the log, and the machine's clock may be set back."""
    ours, theirs = End("b"), End("a")
    (frame,) = ours.run(send=("x",))
    theirs.run((frame._replace(at=frame.at + 5),))
    theirs.run((frame,))  # the same again, which was sent before
    theirs.start()
    theirs.session.begin()
    assert later_than(theirs.session) == frame.at + 6
    theirs.session.roll_back()
    assert theirs.links.take("a", frame) == []


def test_a_peer_that_is_not_heard_of_is_tried_less_and_less_often() -> None:
    """A cell that is down for an hour is not sent the same frame a thousand times."""
    ours = End("b")
    ours.run(send=("x",))
    waits = []
    for _ in range(7):
        due = ours.links.next_due()
        assert due is not None
        waits.append(due - ours.now)
        ours.now = due
        assert len(ours.run()) == 1
    assert waits == [min(LONGEST_RESEND, RESEND_AFTER * 2**resends) for resends in range(7)]
    assert waits[-1] == LONGEST_RESEND


def test_a_peer_that_comes_back_says_so_and_is_sent_at_once_what_waits() -> None:
    """What it missed was under way in vain, and would be tried again only much later."""
    ours, theirs = End("b"), End("a")
    theirs.run(tuple(ours.run(send=("x",))))
    for _ in range(4):
        ours.now += LONGEST_RESEND
        ours.run()
    theirs.start()
    (greeting,) = theirs.run()
    assert numbers(greeting) == (0, 0, 1)
    ours.run(send=("y",))
    ours.run((greeting._replace(acknowledged=0),))  # of an acknowledgement that says nothing new
    due = ours.links.next_due()
    assert due is not None
    assert due <= ours.now + RESEND_AFTER


def test_a_frame_that_comes_twice_is_taken_once_and_answered_twice() -> None:
    """The first answer may have been lost."""
    ours, theirs = End("b"), End("a")
    (frame,) = ours.run(send=("x",))
    assert [numbers(answer) for _ in range(2) for answer in theirs.run((frame,))] == [(0, 0, 1), (0, 0, 1)]
    assert theirs.taken == ["x"]


def test_nothing_is_taken_after_a_gap() -> None:
    """What is missing comes again, and with it what follows."""
    ours, theirs = End("b"), End("a")
    (first,) = ours.run(send=("x",))
    later = FrameContent(LINK, 2, 0, first.envelopes)
    (answer,) = theirs.run((later,))
    assert numbers(answer) == (0, 0, 0)
    assert theirs.taken == []


def test_of_a_frame_that_is_known_in_part_only_the_rest_is_taken() -> None:
    """A resend may have grown."""
    ours, theirs = End("b"), End("a")
    theirs.run(tuple(ours.run(send=("x",))))
    ours.run(send=("y", "z"))
    ours.now += RESEND_AFTER
    (whole,) = ours.run()
    assert numbers(whole) == (1, 3, 0)
    theirs.run((whole,))
    assert theirs.taken == ["x", "y", "z"]


def test_a_frame_holds_no_more_bytes_than_it_may_and_the_rest_follows() -> None:
    """Lines of a log on their way to an observer are long, and a frame has a largest length."""
    ours, theirs = End("b"), End("a")
    long = "x" * (FRAME_BYTES // 5)  # twice in each message
    (first,) = ours.run(send=(long, long, long))
    assert numbers(first) == (1, 2, 0)
    (second,) = ours.run(tuple(theirs.run((first,))))
    assert numbers(second) == (3, 1, 0)
    theirs.run((second,))
    assert theirs.taken == [long] * 3


def test_a_frame_tells_the_moment_of_its_turn() -> None:
    """So that what comes of it is later."""
    (frame,) = End("b").run(send=("x",))
    assert frame.at == micros(NOW)


def test_numbers_go_on_after_a_restart_with_nothing_left_to_send() -> None:
    """Numbers that began again would be taken for repeats, and lost."""
    ours, theirs = End("b"), End("a")
    ours.run(tuple(theirs.run(tuple(ours.run(send=("x", "y"))))))
    assert ours.stored() == 0
    ours.start()
    theirs.start()
    (frame,) = ours.run(send=("z",))
    assert numbers(frame) == (3, 1, 0)
    theirs.run((frame,))
    assert theirs.taken == ["x", "y", "z"]


def test_what_was_not_acknowledged_goes_again_after_a_restart() -> None:
    """At once: nobody knows whether it arrived."""
    ours = End("b")
    ours.run(send=("x", "y"))
    ours.start()
    assert [numbers(frame) for frame in ours.run()] == [(1, 2, 0)]


def test_an_abandoned_turn_leaves_neither_numbers_nor_a_frame_under_way() -> None:
    """The first turn with a peer, too, of whom nothing is stored yet."""
    ours = End("b")
    assert ours.run(send=("x",), commit=False) == []
    assert ours.stored() == 0
    assert ours.links.next_due() is None
    assert [numbers(frame) for frame in ours.run(send=("y",))] == [(1, 1, 0)]


def test_a_frame_of_an_abandoned_turn_can_be_taken_again() -> None:
    """It was not acknowledged, so it comes again."""
    ours, theirs = End("b"), End("a")
    (frame,) = ours.run(send=("x",))
    theirs.run((frame,), commit=False)
    assert theirs.taken == []
    theirs.run((frame,))
    assert theirs.taken == ["x"]


def test_an_acknowledgement_of_what_was_never_sent_is_ignored() -> None:
    """It would throw away what comes."""
    ours = End("b")
    ours.run((FrameContent(LINK, 0, 99, []),), send=("x",))
    ours.run((FrameContent(LINK, 0, -1, []),))
    assert ours.stored() == 1


def test_a_frame_of_a_stranger_or_with_an_odd_number_is_ignored() -> None:
    """Only cells of this system have links."""
    ours, theirs = End("b"), End("a")
    (frame,) = ours.run(send=("x",))
    ours.session.begin()
    assert ours.links.take("stranger", frame) == []
    ours.links.acknowledge("stranger", 1)
    ours.session.roll_back()
    theirs.run((frame._replace(number=0),))
    theirs.run((frame._replace(number=-3),))
    assert theirs.taken == []


def test_a_long_queue_goes_in_frames_of_bounded_size() -> None:
    """One after the other, nothing left out."""
    ours, theirs = End("b"), End("a")
    texts = tuple(str(at) for at in range(FRAME_ENVELOPES + 10))
    frames = ours.run(send=texts)
    assert numbers(frames[0]) == (1, FRAME_ENVELOPES, 0)
    while frames:
        frames = ours.run(tuple(theirs.run(tuple(frames))))
    assert theirs.taken == list(texts)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "deliver", "deliver", "repeat", "lose", "abandon", "restart", "wait"]),
        st.booleans(),
        st.integers(0, 7),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_everything_arrives_exactly_once_and_in_order(steps: list[tuple[str, bool, int]]) -> None:
    """Whatever is lost, repeated, reordered, abandoned or restarted on the way."""
    ends = (End("b"), End("a"))
    sent: tuple[list[str], list[str]] = ([], [])
    under_way: tuple[list[FrameContent], list[FrameContent]] = ([], [])  # towards the end of that number
    for number, (what, which, index) in enumerate(steps):
        me, you = int(which), int(not which)
        waiting = under_way[me]
        frame = (waiting[index % len(waiting)],) if waiting else ()
        match what:
            case "send":
                texts = tuple(f"{number}.{at}" for at in range(index % 3 + 1))
                sent[me].extend(texts)
                under_way[you].extend(ends[me].run(send=texts))
            case "deliver" | "repeat":
                under_way[you].extend(ends[me].run(frame))
                if what == "deliver" and frame:
                    waiting.remove(frame[0])
            case "lose" if frame:
                waiting.remove(frame[0])
            case "abandon":
                ends[me].run(frame, send=("never",), commit=False)
            case "restart":
                ends[me].start()
            case "wait":
                ends[me].now += RESEND_AFTER / 2
    for _ in range(20):
        for me, you in ((0, 1), (1, 0)):
            ends[me].now += RESEND_AFTER
            under_way[you].extend(ends[me].run(tuple(under_way[me])))
            under_way[me].clear()
    assert ends[0].taken == sent[1]
    assert ends[1].taken == sent[0]
    assert [end.stored() for end in ends] == [0, 0]
