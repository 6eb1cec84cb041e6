-- Polls are claimed in turns of organizations, so that one with a thousand of them that are answered
-- slowly keeps no other waiting.

-- Goes from one organization to the next, and finds what of each is due.
create index poll_organization_idx on poll (organization_id, next_at) where next_at is not null;

-- Counts those that processes are at now: as many as there are places for them.
create index poll_lease_idx on poll (lease_until) where lease_until is not null;
