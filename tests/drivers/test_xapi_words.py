"""Every refusal of the XenAPI in words: names for references, all forms of the same code, and no word made up."""

import pytest

from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.records import record_of
from xenweb.drivers.xapi_driver.words import HAVE_WORDS, Names, Saying, said

VM, HOST, SR, NET, VDI = (f"OpaqueRef:{name}" for name in ("vm", "host", "sr", "net", "vdi"))
UUID = "12345678-1234-4234-8234-123456789abc"
NAMES = Names(
    {
        "VM": {VM: record_of("VM", VM, {"name_label": "web-1", "uuid": UUID})},
        "host": {HOST: record_of("host", HOST, {"name_label": "alpha", "uuid": "h"})},
        "SR": {SR: record_of("SR", SR, {"name_label": "fast", "uuid": "s"})},
        "network": {NET: record_of("network", NET, {"name_label": "lan", "uuid": "n"})},
        "VDI": {VDI: record_of("VDI", VDI, {"name_label": "web-1 root", "uuid": "v"})},
    }
)


def words(code: str, *params: str) -> Saying:
    return said(RefusedError(code, params), NAMES)


@pytest.mark.parametrize("code", sorted(HAVE_WORDS))
@pytest.mark.parametrize("params", [(), (VM,), (VM, HOST, "x", "y"), ("", "", "", "")])
def test_each_code_is_a_sentence_and_a_remedy_with_whatever_parameters(code: str, params: tuple[str, ...]) -> None:
    saying = words(code, *params)
    assert saying.is_known
    assert (
        saying.sentence[0].isupper() or saying.sentence[0].isdigit() or saying.sentence.startswith(("web-1", "alpha"))
    )
    assert saying.sentence.endswith((".", "!", "?"))
    assert saying.remedy.endswith(".")
    assert "{" not in saying.sentence + saying.remedy
    assert "OpaqueRef" not in saying.sentence + saying.remedy
    assert saying.facts["xapi_code"] == code
    assert "OpaqueRef" not in str(saying.facts), "no reference of a pool may get into a row of ours"


def test_there_are_words_for_more_than_sixty_codes() -> None:
    assert len(HAVE_WORDS) >= 70


@pytest.mark.parametrize(
    ("code", "params", "sentence"),
    [
        ("VM_REQUIRES_SR", (VM, SR), "web-1 has a disk on fast, which the host does not reach."),
        ("VM_REQUIRES_NET", (VM, NET), "web-1 is on the network lan, which the host does not have."),
        (
            "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE",
            (HOST, VM),
            "alpha runs older software than the host that web-1 is on.",
        ),
        (
            "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE",
            (VM, HOST),
            "alpha runs older software than the host that web-1 is on.",
        ),
        (
            "HOST_NOT_ENOUGH_FREE_MEMORY",
            (str(2**30), str(2**20)),
            "1 GiB of memory are needed, and the host has 1 MiB free.",
        ),
        (
            "HOST_NOT_ENOUGH_FREE_MEMORY",
            (VM,),
            "No other host can take web-1: memory, its storage or high availability may be the cause.",
        ),
        ("HOST_NOT_ENOUGH_FREE_MEMORY", ("much", "little"), "The host has too little free memory."),
        ("OTHER_OPERATION_IN_PROGRESS", ("VM", VM), "web-1 is busy with something else by another hand."),
        (
            "OTHER_OPERATION_IN_PROGRESS",
            ("VM", VM, "snapshot", "t"),
            "web-1 is having a snapshot taken by another hand.",
        ),
        (
            "OTHER_OPERATION_IN_PROGRESS",
            ("VM", VM, "{export,csvm}", "t", "u"),
            "web-1 is being exported and busy with csvm by another hand.",
        ),
        ("OPERATION_BLOCKED", (VM, "true"), "Somebody forbade this for web-1, and gave no reason."),
        ("OPERATION_BLOCKED", (VM, "nightly backup"), "Somebody forbade this for web-1: nightly backup."),
        (
            "VM_BAD_POWER_STATE",
            (VM, "running, suspended", "halted"),
            "web-1 is halted, and this needs it to be running or suspended.",
        ),
        (
            "CANNOT_EVACUATE_HOST",
            (f"VM_REQUIRES_SR,{VM},{SR}|VM_LACKS_FEATURE,{VM}",),
            (
                "The host cannot be emptied. web-1 has a disk on fast, which the host does not reach. "
                "The guest tools do not run in web-1, so it can be neither suspended nor moved live."
            ),
        ),
        ("VM_MIGRATE_FAILED", (UUID, "h", "h2", "it broke"), "The move of web-1 failed on the way: it broke."),
        (
            "SR_BACKEND_FAILURE_40",
            ("", "", "The SR scan failed [opterr=no]"),
            "The storage driver said no (failure 40): The SR scan failed [opterr=no].",
        ),
        ("VDI_CBT_ENABLED", (VDI,), "The disk web-1 root has changed block tracking on, and cannot move."),
        ("LICENCE_RESTRICTION", ("Storage_motion",), "The pool's licence does not include Storage_motion."),
    ],
)
def test_the_same_code_is_said_by_what_came_with_it(code: str, params: tuple[str, ...], sentence: str) -> None:
    assert words(code, *params).sentence == sentence


def test_a_code_that_we_do_not_know_is_shown_as_it_is() -> None:
    saying = words("BRAND_NEW_TROUBLE", VM, "seven")
    assert not saying.is_known
    assert saying.sentence == "The pool refused with BRAND_NEW_TROUBLE (web-1, seven), for which we have no words."
    assert "xensource.log" in saying.remedy


def test_a_parameter_without_end_is_cut_short() -> None:
    saying = words("INTERNAL_ERROR", "x" * 100_000)
    assert len(saying.sentence) < 400
    assert len(saying.params[0]) == 300
