"""A checksum is there to notice what people mistype."""

import string

import hypothesis
import pytest
from conversion.samples import CHECKSUMMED, OF_KEY_ONE, ONE_OF_EACH_ENCODING, Sample
from hypothesis import strategies as st

from understudy.adapters.conversion import InvalidAddress, base32, base58, cashaddr, check_address, segwit
from understudy.adapters.conversion.cashaddr import CashAddress
from understudy.adapters.conversion.segwit import WitnessProgram

HASHES = st.binary(min_size=20, max_size=20).filter(any)


def is_taken(address: str, sample: Sample) -> bool:
    coin, testnet, _ = sample
    try:
        check_address(address, coin, testnet=testnet)
    except InvalidAddress:
        return False
    return True


@pytest.mark.parametrize("sample", OF_KEY_ONE, ids=lambda sample: sample[2])
def test_an_address_that_another_library_has_made_is_taken_as_it_is(sample: Sample) -> None:
    coin, testnet, address = sample
    assert check_address(address, coin, testnet=testnet) == address


@pytest.mark.parametrize("sample", CHECKSUMMED, ids=lambda sample: sample[2])
def test_no_character_can_be_taken_away_doubled_or_exchanged_with_the_next(sample: Sample) -> None:
    address = sample[2]
    for place, character in enumerate(address):
        before, behind = address[:place], address[place + 1 :]
        others = [before + behind, before + 2 * character + behind]
        if behind and behind[0] != character:
            others.append(before + behind[0] + character + behind[1:])
        assert [other for other in others if is_taken(other, sample)] == []


@pytest.mark.parametrize("sample", ONE_OF_EACH_ENCODING, ids=lambda sample: sample[2])
def test_no_character_can_be_mistyped(sample: Sample) -> None:
    address = sample[2]
    taken = [
        wrong
        for place, right in enumerate(address)
        for typed in string.hexdigits
        if typed != right and is_taken(wrong := address[:place] + typed + address[place + 1 :], sample)
    ]
    assert taken == []


@hypothesis.given(HASHES, st.sampled_from([0x00, 0x05]), st.data())
def test_a_mistyped_character_of_base58check_is_noticed(digest: bytes, version: int, data: st.DataObject) -> None:
    address = base58.encode_checked(bytes([version]) + digest)
    assert not is_taken(mistyped(address, base58.BITCOIN, range(len(address)), 1, data), ("BTC", None, address))


@hypothesis.given(HASHES, st.sampled_from([0, 1]), st.integers(1, 4), st.data())
def test_up_to_four_mistyped_characters_of_segwit_are_noticed(
    digest: bytes, version: int, count: int, data: st.DataObject
) -> None:
    program = digest if version == 0 else digest + digest[:12]
    address = segwit.encode(WitnessProgram(version=version, program=program), prefix="bc")
    # The promise of four is one for each of the two checksums: the version, which tells them apart, stays.
    places = range(len("bc1q"), len(address))
    wrong = mistyped(address, base32.ALPHABET, places, count, data)
    assert not is_taken(wrong, ("BTC", None, address))


@hypothesis.given(HASHES, st.sampled_from([0, 1]), st.integers(1, 5), st.data())
def test_up_to_five_mistyped_characters_of_cashaddr_are_noticed(
    digest: bytes, kind: int, count: int, data: st.DataObject
) -> None:
    address = cashaddr.encode(CashAddress(kind=kind, hash=digest), prefix="bitcoincash")
    wrong = mistyped(address, base32.ALPHABET, range(len("bitcoincash:"), len(address)), count, data)
    assert not is_taken(wrong, ("BCH", None, address))


def mistyped(address: str, alphabet: str, places: range, count: int, data: st.DataObject) -> str:
    """An address with so many other characters."""
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=count, max_size=count, unique=True))
    characters = list(address)
    for place in chosen:
        characters[place] = data.draw(st.sampled_from(alphabet.replace(address[place], "")))
    return "".join(characters)
