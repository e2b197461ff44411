"""Merkle trees are those of RFC 9162, and the verifier that others run agrees with what we write."""

import hashlib

import pytest

from traces import verify
from traces.proof.merkle import EMPTY, Edge, Tree, leaf_hash, root_of

SIZES = range(1, 34)
LEAVES = [leaf_hash(str(n).encode()) for n in range(33)]


def hash_of(leaves: list[bytes]) -> bytes:
    """The definition of RFC 9162 §2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + hash_of(leaves[:k]) + hash_of(leaves[k:])).digest()


def is_consistent(size: int, root: bytes, later: int, later_root: bytes, proof: list[bytes]) -> bool:
    try:
        verify.consistent(size, root, later, later_root, proof, where="here")
    except verify.Broken:
        return False
    return True


def test_the_empty_tree_and_known_roots() -> None:
    known = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"  # RFC 6962's own eight leaves
    data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

    assert root_of([]) == EMPTY == hashlib.sha256(b"").digest()
    assert root_of([leaf_hash(bytes.fromhex(each)) for each in data]).hex() == known


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 20, 33])
def test_a_tree_and_its_edge_have_the_root_of_the_definition(size: int) -> None:
    tree, edge = Tree(LEAVES), Edge()
    for leaf in LEAVES[:size]:
        edge = Edge(edge.size, edge.to_bytes())  # as it comes back from the database
        edge.add(leaf)

    assert tree.root(size) == edge.root() == hash_of(LEAVES[:size])


def test_every_leaf_of_every_tree_is_shown_to_be_in_it_and_in_no_other_place() -> None:
    tree = Tree(LEAVES)
    for size in SIZES:
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert verify.included(LEAVES[index], index, size, proof, tree.root(size))
            assert not verify.included(LEAVES[index], (index + 1) % size, size, proof, tree.root(size)) or size == 1
            assert not verify.included(LEAVES[index], index, size, [*proof, EMPTY], tree.root(size))
            assert not verify.included(EMPTY, index, size, proof, tree.root(size))


def test_every_earlier_tree_is_shown_to_begin_every_later_one_and_no_other_does() -> None:
    tree, other = Tree(LEAVES), Tree([leaf_hash(b"other"), *LEAVES[1:]])
    for later in SIZES:
        for size in range(1, later + 1):
            proof = tree.consistency(size, later)
            assert is_consistent(size, tree.root(size), later, tree.root(later), proof)
            assert not is_consistent(size, other.root(size), later, tree.root(later), proof)
            assert not is_consistent(size, tree.root(size), later, other.root(later), proof)
            assert not is_consistent(size, other.root(size), later, tree.root(later), other.consistency(size, later))


def test_what_is_not_in_a_tree_cannot_be_shown_to_be() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        Tree(LEAVES).inclusion(5, 5)
    with pytest.raises(ValueError, match="not smaller"):
        Tree(LEAVES).consistency(7, 6)
    with pytest.raises(ValueError, match="the edge"):
        Edge(3, b"")
