/** The wire's own shapes, under the names the house uses. */
import type { components, operations } from './schema'

type Schemas = components['schemas']

export type Actor = Schemas['ActorWire']
export type Answer = Schemas['VerdictWire']['answer']
export type AuditRecord = Schemas['AuditRecordWire']
export type Board = Schemas['BoardWire']
export type DiskMove = Schemas['DiskMoveWire']
export type DiskNeed = Schemas['DiskNeedWire']
export type Event = Schemas['EventFrame']['event']
export type CardNeed = Schemas['CardNeedWire']
export type Choice = Schemas['ChoiceWire']
export type ChoiceOffer = Schemas['ChoiceOfferWire']
export type Finding = Schemas['FindingWire']
export type Forecast = Schemas['ForecastWire']
export type ForecastError = Schemas['ForecastErrorWire']
export type Frame = Schemas['Frame']
export type Guard = Schemas['GuardWire']
export type GuardCost = Schemas['GuardCostWire']
export type HeldVolume = Schemas['HeldVolumeWire']
export type Host = Schemas['HostWire']
export type HostBody = Schemas['HostBody']
export type CertificatesBody = Schemas['CertificatesBody']
export type CertificateSeen = Schemas['CertificateWire']
export type LeftoverDisk = Schemas['LeftoverDiskWire']
export type Maintenance = Schemas['MaintenanceWire']
export type MaintenanceMove = Schemas['MaintenanceMoveWire']
export type MaintenancePlan = Schemas['MaintenancePlanWire']
export type Maps = Required<Schemas['MapsBody']>
export type Migration = Schemas['MigrationWire']
export type MigrationPass = Schemas['PassWire']
export type MoveOptions = NonNullable<Schemas['MigrationBody']['options']>
export type Needs = Schemas['NeedsWire']
export type OfferedOption = Schemas['OptionWire']
export type Override = NonNullable<Schemas['MigrationBody']['override']>
export type PlannedMove = Schemas['PlannedMoveWire']
export type PlanHost = Schemas['PlanHostWire']
export type PlanTarget = Schemas['PlanTargetWire']
export type Problem = Schemas['Problem']
export type Staying = Schemas['StayingWire']
export type State = Schemas['State']
export type StorageCost = Schemas['StorageCostWire']
export type StorageRepository = Schemas['StorageRepositoryWire']
export type Verdict = Schemas['VerdictWire']
export type Verdicts = Schemas['VerdictsWire']
export type VirtualMachine = Schemas['VmWire']
export type VmDisk = Schemas['VmDiskWire']

export type AuditQuery = NonNullable<operations['audit_list']['parameters']['query']>
export type MigrationQuery = NonNullable<operations['migrations_list']['parameters']['query']>
