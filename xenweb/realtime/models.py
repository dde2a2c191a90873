"""The durable feed. Redis only rings; what happened is read from here."""

from typing import ClassVar

from django.db import models


class StreamHead(models.Model):
    """The newest sequence. Its one row is the writer lock that keeps the feed gap-free."""

    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"feed at {self.sequence}"


class StoredEvent(models.Model):
    """One event, with what decides who may read it.

    ``team`` is an id without a foreign key: teams live on a higher floor.
    """

    sequence = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    team = models.BigIntegerField(null=True)
    public = models.BooleanField(default=False)
    body = models.TextField()

    class Meta:
        ordering: ClassVar = ["sequence"]

    def __str__(self) -> str:
        return f"event {self.sequence}"
