"""Lay the head row, and make the database itself refuse to change or drop a record."""

from typing import ClassVar

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from xenweb.core.evidence import GENESIS

_SENTENCE = "audit records are append-only"

LAY = {
    "sqlite": (
        f"""CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_auditrecord
            BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END""",
        f"""CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_auditrecord
            BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{_SENTENCE}'; END $$""",
        """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_auditrecord
           FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
        """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditrecord
           FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
    ),
}
LIFT = {
    "sqlite": ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"),
    "postgresql": ("DROP FUNCTION audit_refuse() CASCADE",),
}


def lay(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the head row and the triggers of this database's kind."""
    apps.get_model("audit", "AuditHead").objects.get_or_create(pk=1, defaults={"sequence": 0, "hash": GENESIS})
    for statement in LAY[editor.connection.vendor]:
        editor.execute(statement)


def lift(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers."""
    for statement in LIFT[editor.connection.vendor]:
        editor.execute(statement)


class Migration(migrations.Migration):
    """Follow the creation of the tables."""

    dependencies: ClassVar = [("audit", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(lay, lift)]
