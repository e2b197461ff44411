"""Merkle trees as RFC 9162 §2.1 has them: roots, inclusion proofs and consistency proofs.

Pure. A tree is known by the hashes of its leaves, in order. Checking proofs is done by `traces.verify`, the file that is
handed to others, so that what we check ourselves is what they check.
"""

import hashlib
from collections.abc import Iterable, Sequence

HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()  # the root of a tree without leaves


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees, side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Edge:
    """The right edge of a growing tree: enough to add leaves and to know the root, whatever the size."""

    def __init__(self, size: int = 0, edge: bytes = b"") -> None:
        """Raises `ValueError` when `edge` is not that of a tree of `size` leaves."""
        if size < 0 or len(edge) != HASH_BYTES * size.bit_count():
            raise ValueError("the edge is not that of a tree of this size")
        self.size = size
        self._subtrees = [edge[at : at + HASH_BYTES] for at in range(0, len(edge), HASH_BYTES)]  # largest first

    def add(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        self._subtrees.append(leaf)
        self.size += 1
        full = self.size
        while full % 2 == 0:
            right, left = self._subtrees.pop(), self._subtrees.pop()
            self._subtrees.append(node_hash(left, right))
            full //= 2

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        if not self._subtrees:
            return EMPTY
        root = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """What `Edge(size, edge)` goes on from."""
        return b"".join(self._subtrees)


class Tree:
    """All leaves of a tree, for proofs. Every full subtree is hashed once, so a proof costs as many hashes as it is deep."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        """`leaves` are hashes of leaves."""
        self._levels: list[list[bytes]] = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)])

    def __len__(self) -> int:
        return len(self._levels[0])

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves; over all of them when None."""
        many = self._within(len(self) if size is None else size)
        return self._over(0, many) if many else EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Shows that leaf `index` is in the tree of the first `size` leaves (RFC 9162 §2.1.3.1)."""
        if not 0 <= index < self._within(size):
            raise ValueError("the leaf is not in a tree of this size")
        start, end, path = 0, size, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, earlier: int, size: int) -> list[bytes]:
        """Shows that the tree of `size` leaves begins with that of `earlier` leaves (RFC 9162 §2.1.4.1)."""
        if not 0 < earlier <= self._within(size):
            raise ValueError("the earlier tree is not smaller")
        start, end, path, whole = 0, size, [], True
        while earlier != end:
            middle = start + _split(end - start)
            if earlier <= middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._over(start, end))
        return path[::-1]

    def _within(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise ValueError("the tree is not that large")
        return size

    def _over(self, start: int, end: int) -> bytes:
        """The hash over leaves `start` to `end`; a full, aligned subtree is known, any other is made of such."""
        many = end - start
        if many & (many - 1) == 0:
            return self._levels[many.bit_length() - 1][start // many]
        middle = start + _split(many)
        return node_hash(self._over(start, middle), self._over(middle, end))


def _split(many: int) -> int:
    """The largest power of two below `many`."""
    return 1 << (many - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these hashes of leaves, keeping nothing."""
    edge = Edge()
    for leaf in leaves:
        edge.add(leaf)
    return edge.root()
