"""A real installation from an empty database, by the steps of the README: no seed, no shell of Python."""

import io
import json
import os
import pwd
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from tests.architecture.tree import ROOT
from tests.board import VM_UUID
from tests.web.world import World
from xenweb.accounts.models import User
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.inventory.models import Host, Pool, StorageRepository, VirtualMachine

PASSWORD = "a horse of some battery"
CONSOLE = f"console:{pwd.getpwuid(os.getuid()).pw_name}"
HOST = {"pool": "rack", "uri": "qemu+ssh://root@kvm-01/system"}


@pytest.fixture
def manage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run one of our commands as at the console, a password in its pipe; answer what it printed."""

    def run(line: str, password: str = PASSWORD) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        out = io.StringIO()
        call_command(*line.split(), stdout=out)
        return out.getvalue().strip()

    return run


def records() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.order_by("sequence").values_list("actor", "action", "outcome"))


def refuses(manage: Any, line: str, **more: str) -> str:
    with pytest.raises(CommandError) as refusal:
        manage(line, **more)
    return str(refusal.value)


@pytest.mark.django_db
def test_the_steps_of_the_readme_lead_to_the_first_host(manage: Any) -> None:
    assert not User.objects.exists()
    steps = ["user add ada", "role give ada administrator", "pool add rack", "token issue ada --name setup --days 1"]
    readme = (ROOT / "README.md").read_text()
    assert all(f"manage.py {step}" in readme for step in steps)
    token = [manage(step) for step in steps][-1]

    browser = Client()
    assert browser.post("/sign-in", {"username": "ada", "password": PASSWORD}).status_code == 302
    assert browser.get("/api/v1/me").json()["may_manage_hosts"] is True

    program = Client(headers={"Authorization": f"Bearer {token}"})
    answer = program.post("/api/v1/hosts", json.dumps(HOST), content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert Host.objects.get().uri == "qemu+ssh://root@kvm-01/system"
    done = [("user_add", CONSOLE), ("role_give", CONSOLE), ("pool_add", CONSOLE), ("token_issue", CONSOLE)]
    done += [("sign_in", "ada"), ("host_add", "ada")]
    assert records() == [(actor, action, "allowed") for action, actor in done]
    assert token not in "".join(AuditRecord.objects.values_list("facts", flat=True))
    assert verify() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("user add ada", "There is a user ada already."),
        ("user add console:root", "Enter a valid username."),
        ("user disable nobody", "There is no user nobody."),
        ("user enable nobody", "There is no user nobody."),
        ("user password nobody", "There is no user nobody."),
        ("token revoke 0123456789ab", "There is no token 0123456789ab."),
        ("role give nobody auditor", "There is no user nobody."),
        ("role give ada team_lead", "The role team_lead needs a team"),
        ("role give ada auditor --team Shop", "The role team_lead needs a team"),
        ("role give ada team_lead --team Nowhere", "There is no team Nowhere."),
        ("role take ada auditor", "There is no user ada with that role."),
        ("token issue nobody --name x", "There is no user nobody who may sign in."),
        ("token issue ada --name x --days 9999", "lives 1 to 366 days"),
        ("pool add rack --driver vmware", "There is no driver called vmware; there are libvirt, simulated."),
        ("team give no-such-vm Shop", "There is no team Shop."),
        ("vouch nowhere", "There is no such storage repository."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_recorded(manage: Any, line: str, says: str) -> None:
    manage("user add ada")
    assert says in refuses(manage, line)
    assert [(actor, outcome) for actor, _, outcome in records()] == [(CONSOLE, "allowed"), (CONSOLE, "refused")]
    assert User.objects.count() == 1
    assert not Pool.objects.exists()


@pytest.mark.django_db
def test_a_weak_password_makes_no_user(manage: Any) -> None:
    assert "too short" in refuses(manage, "user add ada", password="short")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_roles_come_and_go_and_a_disabled_user_is_out(manage: Any) -> None:
    for line in ("user add ada", "team add Shop", "role give ada team_lead --team Shop"):
        manage(line)
    browser = Client()
    browser.post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert browser.get("/api/v1/me").status_code == 200
    manage("role take ada team_lead --team Shop")
    assert browser.get("/api/v1/me").json()["code"] == "no_role"
    manage("user disable ada")
    assert browser.get("/api/v1/me").status_code == 401


@pytest.mark.django_db
def test_another_password_ends_what_was_open_and_a_door_that_was_closed_opens_again(manage: Any) -> None:
    for line in ("user add ada", "role give ada administrator"):
        manage(line)
    browser = Client()
    browser.post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert "too short" in refuses(manage, "user password ada", password="short")
    assert browser.get("/api/v1/me").status_code == 200

    manage("user password ada", password="another horse of some battery")
    assert browser.get("/api/v1/me").status_code == 401
    manage("user disable ada")
    entry = {"username": "ada", "password": "another horse of some battery"}
    assert browser.post("/sign-in", entry).status_code != 302
    manage("user enable ada")
    assert browser.post("/sign-in", entry).status_code == 302
    done = [action for _, action, outcome in records() if outcome == "allowed"]
    assert done[-4:] == ["password_set", "user_disable", "user_enable", "sign_in"]
    assert "battery" not in "".join(AuditRecord.objects.values_list("facts", flat=True))


@pytest.mark.django_db
def test_a_token_is_listed_without_its_secret_and_lets_nobody_in_once_it_is_revoked(manage: Any) -> None:
    for line in ("user add ada", "role give ada administrator"):
        manage(line)
    token = manage("token issue ada --name backup")
    prefix, secret = token.split("_", 2)[1:]
    program = Client(headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/v1/me").status_code == 200
    shown = manage("token list")
    assert prefix in shown
    assert "ada  backup" in shown
    assert secret not in shown

    manage(f"token revoke {prefix}")
    assert program.get("/api/v1/me").status_code == 401
    assert manage("token list") == ""
    assert records()[-1] == (CONSOLE, "token_revoke", "allowed")
    assert "There is no token" in refuses(manage, f"token revoke {prefix}")


def test_a_vm_is_given_to_a_team_and_taken_again(world: World, manage: Any) -> None:
    vm = world.board.vm
    manage(f"team give {vm.name} Data")
    assert VirtualMachine.objects.get(uuid=VM_UUID).team.name == "Data"  # type: ignore[union-attr]
    manage(f"team take {VM_UUID}")
    assert VirtualMachine.objects.get(uuid=VM_UUID).team is None
    VirtualMachine.objects.update(name="twin")
    assert "Give the id or UUID" in refuses(manage, "team give twin Data")
    assert [action for _, action, outcome in records() if outcome == "allowed"] == ["team_give", "team_give"]


def test_storage_is_vouched_for_by_its_name(world: World, manage: Any) -> None:
    row = StorageRepository.objects.create(pool=world.board.vm.pool, identity="dir:1", name="images", kind="dir")
    manage("vouch images")
    row.refresh_from_db()
    assert row.vouched_shared
    manage(f"vouch {row.pk} --withdraw")
    row.refresh_from_db()
    assert not row.vouched_shared
    assert records()[-1] == (CONSOLE, "storage_vouch", "allowed")
    assert timezone.now() > AuditRecord.objects.latest("sequence").at
