-- Runs that did not succeed are looked for among millions that did. An index that mentions `state`
-- would be written with each of its changes; this column changes only for the few.

alter table run add column ended_badly boolean not null
    generated always as (state in ('failed', 'in_doubt', 'quarantined', 'canceled')) stored;

create index run_ended_badly_organization_idx on run (organization_id, run_id)
    where ended_badly and not is_test;
create index run_ended_badly_integration_idx on run (integration_id, run_id)
    where ended_badly and not is_test;
