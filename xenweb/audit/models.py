"""The history. Rows are added and read; the database itself refuses anything else."""

from typing import ClassVar

from django.db import models


class AuditHead(models.Model):
    """The newest link of the chain. Its one row is the writer lock that keeps it gap-free."""

    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"history at {self.sequence}"


class AuditRecord(models.Model):
    """One line of the history.

    ``team`` is an id without a foreign key: the record must outlive the team.
    ``facts`` is canonical JSON as text, so that it reads back byte for byte.
    """

    sequence = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=150, db_index=True)
    action = models.CharField(max_length=40)
    outcome = models.CharField(max_length=20)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=255)
    team = models.BigIntegerField(null=True, db_index=True)
    team_name = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    facts = models.TextField()
    request_id = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["sequence"]
        indexes: ClassVar = [models.Index(fields=["subject_kind", "subject_id"], name="audit_subject")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.actor} {self.action} {self.outcome}"
