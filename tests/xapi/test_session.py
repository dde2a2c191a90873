"""The XenAPI package's session over our transport: one for all threads, also when it is lost to all of them at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import XenAPI

from tests.xapi.process import PASSWORD, Pools
from xenweb.drivers.contract import HostUnreachableError
from xenweb.drivers.xapi_driver.addresses import parts
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, LoginRefusedError, RefusedError
from xenweb.drivers.xapi_driver.session import Session
from xenweb.drivers.xapi_driver.transport import PinnedTransport

ASKING = 8


def session(xapi: Pools, host: str = "host-c", renewed=lambda: None) -> Session:
    each = parts(xapi.endpoint(host).uri)
    return Session(PinnedTransport(each.host, each.port, each.pins), renewed)


def test_the_packages_own_dispatcher_goes_over_our_transport(xapi: Pools) -> None:
    ours = session(xapi)
    ours.ensure("root", PASSWORD)
    assert ours.xenapi.VM.get_by_name_label("web-1")
    with pytest.raises(XenAPI.Failure) as caught:
        ours.xenapi.VM.get_record("OpaqueRef:x")
    assert caught.value.details == ["HANDLE_INVALID", "VM", "OpaqueRef:x"]
    with pytest.raises(RefusedError, match=r"HANDLE_INVALID"):
        ours.call("VM.get_record", ["OpaqueRef:x"])


def test_a_session_that_all_threads_lose_at_once_is_made_anew_by_one_of_them(xapi: Pools) -> None:
    renewals = []
    ours = session(xapi, renewed=lambda: renewals.append(1))
    ours.ensure("root", PASSWORD)
    xapi.do("failover", host="host-c")
    assert xapi.do("sessions")["green"] == 0
    together = threading.Barrier(ASKING)

    def ask(_: int) -> object:
        together.wait()
        return ours.call("VM.get_by_name_label", ["web-1"])

    with ThreadPoolExecutor(ASKING) as asking:
        answers = list(asking.map(ask, range(ASKING)))
    assert all(answers)
    assert xapi.do("sessions")["green"] == 1
    assert renewals == [1]


def test_a_session_that_nobody_logged_in_says_nothing_secret(xapi: Pools) -> None:
    with pytest.raises(RefusedError, match=r"SESSION_INVALID"):
        session(xapi).call("VM.get_all", [])
    with pytest.raises(RefusedError, match=r"HOST_IS_SLAVE") as caught:
        session(xapi, "host-a").call("VM.get_all", [])
    assert caught.value.params == (xapi.address("host-c"),)
    assert xapi.do("sessions")["green"] == 0


def test_a_wrong_password_makes_no_session_and_may_be_put_right(xapi: Pools) -> None:
    ours = session(xapi)
    with pytest.raises(LoginRefusedError):
        ours.ensure("root", "wrong")
    ours.ensure("root", PASSWORD)
    assert ours.call("VM.get_by_name_label", ["web-1"])


@pytest.mark.parametrize("said", ["", [], {}, {"Status": "Success"}, {"Status": "Failure", "ErrorDescription": []}, 5])
def test_an_answer_of_another_form_is_said_to_be_none(xapi: Pools, said: object) -> None:
    class Told(PinnedTransport):
        def request(self, *_asked, **_more):
            return (said,)

    with pytest.raises(AnswerUnreadableError, match=r"neither with a value nor with an error"):
        Session(Told("pool", 443, frozenset())).call("VM.get_all", [])


def test_a_bound_holds_for_one_call_of_one_thread(xapi: Pools) -> None:
    ours = session(xapi)
    ours.ensure("root", PASSWORD)
    xapi.do("set", answers_after=0.5)
    with pytest.raises(HostUnreachableError, match=r"did not answer in time"):
        ours.call("VM.get_all", [], within=0.1)
    assert ours.call("VM.get_all", [])
