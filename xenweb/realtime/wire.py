"""Shapes that leave the house: what REST answers and what events carry.

One definition serves both, so that a browser can lay an event over a snapshot
without translating. Sizes are bytes, speeds bytes per second, lengths of time
milliseconds, moments ISO 8601 in UTC. ``None`` always means "not available".
"""

from datetime import date, datetime
from typing import Literal

from xenweb.core.findings import Fact
from xenweb.realtime.wire_base import Figure, FindingWire, OwnWordsWire, Provenance, Wire, finding_wire
from xenweb.realtime.wire_places import MovedCardWire, MovedDiskWire, NeedsWire

# What the shapes below are made of is had from here, too.
__all__ = ["Figure", "FindingWire", "OwnWordsWire", "Provenance", "Wire", "finding_wire"]

Answer = Literal["can_go", "can_go_but", "cannot_go"]


class CertificateWire(Wire):
    """A certificate that was met at a host and that nobody trusts yet; ``leads`` says that the host leads its pool."""

    host: str
    sha256: str
    ends: datetime
    expired: bool
    leads: bool


class StorageRepositoryWire(Wire):
    """A place where disks live. Source: the driver's inventory; ``vouched`` is an administrator's word.

    ``proven`` says that whoever names it reaches the same storage, so that nobody's word is needed.
    """

    id: int
    pool: str
    name: str
    kind: str
    storage: Literal["san_block", "nfs", "ocfs2", "local_block", "local_file", "unknown"]
    shared: bool
    proven: bool
    vouched: bool
    capacity: int | None
    available: int | None
    hosts: list[int]


class StorageCostWire(Wire):
    """What a kind of storage costs: ``middle_ms`` of all samples, and ``ratio`` to block storage on a SAN in that run.

    ``low`` and ``high`` are the ratios of the smallest and the largest sample. ``hand_over`` is how long a VM's disk
    stands still in a move (on own moves: the VM's pause), ``write`` and ``read`` are of 4 KiB past the host's cache.
    ``origin`` says where it was measured: on this installation's moves, by a benchmark here, or on the Xen lab.
    """

    storage: Literal["san_block", "nfs", "ocfs2"]
    cost: Literal["hand_over", "write", "read"]
    ratio: Figure
    low: float | None
    high: float | None
    middle_ms: Figure
    samples: int
    origin: Literal["own_moves", "own_bench", "lab"] | None
    measured_on: date | None


class HostWire(Wire):
    """A host with the meters of its column. ``cpu_load`` is 0..1 of all CPUs.

    ``takes_vms`` is the hypervisor's own word, None where it knows no such thing; ``maintenance`` names ours.
    """

    id: int
    uuid: str
    name: str
    pool: str
    hypervisor: str
    version: str
    state: Literal["connected", "unreachable", "disabled"]
    state_reason: str
    cpu_count: int
    cpu_load: float | None
    memory_total: int
    memory_free: int | None
    as_of: datetime | None
    simulated: bool
    storage: list[str]
    takes_vms: bool | None
    maintenance: str | None


class DiskWire(Wire):
    """One disk of a VM. ``storage`` is None where no repository is known for it."""

    device: str
    path: str
    format: str
    capacity: int | None
    storage: str | None
    shared: bool


class VmWire(Wire):
    """A VM on its card. ``resident_on`` is the host id, a fact and never a wish.

    ``migration`` names the active migration, if there is one. ``disks_movable`` says that its host can move single
    disks of it to other storage while it runs. ``dirty_rate`` is bytes
    a second, sampled at ``dirty_rate_at`` while the VM did not move: at least so much.
    """

    id: int
    uuid: str
    name: str
    state: Literal["running", "paused", "halted", "suspended", "crashed", "unknown"]
    resident_on: int | None
    conflict: bool
    memory: int
    vcpus: int
    cpu_load: float | None
    dirty_rate: Figure
    dirty_rate_at: datetime | None
    team: str | None
    disks: list[DiskWire]
    disks_movable: bool
    migration: str | None
    may_move: bool
    as_of: datetime | None


class PreflightWire(Wire):
    """What was found right before the call. ``taken_at`` is when the hosts began to be asked."""

    taken_at: datetime
    findings: list[FindingWire]


class OverrideWire(Wire):
    """What a person overrode, and why."""

    codes: list[str]
    reason: str
    by: str


class RangeWire(Wire):
    """A length of time that is not known exactly."""

    low_ms: int
    likely_ms: int
    high_ms: int


class ForecastPartsWire(Wire):
    """Where the likely time goes; what is behind a running move already is not part of it."""

    start_ms: int
    first_pass_ms: int
    later_passes_ms: int
    pause_ms: int
    finish_ms: int
    disks_ms: int


class ForecastWire(Wire):
    """What is to be expected of a move; estimated. Without ranges it will not end by itself.

    ``basis`` says what it rests on: past moves of the VM, its change rate as it was
    measured, the passes of the very move, or nothing but assumptions.
    """

    ending: Literal["will", "may_not", "will_not"]
    basis: Literal["past_moves", "measured", "passes", "assumed"]
    total: RangeWire | None
    downtime: RangeWire | None
    passes: int
    sent: int
    parts: ForecastPartsWire | None = None


class ForecastErrorWire(Wire):
    """How far the forecasts of finished moves were off in the total time, as shares of what was measured.

    Each was stored before its call. ``hit_share`` is how many totals fell into their interval, 0..1.
    """

    moves: int
    median: float | None
    p90: float | None
    hit_share: float | None


class VerdictWire(Wire):
    """Whether one host can take the VM, with every reason. ``needs`` is None where nothing is to be chosen."""

    host: int
    answer: Answer
    findings: list[FindingWire]
    memory_free_after: int | None
    memory_total: int
    facts_age_ms: int | None
    forecast: ForecastWire | None
    needs: NeedsWire | None


class OptionWire(Wire):
    """One option the driver offers in the confirmation."""

    name: Literal["bandwidth_limit", "downtime_limit_ms", "auto_converge", "post_copy", "guard", "deadline_s"]
    label: str
    help: str
    unit: str | None
    minimum: int | None
    maximum: int | None


class ChoiceOfferWire(Wire):
    """Something that can be chosen for a move under way, with its cost in plain words."""

    kind: str
    label: str
    cost: str
    unit: str | None
    minimum: int | None
    maximum: int | None


class ChoiceWire(Wire):
    """Something that was chosen; neither applied nor refused while it waits for its turn."""

    kind: str
    value: int | None
    asked_by: str
    asked_at: datetime
    applied_at: datetime | None
    refusal: str | None


class GuardCostWire(Wire):
    """How long a VM stands still for a guard, estimated from earlier guards of its host, and not available without."""

    pause_ms: Figure
    pause_with_memory_ms: Figure


class VerdictsWire(Wire):
    """The answer to lifting a card: every host's verdict, and the options on offer.

    ``guard`` says what a guard would cost; None where none is offered.
    ``may_override`` is personal: whether this person may override what is overridable.
    """

    vm: int
    source: int | None
    verdicts: list[VerdictWire]
    options: list[OptionWire]
    guard: GuardCostWire | None
    forecast_error: ForecastErrorWire
    may_override: bool


class PassWire(Wire):
    """One pre-copy pass. Moments are milliseconds since the hypervisor call."""

    pass_number: int
    started_ms: int
    ended_ms: int | None
    remaining_at_start: int | None
    remaining_at_end: int | None
    transfer_rate: float | None
    dirty_rate: float | None
    provenance: Provenance


class ProgressWire(Wire):
    """Where a move stands now. ``total`` is 0..1 and never runs backwards; ``memory`` is that of memory alone.

    The ``disk_*`` are of the disks that are copied along, all other sizes of memory alone.
    ``throttle`` is the percentage of its CPU time that the hypervisor last kept from the
    VM so that it changes less: it is known only where the move slows its VM down.
    """

    total: Figure
    memory: Figure
    pass_number: int | None
    remaining: Figure
    transferred: Figure
    dirty_rate: Figure
    transfer_rate: Figure
    expected_downtime_ms: Figure
    disk_total: Figure
    disk_processed: Figure
    disk_remaining: Figure
    elapsed_ms: int | None
    converging: bool | None
    throttle: Figure


class LeftoverDiskWire(Wire):
    """A disk that a move has left on a host: the old copy, or (``partial``) part of a new one.

    ``removable`` says whether it can be asked to be deleted; ``refusal`` why it was not.
    """

    id: int
    migration: str
    vm_name: str
    host: int
    host_name: str
    path: str
    size: int
    partial: bool
    since: datetime
    asked_by: str | None
    removing: bool
    removed_at: datetime | None
    refusal: str | None
    removable: bool


class HeldVolumeWire(Wire):
    """A logical volume that a move has left active on a host; it is let go by itself, ``refusal`` says why not yet."""

    host: int
    host_name: str
    path: str
    since: datetime
    refusal: str | None


class GuardWire(Wire):
    """A VM's disks, and its memory where that was kept, as they were before its move.

    ``done`` and ``total`` are bytes of what its state does now. ``expected_pause_ms`` was estimated before,
    ``pause_ms`` measured. ``memory_back_at`` is when a roll-back let the VM go on with its memory.
    ``can_roll_back`` and ``removable`` say what the state allows; who may is personal.
    """

    id: str
    host: int
    host_name: str
    state: Literal[
        "asked",
        "taking",
        "copying",
        "clearing",
        "flagged",
        "kept",
        "rolling_back",
        "restoring",
        "removing",
        "removed",
        "failed",
    ]
    automatic: bool
    with_memory: bool
    reason: str
    paths: list[str]
    done: int
    total: int
    expected_pause_ms: Figure
    pause_ms: Figure
    asked_at: datetime
    expires_at: datetime | None
    roll_back_by: str | None
    roll_back_reason: str | None
    rolled_back_at: datetime | None
    memory_back_at: datetime | None
    sentence: str | None
    can_roll_back: bool
    removable: bool


class MigrationWire(Wire):
    """A migration as everybody who may see it sees it. ``copied_bytes`` are those of disks.

    ``cancellable`` says whether asking the hypervisor still makes sense;
    ``closable`` whether an administrator may end the move without a proof;
    ``waits_because`` is what keeps a queued move from beginning, in a sentence;
    ``held_up`` that a move was given up and its target neither receives nor lets go;
    ``passes_told`` whether its source tells of passes: without it the time is all that is seen;
    ``downtime_ms`` is how long the VM stood still, ``memory_hand_over_ms`` the part of it until
    its memory was whole on the target;
    ``failure_own_words`` are the raw code and parameters of the pool that refused or broke it;
    ``as_of`` is the last time a process of ours looked at the move.
    """

    id: str
    vm: int
    vm_name: str
    vm_uuid: str
    source: int
    source_name: str
    target: int
    target_name: str
    kind: Literal["live", "paused", "cold"]
    copied_bytes: int
    moved_disks: list[MovedDiskWire]
    moved_cards: list[MovedCardWire]
    state: str
    active: bool
    requested_by: str
    requested_at: datetime
    queue_place: int | None
    expected_start: datetime | None
    waits_because: str | None
    started_at: datetime | None
    ended_at: datetime | None
    options: dict[str, int | bool | None]
    progress: ProgressWire
    passes: list[PassWire]
    passes_told: bool
    downtime_ms: Figure
    memory_hand_over_ms: Figure
    total_ms: Figure
    failure_code: str | None
    failure_sentence: str | None
    failure_remedy: str | None
    failure_own_words: OwnWordsWire | None
    preflight: PreflightWire | None
    override: OverrideWire | None
    cancel_requested: bool
    cancellable: bool
    closable: bool
    held_up: bool
    deadline: datetime | None
    offers: list[ChoiceOfferWire]
    choices: list[ChoiceWire]
    leftover_disks: list[LeftoverDiskWire]
    held_volumes: list[HeldVolumeWire]
    guard: GuardWire | None
    forecast: ForecastWire | None
    forecast_now: ForecastWire | None
    command: str
    hypervisor: str
    as_of: datetime | None


class ActorWire(Wire):
    """Who is signed in, and what the screens may offer them."""

    username: str
    name: str
    role: str
    teams: list[str]
    may_move: bool
    may_read_history: bool
    may_manage_hosts: bool
    may_vouch_storage: bool


class AuditRecordWire(Wire):
    """One line of the history. ``subject`` names what was acted on."""

    sequence: int
    at: datetime
    actor: str
    action: str
    outcome: str
    subject_kind: str
    subject_id: str
    subject_name: str
    team: str | None
    reason: str
    request_id: str
    facts: dict[str, Fact]
