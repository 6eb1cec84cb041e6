-- Owners of connections: who uses one, or uses it otherwise, needs the approval of one of them.

alter table owner_rule
    add connection_id uuid references connection on delete cascade,
    drop constraint owner_rule_scope_check,
    add constraint owner_rule_scope_check
        check (num_nonnulls(integration_id, step_kind, connection_id) = 1),
    drop constraint owner_rule_key,
    add constraint owner_rule_key
        unique nulls not distinct
        (organization_id, integration_id, step_kind, connection_id, account_id);

-- Owners of a connection that goes are looked for by it.
create index owner_rule_connection_idx on owner_rule (connection_id);

-- The connections that the change touches, as `kinds` has the kinds of steps.
alter table review add connections uuid[] not null default '{}';
alter table review alter connections drop default;
