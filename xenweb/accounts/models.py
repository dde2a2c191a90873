"""Rows about people: what they are called, what they lead, how they sign in."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """A person, or a program that acts for one."""


class Team(models.Model):
    """Those who own a set of VMs."""

    name = models.CharField(max_length=150, unique=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class RoleName(models.TextChoices):
    """The three roles of the first form."""

    ADMINISTRATOR = "administrator"
    TEAM_LEAD = "team_lead"
    AUDITOR = "auditor"


class RoleBinding(models.Model):
    """One role of one person; a team lead's names the team."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="bindings")
    role = models.CharField(max_length=20, choices=RoleName.choices)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            # Two, because SQLite takes every null for a different one.
            models.UniqueConstraint(fields=["user", "role", "team"], name="team_role_bound_once"),
            models.UniqueConstraint(fields=["user", "role"], condition=Q(team__isnull=True), name="role_bound_once"),
            models.CheckConstraint(
                name="only_team_leads_have_a_team",
                condition=Q(role=RoleName.TEAM_LEAD, team__isnull=False)
                | (~Q(role=RoleName.TEAM_LEAD) & Q(team__isnull=True)),
            ),
            models.CheckConstraint(name="role_is_known", condition=Q(role__in=RoleName.values)),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id}: {self.role}"


class ApiToken(models.Model):
    """A bearer token. The secret itself is shown once and never stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=150)
    prefix = models.CharField(max_length=12, unique=True)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"token {self.prefix}"


class SignInAttempt(models.Model):
    """A sign-in that has not succeeded; enough of them close the door for a while.

    ``username`` is what was typed, folded; it need not be anybody's.
    """

    username = models.CharField(max_length=150)
    address = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["username", "at"], name="attempt_by_username"),
            models.Index(fields=["address", "at"], name="attempt_by_address"),
        ]

    def __str__(self) -> str:
        return f"attempt from {self.address}"
