"""A frame is withheld only if no cloud has room for it, which counts once; else its bytes count where it goes."""

from types import SimpleNamespace

from edge.uplink.clouds.choosing.doors import Doors


class FakeSeat:
    is_open_to_frames = True


class FakeDoor:
    def __init__(self, *, room):
        self.room, self.place, self.tickets, self.count = room, object(), 0, 0

    def has_room(self, stream, deadline_s):
        return self.room

    def withheld(self):
        self.count += 1

    def ticket(self, stream, frame):
        self.tickets += 1
        return self


def admitted(*rooms, live=True):
    """Whether a frame may be encoded, and the doors after that, and the stream's place."""
    doors, places = [FakeDoor(room=room) for room in rooms], []
    many = Doors({FakeSeat(): door for door in doors})
    stream = SimpleNamespace(home=None, enter=places.append)
    if admits := many.admits(stream, 1.0, live=live):
        many.ticket(stream, None)
    return admits, doors, places


def test_the_first_with_room_gets_it_and_the_others_count_nothing():
    admits, doors, places = admitted(False, True, True)
    assert admits
    assert [door.count for door in doors] == [0, 0, 0]
    assert [door.tickets for door in doors] == [0, 1, 0]
    assert places == [doors[1].place]


def test_a_frame_that_none_has_room_for_counts_once():
    admits, doors, places = admitted(False, False)
    assert not admits
    assert sum(door.count for door in doors) == 1
    assert places == []
    assert admitted(False, False, live=False)[0]
