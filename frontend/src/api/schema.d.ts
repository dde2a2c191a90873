// Written by `npm run gen:api` from the OpenAPI document. Do not edit.
export interface paths {
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Audit List
         * @description List the records that the actor may read, newest first.
         */
        get: operations["audit_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/board": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Board Read
         * @description Answer everything on the board, with the sequence from which events go on.
         *
         *     The sequence is read first: what changes while the rows are read comes again
         *     as an event, and laying an event over newer rows changes nothing.
         */
        get: operations["board_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/disk-moves/{move}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Disk Move Read
         * @description Answer the move of one disk.
         */
        get: operations["disk_move_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/disk-moves/{move}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Disk Cancel Post
         * @description Ask for the move of one disk to be given up.
         */
        post: operations["disk_move_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Hosts List
         * @description List the hosts.
         */
        get: operations["hosts_list"];
        put?: never;
        /**
         * Host Post
         * @description Put a host on the board; only administrators may.
         */
        post: operations["host_add"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/{host}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Host Read
         * @description Answer one host, by id or by UUID.
         */
        get: operations["host_read"];
        put?: never;
        post?: never;
        /**
         * Host Delete
         * @description Take a host off the board; only administrators may.
         */
        delete: operations["host_remove"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/{host}/maintenance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begin Post
         * @description Take a host out of service and send VMs away; every move is judged again first.
         */
        post: operations["maintenance_begin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/{host}/maintenance-plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Plan Post
         * @description Plan how a host would be emptied, with a person's choices. Nothing is stored, and nothing happens.
         */
        post: operations["maintenance_plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/certificates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Certificates Post
         * @description Show which certificates are met at an address; only administrators may. Nothing secret is said there.
         */
        post: operations["certificates_look"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/leftover-disks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Leftover Disks List
         * @description List the disks that moves have left on hosts and that are still there.
         */
        get: operations["leftover_disks_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/leftover-disks/{disk}/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Leftover Disk Post
         * @description Ask for a disk that a move has left behind to be deleted, once it is proven that nobody uses it.
         */
        post: operations["leftover_disk_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Maintenances List
         * @description List maintenances, newest first; only who sees every VM sees them.
         */
        get: operations["maintenances_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances/{maintenance}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Maintenance Read
         * @description Answer one maintenance, with how far each of its moves is.
         */
        get: operations["maintenance_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances/{maintenance}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End Post
         * @description Put the host back into service; moves that wait or can be given up are.
         */
        post: operations["maintenance_end"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances/{maintenance}/moves": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Moves Post
         * @description Send more VMs away, or try those once more whose move did not come about.
         */
        post: operations["maintenance_moves_add"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances/{maintenance}/return": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Return Post
         * @description Bring VMs back to the host that they were sent away from.
         */
        post: operations["maintenance_return"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenances/{maintenance}/return-plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Return Plan Read
         * @description Plan how the VMs that were sent away come back. Nothing is stored, and nothing happens.
         */
        get: operations["return_plan_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Me Read
         * @description Answer who is signed in and what they may do.
         */
        get: operations["me_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Migrations List
         * @description List the migrations that the actor may see, newest first.
         */
        get: operations["migrations_list"];
        put?: never;
        /**
         * Migration Post
         * @description Judge a move again and begin it. The same Idempotency-Key answers the same migration.
         */
        post: operations["migration_request"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Migration Read
         * @description Answer one migration.
         */
        get: operations["migration_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel Post
         * @description Ask for one migration to be given up.
         */
        post: operations["migration_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/choices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Choice Post
         * @description Choose one of the migration's offers; the migration says what came of it.
         */
        post: operations["choice_request"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close Post
         * @description End a migration whose hosts will never prove where the VM runs, and say why.
         */
        post: operations["migration_close"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/guard/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Guard Remove Post
         * @description Have the guard of one migration removed before its time.
         */
        post: operations["guard_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/guard/roll-back": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Roll Back Post
         * @description Have the disks of a halted VM be what they were before this migration.
         */
        post: operations["guard_roll_back"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/migrations/{migration}/passes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Passes List
         * @description List the passes of one migration, in order.
         */
        get: operations["passes_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/storage-costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Storage Costs List
         * @description Say what kinds of storage cost against block storage on a SAN, and where that was measured.
         */
        get: operations["storage_costs_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/storage-repositories": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Storage Repositories List
         * @description List the storage repositories and which hosts reach them.
         */
        get: operations["storage_repositories_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/storage-repositories/{repository}/vouch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Vouch Post
         * @description Vouch that a repository is the same storage on all its hosts; only administrators may.
         */
        post: operations["storage_repository_vouch"];
        /**
         * Vouch Delete
         * @description Take the word for a repository back; only administrators may.
         */
        delete: operations["storage_repository_vouch_withdraw"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Vms List
         * @description List the VMs that the actor may see.
         */
        get: operations["vms_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{vm}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Vm Read
         * @description Answer one VM, by id or by UUID.
         */
        get: operations["vm_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{vm}/disks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Vm Disks List
         * @description List a VM's disks, where each can go while the VM runs, and what stands against it.
         */
        get: operations["vm_disks_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{vm}/disks/{device}/moves": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Disk Move Post
         * @description Judge the move of one disk to other storage of its pool and begin it; its VM runs on.
         */
        post: operations["disk_move_request"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vms/{vm}/verdicts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Verdicts Read
         * @description Judge every host as a target for one VM.
         */
        get: operations["verdicts_read"];
        put?: never;
        /**
         * Verdict Post
         * @description Judge one host for one VM whose disks and network cards go where the maps say; nothing is changed.
         */
        post: operations["verdict_for_maps"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * ActorWire
         * @description Who is signed in, and what the screens may offer them.
         */
        ActorWire: {
            /** May Manage Hosts */
            may_manage_hosts: boolean;
            /** May Move */
            may_move: boolean;
            /** May Read History */
            may_read_history: boolean;
            /** May Vouch Storage */
            may_vouch_storage: boolean;
            /** Name */
            name: string;
            /** Role */
            role: string;
            /** Teams */
            teams: string[];
            /** Username */
            username: string;
        };
        /**
         * AuditPage
         * @description Some records, newest first.
         */
        AuditPage: {
            /** Items */
            items: components["schemas"]["AuditRecordWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * AuditQuery
         * @description Which records to list. ``subject`` is an id or a name; ``q`` looks everywhere.
         */
        AuditQuery: {
            /**
             * Action
             * @default
             */
            action: string;
            /**
             * Actor
             * @default
             */
            actor: string;
            /** Cursor */
            cursor?: string | null;
            /**
             * Limit
             * @default 50
             */
            limit: number;
            /**
             * Outcome
             * @default
             */
            outcome: string;
            /**
             * Q
             * @default
             */
            q: string;
            /** Since */
            since?: string | null;
            /**
             * Subject
             * @default
             */
            subject: string;
            /** Until */
            until?: string | null;
        };
        /**
         * AuditRecordWire
         * @description One line of the history. ``subject`` names what was acted on.
         */
        AuditRecordWire: {
            /** Action */
            action: string;
            /** Actor */
            actor: string;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Facts */
            facts: {
                [key: string]: string | number | boolean | string[] | null;
            };
            /** Outcome */
            outcome: string;
            /** Reason */
            reason: string;
            /** Request Id */
            request_id: string;
            /** Sequence */
            sequence: number;
            /** Subject Id */
            subject_id: string;
            /** Subject Kind */
            subject_kind: string;
            /** Subject Name */
            subject_name: string;
            /** Team */
            team: string | null;
        };
        /**
         * BoardWire
         * @description The snapshot that events with a higher sequence are laid over.
         */
        BoardWire: {
            actor: components["schemas"]["ActorWire"];
            /** Disk Moves */
            disk_moves: components["schemas"]["DiskMoveWire"][];
            /** Hosts */
            hosts: components["schemas"]["HostWire"][];
            /** Maintenances */
            maintenances: components["schemas"]["MaintenanceWire"][];
            /** Migrations */
            migrations: components["schemas"]["MigrationWire"][];
            /** Sequence */
            sequence: number;
            /** Simulated */
            simulated: boolean;
            /** Storage Repositories */
            storage_repositories: components["schemas"]["StorageRepositoryWire"][];
            /** Vms */
            vms: components["schemas"]["VmWire"][];
        };
        /**
         * CardMapBody
         * @description The network of the target's pool, by its name, that a network card goes to.
         */
        CardMapBody: {
            /** Device */
            device: string;
            /** Network */
            network: string;
        };
        /**
         * CardNeedWire
         * @description A network card that leaves its network, and where it can go; ``network`` is where it is.
         */
        CardNeedWire: {
            /** Address */
            address: string;
            /** Device */
            device: string;
            /** Network */
            network: string;
            /** Networks */
            networks: string[];
            /** Suggested */
            suggested: string | null;
        };
        /**
         * CertificatesBody
         * @description Where to look for certificates: an address, and the pool that its host would join.
         */
        CertificatesBody: {
            /** Address */
            address: string;
            /** Pool */
            pool: string;
            /** Port */
            port?: number | null;
        };
        /**
         * CertificatesSeen
         * @description What was met there.
         */
        CertificatesSeen: {
            /** Items */
            items: components["schemas"]["CertificateWire"][];
        };
        /**
         * CertificateWire
         * @description A certificate that was met at a host and that nobody trusts yet; ``leads`` says that the host leads its pool.
         */
        CertificateWire: {
            /**
             * Ends
             * Format: date-time
             */
            ends: string;
            /** Expired */
            expired: boolean;
            /** Host */
            host: string;
            /** Leads */
            leads: boolean;
            /** Sha256 */
            sha256: string;
        };
        /**
         * ChoiceBody
         * @description A choice for a move under way: bytes per second for ``bandwidth``, milliseconds for ``downtime``.
         */
        ChoiceBody: {
            /** Kind */
            kind: string;
            /** Value */
            value?: number | null;
        };
        /**
         * ChoiceOfferWire
         * @description Something that can be chosen for a move under way, with its cost in plain words.
         */
        ChoiceOfferWire: {
            /** Cost */
            cost: string;
            /** Kind */
            kind: string;
            /** Label */
            label: string;
            /** Maximum */
            maximum: number | null;
            /** Minimum */
            minimum: number | null;
            /** Unit */
            unit: string | null;
        };
        /**
         * ChoiceWire
         * @description Something that was chosen; neither applied nor refused while it waits for its turn.
         */
        ChoiceWire: {
            /** Applied At */
            applied_at: string | null;
            /**
             * Asked At
             * Format: date-time
             */
            asked_at: string;
            /** Asked By */
            asked_by: string;
            /** Kind */
            kind: string;
            /** Refusal */
            refusal: string | null;
            /** Value */
            value: number | null;
        };
        /**
         * CloseBody
         * @description Why a move is closed although nobody knows where its VM runs; administrators only.
         */
        CloseBody: {
            /** Reason */
            reason: string;
        };
        /**
         * DiskMapBody
         * @description The storage repository, by its id, that a disk goes to.
         */
        DiskMapBody: {
            /** Device */
            device: string;
            /** Storage */
            storage: number;
        };
        /**
         * DiskMoveBody
         * @description The storage repository, by its id, that a disk is to go to while its VM runs.
         */
        DiskMoveBody: {
            /** Storage */
            storage: number;
        };
        /**
         * DiskMoveChanged
         * @description The move of a disk changed state or made progress; an upsert by id.
         */
        DiskMoveChanged: {
            disk_move: components["schemas"]["DiskMoveWire"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "disk_move_changed";
        };
        /**
         * DiskMoveWire
         * @description One disk of a running VM on its way to other storage. ``cancellable`` is personal.
         *
         *     ``share`` is how much is copied; ``sentence`` says why it ended otherwise, or why nobody knows, ``own_words`` are
         *     the raw code and parameters of the pool that refused it.
         */
        DiskMoveWire: {
            /** Active */
            active: boolean;
            /** Cancel Requested */
            cancel_requested: boolean;
            /** Cancellable */
            cancellable: boolean;
            /** Capacity */
            capacity: number;
            /** Device */
            device: string;
            /** Ended At */
            ended_at: string | null;
            /** Id */
            id: string;
            own_words: components["schemas"]["OwnWordsWire"] | null;
            /**
             * Requested At
             * Format: date-time
             */
            requested_at: string;
            /** Requested By */
            requested_by: string;
            /** Sentence */
            sentence: string | null;
            share: components["schemas"]["Figure"];
            /** Source Storage */
            source_storage: string;
            /**
             * State
             * @enum {string}
             */
            state: "asked" | "moving" | "uncertain" | "done" | "failed" | "cancelled";
            /** Target Storage */
            target_storage: string;
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
        };
        /**
         * DiskNeedWire
         * @description A disk that the host does not reach where it is, and where it can go; ``storage`` is where it is.
         */
        DiskNeedWire: {
            /** Capacity */
            capacity: number | null;
            /** Device */
            device: string;
            /** Places */
            places: components["schemas"]["PlaceWire"][];
            /** Storage */
            storage: string | null;
            /** Suggested */
            suggested: number | null;
        };
        /**
         * DiskWire
         * @description One disk of a VM. ``storage`` is None where no repository is known for it.
         */
        DiskWire: {
            /** Capacity */
            capacity: number | null;
            /** Device */
            device: string;
            /** Format */
            format: string;
            /** Path */
            path: string;
            /** Shared */
            shared: boolean;
            /** Storage */
            storage: string | null;
        };
        /**
         * EventFrame
         * @description One event on the socket. ``previous`` is the sequence this reader got before it.
         *
         *     A reader whose own last sequence is not ``previous`` has a gap and refetches.
         */
        EventFrame: {
            /** Event */
            event: components["schemas"]["HostChanged"] | components["schemas"]["HostRemoved"] | components["schemas"]["VmChanged"] | components["schemas"]["VmRemoved"] | components["schemas"]["StorageRepositoryChanged"] | components["schemas"]["StorageRepositoryRemoved"] | components["schemas"]["MigrationChanged"] | components["schemas"]["MaintenanceChanged"] | components["schemas"]["DiskMoveChanged"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "event";
            /** Previous */
            previous: number;
            /** Sequence */
            sequence: number;
        };
        /**
         * FieldFault
         * @description One field that does not fit, and why.
         */
        FieldFault: {
            /** Field */
            field: string;
            /** Sentence */
            sentence: string;
        };
        /**
         * Figure
         * @description One number together with where it comes from.
         */
        Figure: {
            /**
             * Provenance
             * @enum {string}
             */
            provenance: "measured" | "estimated" | "not_available";
            /** Value */
            value: number | null;
        };
        /**
         * FindingWire
         * @description One reason of a verdict: what was found, how bad, and what helps.
         *
         *     ``overridable`` says that a person with the right may go on in spite of it.
         */
        FindingWire: {
            /** Code */
            code: string;
            /** Facts */
            facts: {
                [key: string]: string | number | boolean | string[] | null;
            };
            /** Overridable */
            overridable: boolean;
            /** Remedy */
            remedy: string;
            /** Sentence */
            sentence: string;
            /**
             * Severity
             * @enum {string}
             */
            severity: "blocker" | "warning" | "note";
        };
        /**
         * ForecastErrorWire
         * @description How far the forecasts of finished moves were off in the total time, as shares of what was measured.
         *
         *     Each was stored before its call. ``hit_share`` is how many totals fell into their interval, 0..1.
         */
        ForecastErrorWire: {
            /** Hit Share */
            hit_share: number | null;
            /** Median */
            median: number | null;
            /** Moves */
            moves: number;
            /** P90 */
            p90: number | null;
        };
        /**
         * ForecastPartsWire
         * @description Where the likely time goes; what is behind a running move already is not part of it.
         */
        ForecastPartsWire: {
            /** Disks Ms */
            disks_ms: number;
            /** Finish Ms */
            finish_ms: number;
            /** First Pass Ms */
            first_pass_ms: number;
            /** Later Passes Ms */
            later_passes_ms: number;
            /** Pause Ms */
            pause_ms: number;
            /** Start Ms */
            start_ms: number;
        };
        /**
         * ForecastWire
         * @description What is to be expected of a move; estimated. Without ranges it will not end by itself.
         *
         *     ``basis`` says what it rests on: past moves of the VM, its change rate as it was
         *     measured, the passes of the very move, or nothing but assumptions.
         */
        ForecastWire: {
            /**
             * Basis
             * @enum {string}
             */
            basis: "past_moves" | "measured" | "passes" | "assumed";
            downtime: components["schemas"]["RangeWire"] | null;
            /**
             * Ending
             * @enum {string}
             */
            ending: "will" | "may_not" | "will_not";
            /** @default null */
            parts: components["schemas"]["ForecastPartsWire"] | null;
            /** Passes */
            passes: number;
            /** Sent */
            sent: number;
            total: components["schemas"]["RangeWire"] | null;
        };
        Frame: components["schemas"]["EventFrame"] | components["schemas"]["HelloFrame"] | components["schemas"]["ResyncFrame"];
        /**
         * GuardCostWire
         * @description How long a VM stands still for a guard, estimated from earlier guards of its host, and not available without.
         */
        GuardCostWire: {
            pause_ms: components["schemas"]["Figure"];
            pause_with_memory_ms: components["schemas"]["Figure"];
        };
        /**
         * GuardWire
         * @description A VM's disks, and its memory where that was kept, as they were before its move.
         *
         *     ``done`` and ``total`` are bytes of what its state does now. ``expected_pause_ms`` was estimated before,
         *     ``pause_ms`` measured. ``memory_back_at`` is when a roll-back let the VM go on with its memory.
         *     ``can_roll_back`` and ``removable`` say what the state allows; who may is personal.
         */
        GuardWire: {
            /**
             * Asked At
             * Format: date-time
             */
            asked_at: string;
            /** Automatic */
            automatic: boolean;
            /** Can Roll Back */
            can_roll_back: boolean;
            /** Done */
            done: number;
            expected_pause_ms: components["schemas"]["Figure"];
            /** Expires At */
            expires_at: string | null;
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Id */
            id: string;
            /** Memory Back At */
            memory_back_at: string | null;
            /** Paths */
            paths: string[];
            pause_ms: components["schemas"]["Figure"];
            /** Reason */
            reason: string;
            /** Removable */
            removable: boolean;
            /** Roll Back By */
            roll_back_by: string | null;
            /** Roll Back Reason */
            roll_back_reason: string | null;
            /** Rolled Back At */
            rolled_back_at: string | null;
            /** Sentence */
            sentence: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "asked" | "taking" | "copying" | "clearing" | "flagged" | "kept" | "rolling_back" | "restoring" | "removing" | "removed" | "failed";
            /** Total */
            total: number;
            /** With Memory */
            with_memory: boolean;
        };
        /**
         * HeldVolumeWire
         * @description A logical volume that a move has left active on a host; it is let go by itself, ``refusal`` says why not yet.
         */
        HeldVolumeWire: {
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Path */
            path: string;
            /** Refusal */
            refusal: string | null;
            /**
             * Since
             * Format: date-time
             */
            since: string;
        };
        /**
         * HelloFrame
         * @description First frame of a socket: the sequence from which the feed goes on.
         */
        HelloFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "hello";
            /** Sequence */
            sequence: number;
        };
        /**
         * HostBody
         * @description A host, by its URI or by the parts of one. The credential is never read back.
         *
         *     ``fingerprints`` are of the certificates that are trusted for a XAPI host and for whoever leads its pool.
         */
        HostBody: {
            /**
             * Address
             * @default
             */
            address: string;
            /**
             * Credential
             * @default
             */
            credential: string;
            /** Fingerprints */
            fingerprints?: string[];
            /**
             * Hypervisor
             * @default
             */
            hypervisor: string;
            /**
             * Migration Address
             * @default
             */
            migration_address: string;
            /** Pool */
            pool: string;
            /** Port */
            port?: number | null;
            /**
             * Transport
             * @default
             */
            transport: string;
            /**
             * Uri
             * @default
             */
            uri: string;
            /**
             * User
             * @default
             */
            user: string;
        };
        /**
         * HostChanged
         * @description A host's facts changed; applies as an upsert by ``host.id``.
         */
        HostChanged: {
            host: components["schemas"]["HostWire"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "host_changed";
        };
        /**
         * HostPage
         * @description Some hosts.
         */
        HostPage: {
            /** Items */
            items: components["schemas"]["HostWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * HostRemoved
         * @description A host left the inventory.
         */
        HostRemoved: {
            /** Host Id */
            host_id: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "host_removed";
        };
        /**
         * HostWire
         * @description A host with the meters of its column. ``cpu_load`` is 0..1 of all CPUs.
         *
         *     ``takes_vms`` is the hypervisor's own word, None where it knows no such thing; ``maintenance`` names ours.
         */
        HostWire: {
            /** As Of */
            as_of: string | null;
            /** Cpu Count */
            cpu_count: number;
            /** Cpu Load */
            cpu_load: number | null;
            /** Hypervisor */
            hypervisor: string;
            /** Id */
            id: number;
            /** Maintenance */
            maintenance: string | null;
            /** Memory Free */
            memory_free: number | null;
            /** Memory Total */
            memory_total: number;
            /** Name */
            name: string;
            /** Pool */
            pool: string;
            /** Simulated */
            simulated: boolean;
            /**
             * State
             * @enum {string}
             */
            state: "connected" | "unreachable" | "disabled";
            /** State Reason */
            state_reason: string;
            /** Storage */
            storage: string[];
            /** Takes Vms */
            takes_vms: boolean | null;
            /** Uuid */
            uuid: string;
            /** Version */
            version: string;
        };
        /**
         * LeftoverDiskPage
         * @description Some disks that moves have left behind.
         */
        LeftoverDiskPage: {
            /** Items */
            items: components["schemas"]["LeftoverDiskWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * LeftoverDiskWire
         * @description A disk that a move has left on a host: the old copy, or (``partial``) part of a new one.
         *
         *     ``removable`` says whether it can be asked to be deleted; ``refusal`` why it was not.
         */
        LeftoverDiskWire: {
            /** Asked By */
            asked_by: string | null;
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Id */
            id: number;
            /** Migration */
            migration: string;
            /** Partial */
            partial: boolean;
            /** Path */
            path: string;
            /** Refusal */
            refusal: string | null;
            /** Removable */
            removable: boolean;
            /** Removed At */
            removed_at: string | null;
            /** Removing */
            removing: boolean;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /** Size */
            size: number;
            /** Vm Name */
            vm_name: string;
        };
        /**
         * MaintenanceBody
         * @description Which VMs are sent away when the host is taken out of service, and to where; all others stay.
         */
        MaintenanceBody: {
            /** Moves */
            moves?: components["schemas"]["PlannedMoveBody"][];
            /**
             * Reason
             * @default
             */
            reason: string;
        };
        /**
         * MaintenanceChanged
         * @description A host's maintenance went on; an upsert by id.
         */
        MaintenanceChanged: {
            maintenance: components["schemas"]["MaintenanceWire"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "maintenance_changed";
        };
        /**
         * MaintenanceMovesBody
         * @description VMs to be sent away as well, or once more.
         */
        MaintenanceMovesBody: {
            /** Moves */
            moves: components["schemas"]["PlannedMoveBody"][];
        };
        /**
         * MaintenanceMoveWire
         * @description One move of a maintenance; ``code``, ``sentence`` and ``remedy`` say why it failed or was refused.
         */
        MaintenanceMoveWire: {
            /** Back */
            back: boolean;
            /** Code */
            code: string | null;
            /** Id */
            id: number;
            /** Migration */
            migration: string | null;
            /** Remedy */
            remedy: string | null;
            /** Sentence */
            sentence: string | null;
            /** Source */
            source: number;
            /** Source Name */
            source_name: string;
            /**
             * Stage
             * @enum {string}
             */
            stage: "to_ask" | "refused" | "waiting" | "moving" | "uncertain" | "done" | "failed" | "cancelled";
            /** Target */
            target: number;
            /** Target Name */
            target_name: string;
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
            /** Why */
            why: string;
        };
        /**
         * MaintenancePage
         * @description Some maintenances, newest first.
         */
        MaintenancePage: {
            /** Items */
            items: components["schemas"]["MaintenanceWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * MaintenancePlanWire
         * @description What would become of every VM of a host; nothing is stored by asking. The moves stand in their order.
         *
         *     ``held_by`` says who keeps VMs away: the hypervisor, or we alone. ``disabled`` that another hand has
         *     disabled the host already. ``arriving`` are the names of VMs that are on their way to it now.
         */
        MaintenancePlanWire: {
            /** Arriving */
            arriving: string[];
            /** Disabled */
            disabled: boolean;
            /**
             * Held By
             * @enum {string}
             */
            held_by: "hypervisor" | "xenweb";
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Hosts */
            hosts: components["schemas"]["PlanHostWire"][];
            /** Moves */
            moves: components["schemas"]["PlannedMoveWire"][];
            /** Stays */
            stays: components["schemas"]["StayingWire"][];
        };
        /**
         * MaintenanceQuery
         * @description Where to go on, and how far.
         */
        MaintenanceQuery: {
            /** Cursor */
            cursor?: string | null;
            /**
             * Limit
             * @default 50
             */
            limit: number;
        };
        /**
         * MaintenanceStayWire
         * @description A VM that was left on the host when its maintenance began, and why.
         */
        MaintenanceStayWire: {
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            /** Left */
            left: boolean;
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
        };
        /**
         * MaintenanceWire
         * @description A host's maintenance. ``ready_at`` is when the host itself was asked and ran nothing.
         *
         *     ``moves`` hold the newest try of each VM and direction. ``endable`` is what the state allows; who may is personal.
         *     ``own_words`` are the raw code and parameters of the pool that refused.
         */
        MaintenanceWire: {
            /** Active */
            active: boolean;
            /** Closed At */
            closed_at: string | null;
            /** Code */
            code: string | null;
            /** Endable */
            endable: boolean;
            /** Ended At */
            ended_at: string | null;
            /** Ended By */
            ended_by: string | null;
            /** Held By */
            held_by: ("hypervisor" | "xenweb") | null;
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Id */
            id: string;
            /** Moves */
            moves: components["schemas"]["MaintenanceMoveWire"][];
            own_words: components["schemas"]["OwnWordsWire"] | null;
            /** Ready At */
            ready_at: string | null;
            /** Reason */
            reason: string;
            /** Remedy */
            remedy: string | null;
            /**
             * Requested At
             * Format: date-time
             */
            requested_at: string;
            /** Requested By */
            requested_by: string;
            /** Sentence */
            sentence: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "asked" | "closing" | "moving" | "ready" | "opening" | "uncertain" | "ended" | "failed";
            /** Stays */
            stays: components["schemas"]["MaintenanceStayWire"][];
            /** Was Disabled */
            was_disabled: boolean;
        };
        /**
         * MapsBody
         * @description Where disks and network cards go that cannot stay where they are: each that the verdict's ``needs`` name.
         */
        MapsBody: {
            /** Cards */
            cards?: components["schemas"]["CardMapBody"][];
            /** Disks */
            disks?: components["schemas"]["DiskMapBody"][];
        };
        /**
         * MigrationBody
         * @description A VM and where it is to go, each by id or by UUID.
         *
         *     Without ``maps`` its disks and network cards go where the verdict suggests; with them they must be complete.
         */
        MigrationBody: {
            maps?: components["schemas"]["MapsBody"] | null;
            options?: components["schemas"]["OptionsBody"];
            override?: components["schemas"]["OverrideBody"] | null;
            /** Target */
            target: number | string;
            /** Vm */
            vm: number | string;
        };
        /**
         * MigrationChanged
         * @description A migration changed state, started a pass or made progress; an upsert by id.
         */
        MigrationChanged: {
            migration: components["schemas"]["MigrationWire"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "migration_changed";
        };
        /**
         * MigrationPage
         * @description Some migrations, newest first.
         */
        MigrationPage: {
            /** Items */
            items: components["schemas"]["MigrationWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * MigrationQuery
         * @description Which migrations to list; ``state`` may be given several times.
         */
        MigrationQuery: {
            /** Active */
            active?: boolean | null;
            /** Cursor */
            cursor?: string | null;
            /**
             * Limit
             * @default 50
             */
            limit: number;
            /** State */
            state?: ("requested" | "queued" | "checking" | "preparing" | "copying_storage" | "pre_copy" | "stop_and_copy" | "post_copy" | "cancelling" | "verifying" | "uncertain" | "done" | "failed" | "cancelled")[];
            /** Vm */
            vm?: string | null;
        };
        /**
         * MigrationWire
         * @description A migration as everybody who may see it sees it. ``copied_bytes`` are those of disks.
         *
         *     ``cancellable`` says whether asking the hypervisor still makes sense;
         *     ``closable`` whether an administrator may end the move without a proof;
         *     ``waits_because`` is what keeps a queued move from beginning, in a sentence;
         *     ``held_up`` that a move was given up and its target neither receives nor lets go;
         *     ``passes_told`` whether its source tells of passes: without it the time is all that is seen;
         *     ``downtime_ms`` is how long the VM stood still, ``memory_hand_over_ms`` the part of it until
         *     its memory was whole on the target;
         *     ``failure_own_words`` are the raw code and parameters of the pool that refused or broke it;
         *     ``as_of`` is the last time a process of ours looked at the move.
         */
        MigrationWire: {
            /** Active */
            active: boolean;
            /** As Of */
            as_of: string | null;
            /** Cancel Requested */
            cancel_requested: boolean;
            /** Cancellable */
            cancellable: boolean;
            /** Choices */
            choices: components["schemas"]["ChoiceWire"][];
            /** Closable */
            closable: boolean;
            /** Command */
            command: string;
            /** Copied Bytes */
            copied_bytes: number;
            /** Deadline */
            deadline: string | null;
            downtime_ms: components["schemas"]["Figure"];
            /** Ended At */
            ended_at: string | null;
            /** Expected Start */
            expected_start: string | null;
            /** Failure Code */
            failure_code: string | null;
            failure_own_words: components["schemas"]["OwnWordsWire"] | null;
            /** Failure Remedy */
            failure_remedy: string | null;
            /** Failure Sentence */
            failure_sentence: string | null;
            forecast: components["schemas"]["ForecastWire"] | null;
            forecast_now: components["schemas"]["ForecastWire"] | null;
            guard: components["schemas"]["GuardWire"] | null;
            /** Held Up */
            held_up: boolean;
            /** Held Volumes */
            held_volumes: components["schemas"]["HeldVolumeWire"][];
            /** Hypervisor */
            hypervisor: string;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "live" | "paused" | "cold";
            /** Leftover Disks */
            leftover_disks: components["schemas"]["LeftoverDiskWire"][];
            memory_hand_over_ms: components["schemas"]["Figure"];
            /** Moved Cards */
            moved_cards: components["schemas"]["MovedCardWire"][];
            /** Moved Disks */
            moved_disks: components["schemas"]["MovedDiskWire"][];
            /** Offers */
            offers: components["schemas"]["ChoiceOfferWire"][];
            /** Options */
            options: {
                [key: string]: number | boolean | null;
            };
            override: components["schemas"]["OverrideWire"] | null;
            /** Passes */
            passes: components["schemas"]["PassWire"][];
            /** Passes Told */
            passes_told: boolean;
            preflight: components["schemas"]["PreflightWire"] | null;
            progress: components["schemas"]["ProgressWire"];
            /** Queue Place */
            queue_place: number | null;
            /**
             * Requested At
             * Format: date-time
             */
            requested_at: string;
            /** Requested By */
            requested_by: string;
            /** Source */
            source: number;
            /** Source Name */
            source_name: string;
            /** Started At */
            started_at: string | null;
            /** State */
            state: string;
            /** Target */
            target: number;
            /** Target Name */
            target_name: string;
            total_ms: components["schemas"]["Figure"];
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
            /** Vm Uuid */
            vm_uuid: string;
            /** Waits Because */
            waits_because: string | null;
        };
        /**
         * MovedCardWire
         * @description A network card that a move takes from ``network`` to ``new_network``.
         */
        MovedCardWire: {
            /** Address */
            address: string;
            /** Device */
            device: string;
            /** Network */
            network: string;
            /** New Network */
            new_network: string;
        };
        /**
         * MovedDiskWire
         * @description A disk that a move copies, and the storage that it goes to; None where the move does not say.
         */
        MovedDiskWire: {
            /** Capacity */
            capacity: number;
            /** Device */
            device: string;
            /** Storage */
            storage: string | null;
        };
        /**
         * NeedsWire
         * @description What must be chosen before a VM can move to a host, each with a suggestion where there is one.
         */
        NeedsWire: {
            /** Cards */
            cards: components["schemas"]["CardNeedWire"][];
            /** Disks */
            disks: components["schemas"]["DiskNeedWire"][];
        };
        /**
         * OptionsBody
         * @description What was chosen in the confirmation. ``bandwidth_limit`` is bytes per second.
         *
         *     ``guard`` null leaves it to what is measured of the VM; ``guard_memory`` needs ``guard`` true.
         */
        OptionsBody: {
            /**
             * Auto Converge
             * @default false
             */
            auto_converge: boolean;
            /** Bandwidth Limit */
            bandwidth_limit?: number | null;
            /** Deadline S */
            deadline_s?: number | null;
            /** Downtime Limit Ms */
            downtime_limit_ms?: number | null;
            /** Guard */
            guard?: boolean | null;
            /**
             * Guard Memory
             * @default false
             */
            guard_memory: boolean;
            /**
             * Post Copy
             * @default false
             */
            post_copy: boolean;
        };
        /**
         * OptionWire
         * @description One option the driver offers in the confirmation.
         */
        OptionWire: {
            /** Help */
            help: string;
            /** Label */
            label: string;
            /** Maximum */
            maximum: number | null;
            /** Minimum */
            minimum: number | null;
            /**
             * Name
             * @enum {string}
             */
            name: "bandwidth_limit" | "downtime_limit_ms" | "auto_converge" | "post_copy" | "guard" | "deadline_s";
            /** Unit */
            unit: string | null;
        };
        /**
         * OverrideBody
         * @description The codes of overridable findings to go on in spite of, and why; administrators only.
         */
        OverrideBody: {
            /** Codes */
            codes: string[];
            /** Reason */
            reason: string;
        };
        /**
         * OverrideWire
         * @description What a person overrode, and why.
         */
        OverrideWire: {
            /** By */
            by: string;
            /** Codes */
            codes: string[];
            /** Reason */
            reason: string;
        };
        /**
         * OwnWordsWire
         * @description What a pool itself said: its code, and its parameters with names where it wrote references.
         */
        OwnWordsWire: {
            /** Code */
            code: string;
            /** Params */
            params: string[];
        };
        /**
         * Paging
         * @description Where to go on, and how far.
         */
        Paging: {
            /** Cursor */
            cursor?: string | null;
            /**
             * Limit
             * @default 50
             */
            limit: number;
        };
        /**
         * PassPage
         * @description The passes of one migration; they come all at once.
         */
        PassPage: {
            /** Items */
            items: components["schemas"]["PassWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * PassWire
         * @description One pre-copy pass. Moments are milliseconds since the hypervisor call.
         */
        PassWire: {
            /** Dirty Rate */
            dirty_rate: number | null;
            /** Ended Ms */
            ended_ms: number | null;
            /** Pass Number */
            pass_number: number;
            /**
             * Provenance
             * @enum {string}
             */
            provenance: "measured" | "estimated" | "not_available";
            /** Remaining At End */
            remaining_at_end: number | null;
            /** Remaining At Start */
            remaining_at_start: number | null;
            /** Started Ms */
            started_ms: number;
            /** Transfer Rate */
            transfer_rate: number | null;
        };
        /**
         * PlaceWire
         * @description A storage repository that a disk can be put on; ``free`` is what is left beside moves under way.
         */
        PlaceWire: {
            /** Free */
            free: number | null;
            /** Name */
            name: string;
            /** Storage */
            storage: number;
        };
        /**
         * PlanBody
         * @description What a person chose; for all other VMs a host is looked for.
         */
        PlanBody: {
            /** Choices */
            choices?: components["schemas"]["PlanChoiceBody"][];
        };
        /**
         * PlanChoiceBody
         * @description A person's choice for one VM, each by id or by UUID: a host, or none for leaving it where it is.
         */
        PlanChoiceBody: {
            /** Target */
            target?: number | string | null;
            /** Vm */
            vm: number | string;
        };
        /**
         * PlanHostWire
         * @description What the plan makes of one host's memory; None where the host does not say what it has free.
         */
        PlanHostWire: {
            /** Coming */
            coming: number;
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Memory Free */
            memory_free: number | null;
            /** Memory Free After */
            memory_free_after: number | null;
            /** Memory Total */
            memory_total: number;
        };
        /**
         * PlannedMoveBody
         * @description A VM and where it is to go, each by id or by UUID.
         */
        PlannedMoveBody: {
            /** Target */
            target: number | string;
            /** Vm */
            vm: number | string;
        };
        /**
         * PlannedMoveWire
         * @description Where one VM goes and ``why`` there; ``warnings`` are what a person should know of that move.
         */
        PlannedMoveWire: {
            /** Memory */
            memory: number;
            /** Target */
            target: number;
            /** Target Name */
            target_name: string;
            /** Targets */
            targets: components["schemas"]["PlanTargetWire"][];
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
            /** Vm State */
            vm_state: string;
            /** Warnings */
            warnings: components["schemas"]["FindingWire"][];
            why: components["schemas"]["FindingWire"];
        };
        /**
         * PlanTargetWire
         * @description One host that a VM could be sent to, with every reason; what the plan promised of it before is taken off.
         */
        PlanTargetWire: {
            /**
             * Answer
             * @enum {string}
             */
            answer: "can_go" | "can_go_but" | "cannot_go";
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
        };
        /**
         * PreflightWire
         * @description What was found right before the call. ``taken_at`` is when the hosts began to be asked.
         */
        PreflightWire: {
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            /**
             * Taken At
             * Format: date-time
             */
            taken_at: string;
        };
        /**
         * Problem
         * @description Why something was not done. ``request_id`` finds it in the logs.
         *
         *     A 404 has no request id: what is unknown and what is another team's are
         *     answered with the same bytes.
         */
        Problem: {
            /** Code */
            code: string;
            /** Detail */
            detail: string;
            /** Errors */
            errors?: components["schemas"]["FieldFault"][];
            /** Facts */
            facts?: {
                [key: string]: string | number | boolean | string[] | null;
            };
            /** Findings */
            findings?: components["schemas"]["FindingWire"][];
            /** Remedy */
            remedy: string;
            /** Request Id */
            request_id?: string | null;
            /** Status */
            status: number;
            /** Title */
            title: string;
            /** Type */
            type: string;
        };
        /**
         * ProgressWire
         * @description Where a move stands now. ``total`` is 0..1 and never runs backwards; ``memory`` is that of memory alone.
         *
         *     The ``disk_*`` are of the disks that are copied along, all other sizes of memory alone.
         *     ``throttle`` is the percentage of its CPU time that the hypervisor last kept from the
         *     VM so that it changes less: it is known only where the move slows its VM down.
         */
        ProgressWire: {
            /** Converging */
            converging: boolean | null;
            dirty_rate: components["schemas"]["Figure"];
            disk_processed: components["schemas"]["Figure"];
            disk_remaining: components["schemas"]["Figure"];
            disk_total: components["schemas"]["Figure"];
            /** Elapsed Ms */
            elapsed_ms: number | null;
            expected_downtime_ms: components["schemas"]["Figure"];
            memory: components["schemas"]["Figure"];
            /** Pass Number */
            pass_number: number | null;
            remaining: components["schemas"]["Figure"];
            throttle: components["schemas"]["Figure"];
            total: components["schemas"]["Figure"];
            transfer_rate: components["schemas"]["Figure"];
            transferred: components["schemas"]["Figure"];
        };
        /**
         * RangeWire
         * @description A length of time that is not known exactly.
         */
        RangeWire: {
            /** High Ms */
            high_ms: number;
            /** Likely Ms */
            likely_ms: number;
            /** Low Ms */
            low_ms: number;
        };
        /**
         * ResyncFrame
         * @description The feed cannot go on from where the reader stands: refetch the snapshot.
         */
        ResyncFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "resync";
            /** Reason */
            reason: string;
        };
        /**
         * ReturnBody
         * @description VMs to be brought back, by id or by UUID.
         */
        ReturnBody: {
            /** Vms */
            vms: (number | string)[];
        };
        /**
         * ReturnPlanWire
         * @description Which VMs of an ended maintenance could go back to its host, and which cannot, with every reason.
         */
        ReturnPlanWire: {
            /** Host */
            host: number;
            /** Host Name */
            host_name: string;
            /** Moves */
            moves: components["schemas"]["PlannedMoveWire"][];
            /** Stays */
            stays: components["schemas"]["StayingWire"][];
        };
        /**
         * RollBackBody
         * @description Why a VM is to be what it was before its move: what was written since then is lost.
         */
        RollBackBody: {
            /** Reason */
            reason: string;
        };
        /**
         * State
         * @description The states of a move, in the order in which a move meets them.
         * @enum {string}
         */
        State: "requested" | "queued" | "checking" | "preparing" | "copying_storage" | "pre_copy" | "stop_and_copy" | "post_copy" | "cancelling" | "verifying" | "uncertain" | "done" | "failed" | "cancelled";
        /**
         * StayingWire
         * @description A VM that stays on the host, with every reason; ``left`` says that it could go and is left by choice.
         */
        StayingWire: {
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            /** Left */
            left: boolean;
            /** Memory */
            memory: number;
            /** Targets */
            targets: components["schemas"]["PlanTargetWire"][];
            /** Vm */
            vm: number;
            /** Vm Name */
            vm_name: string;
            /** Vm State */
            vm_state: string;
        };
        /**
         * StorageCostPage
         * @description What kinds of storage cost; it comes all at once.
         */
        StorageCostPage: {
            /** Items */
            items: components["schemas"]["StorageCostWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * StorageCostWire
         * @description What a kind of storage costs: ``middle_ms`` of all samples, and ``ratio`` to block storage on a SAN in that run.
         *
         *     ``low`` and ``high`` are the ratios of the smallest and the largest sample. ``hand_over`` is how long a VM's disk
         *     stands still in a move (on own moves: the VM's pause), ``write`` and ``read`` are of 4 KiB past the host's cache.
         *     ``origin`` says where it was measured: on this installation's moves, by a benchmark here, or on the Xen lab.
         */
        StorageCostWire: {
            /**
             * Cost
             * @enum {string}
             */
            cost: "hand_over" | "write" | "read";
            /** High */
            high: number | null;
            /** Low */
            low: number | null;
            /** Measured On */
            measured_on: string | null;
            middle_ms: components["schemas"]["Figure"];
            /** Origin */
            origin: ("own_moves" | "own_bench" | "lab") | null;
            ratio: components["schemas"]["Figure"];
            /** Samples */
            samples: number;
            /**
             * Storage
             * @enum {string}
             */
            storage: "san_block" | "nfs" | "ocfs2";
        };
        /**
         * StorageRepositoryChanged
         * @description A storage repository's facts changed; an upsert by ``storage_repository.id``.
         */
        StorageRepositoryChanged: {
            storage_repository: components["schemas"]["StorageRepositoryWire"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "storage_repository_changed";
        };
        /**
         * StorageRepositoryPage
         * @description Some storage repositories.
         */
        StorageRepositoryPage: {
            /** Items */
            items: components["schemas"]["StorageRepositoryWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * StorageRepositoryRemoved
         * @description A storage repository that no host reached any more is gone.
         */
        StorageRepositoryRemoved: {
            /** Storage Repository Id */
            storage_repository_id: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "storage_repository_removed";
        };
        /**
         * StorageRepositoryWire
         * @description A place where disks live. Source: the driver's inventory; ``vouched`` is an administrator's word.
         *
         *     ``proven`` says that whoever names it reaches the same storage, so that nobody's word is needed.
         */
        StorageRepositoryWire: {
            /** Available */
            available: number | null;
            /** Capacity */
            capacity: number | null;
            /** Hosts */
            hosts: number[];
            /** Id */
            id: number;
            /** Kind */
            kind: string;
            /** Name */
            name: string;
            /** Pool */
            pool: string;
            /** Proven */
            proven: boolean;
            /** Shared */
            shared: boolean;
            /**
             * Storage
             * @enum {string}
             */
            storage: "san_block" | "nfs" | "ocfs2" | "local_block" | "local_file" | "unknown";
            /** Vouched */
            vouched: boolean;
        };
        /**
         * VerdictBody
         * @description A host to judge, by id or by UUID, and where disks and network cards would go.
         */
        VerdictBody: {
            maps?: components["schemas"]["MapsBody"];
            /** Target */
            target: number | string;
        };
        /**
         * VerdictsWire
         * @description The answer to lifting a card: every host's verdict, and the options on offer.
         *
         *     ``guard`` says what a guard would cost; None where none is offered.
         *     ``may_override`` is personal: whether this person may override what is overridable.
         */
        VerdictsWire: {
            forecast_error: components["schemas"]["ForecastErrorWire"];
            guard: components["schemas"]["GuardCostWire"] | null;
            /** May Override */
            may_override: boolean;
            /** Options */
            options: components["schemas"]["OptionWire"][];
            /** Source */
            source: number | null;
            /** Verdicts */
            verdicts: components["schemas"]["VerdictWire"][];
            /** Vm */
            vm: number;
        };
        /**
         * VerdictWire
         * @description Whether one host can take the VM, with every reason. ``needs`` is None where nothing is to be chosen.
         */
        VerdictWire: {
            /**
             * Answer
             * @enum {string}
             */
            answer: "can_go" | "can_go_but" | "cannot_go";
            /** Facts Age Ms */
            facts_age_ms: number | null;
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            forecast: components["schemas"]["ForecastWire"] | null;
            /** Host */
            host: number;
            /** Memory Free After */
            memory_free_after: number | null;
            /** Memory Total */
            memory_total: number;
            needs: components["schemas"]["NeedsWire"] | null;
        };
        /**
         * VmChanged
         * @description A VM's facts changed; applies as an upsert by ``vm.id``.
         */
        VmChanged: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "vm_changed";
            vm: components["schemas"]["VmWire"];
        };
        /**
         * VmDiskPage
         * @description The disks of one VM; they come all at once.
         */
        VmDiskPage: {
            /** Items */
            items: components["schemas"]["VmDiskWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * VmDiskWire
         * @description A disk of a VM, where it can go, and why it cannot be moved now; ``storage`` is where it is.
         */
        VmDiskWire: {
            /** Capacity */
            capacity: number | null;
            /** Device */
            device: string;
            /** Findings */
            findings: components["schemas"]["FindingWire"][];
            /** Places */
            places: components["schemas"]["PlaceWire"][];
            /** Storage */
            storage: string | null;
        };
        /**
         * VmPage
         * @description Some VMs.
         */
        VmPage: {
            /** Items */
            items: components["schemas"]["VmWire"][];
            /** Next */
            next: string | null;
        };
        /**
         * VmRemoved
         * @description A VM is gone, or is no longer visible to the reader.
         */
        VmRemoved: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "vm_removed";
            /** Vm Id */
            vm_id: number;
        };
        /**
         * VmWire
         * @description A VM on its card. ``resident_on`` is the host id, a fact and never a wish.
         *
         *     ``migration`` names the active migration, if there is one. ``disks_movable`` says that its host can move single
         *     disks of it to other storage while it runs. ``dirty_rate`` is bytes
         *     a second, sampled at ``dirty_rate_at`` while the VM did not move: at least so much.
         */
        VmWire: {
            /** As Of */
            as_of: string | null;
            /** Conflict */
            conflict: boolean;
            /** Cpu Load */
            cpu_load: number | null;
            dirty_rate: components["schemas"]["Figure"];
            /** Dirty Rate At */
            dirty_rate_at: string | null;
            /** Disks */
            disks: components["schemas"]["DiskWire"][];
            /** Disks Movable */
            disks_movable: boolean;
            /** Id */
            id: number;
            /** May Move */
            may_move: boolean;
            /** Memory */
            memory: number;
            /** Migration */
            migration: string | null;
            /** Name */
            name: string;
            /** Resident On */
            resident_on: number | null;
            /**
             * State
             * @enum {string}
             */
            state: "running" | "paused" | "halted" | "suspended" | "crashed" | "unknown";
            /** Team */
            team: string | null;
            /** Uuid */
            uuid: string;
            /** Vcpus */
            vcpus: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    audit_list: {
        parameters: {
            query?: {
                action?: string;
                actor?: string;
                cursor?: string | null;
                limit?: number;
                outcome?: string;
                q?: string;
                since?: string | null;
                subject?: string;
                until?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    board_read: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BoardWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    disk_move_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                move: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DiskMoveWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    disk_move_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                move: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DiskMoveWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    hosts_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    host_add: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["HostBody"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    host_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                host: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    host_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                host: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_begin: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                host: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MaintenanceBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenanceWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_plan: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                host: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlanBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenancePlanWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    certificates_look: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CertificatesBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CertificatesSeen"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    leftover_disks_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeftoverDiskPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    leftover_disk_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                disk: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeftoverDiskWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenances_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenancePage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                maintenance: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenanceWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_end: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                maintenance: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenanceWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_moves_add: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                maintenance: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MaintenanceMovesBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenanceWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    maintenance_return: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                maintenance: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReturnBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaintenanceWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    return_plan_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                maintenance: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReturnPlanWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    me_read: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActorWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    migrations_list: {
        parameters: {
            query?: {
                active?: boolean | null;
                cursor?: string | null;
                limit?: number;
                state?: ("requested" | "queued" | "checking" | "preparing" | "copying_storage" | "pre_copy" | "stop_and_copy" | "post_copy" | "cancelling" | "verifying" | "uncertain" | "done" | "failed" | "cancelled")[];
                vm?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    migration_request: {
        parameters: {
            query?: never;
            header?: {
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MigrationBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    migration_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    migration_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    choice_request: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChoiceBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    migration_close: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CloseBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    guard_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    guard_roll_back: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RollBackBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MigrationWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    passes_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                migration: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PassPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    storage_costs_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StorageCostPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    storage_repositories_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StorageRepositoryPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    storage_repository_vouch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                repository: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StorageRepositoryWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    storage_repository_vouch_withdraw: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                repository: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StorageRepositoryWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    vms_list: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VmPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    vm_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                vm: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VmWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    vm_disks_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                vm: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VmDiskPage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    disk_move_request: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                device: string;
                vm: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DiskMoveBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DiskMoveWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verdicts_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                vm: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VerdictsWire"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verdict_for_maps: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                vm: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VerdictBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VerdictWire"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
