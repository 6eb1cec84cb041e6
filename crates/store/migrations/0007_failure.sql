-- Ends that a person deals with, resuming, and processes that end without a word.

alter table run drop constraint run_state_check;
alter table run add constraint run_state_check check (state in
    ('queued', 'running', 'waiting', 'succeeded', 'failed', 'in_doubt', 'quarantined', 'canceled'));

-- When someone resumed it the last time.
alter table run add column resumed_at timestamptz;

-- A resumed run is queued anew, with fences above all that it ever had: each number is the start
-- of a range of its own, so that what an old claim still writes is refused.
create sequence run_resume_seq;

-- Processes that execute runs. Each holds the advisory lock `lock_key` on a connection that it
-- keeps open: when the process ends, however it does, Postgres frees the lock at once, and others
-- take its runs without waiting for their leases.
create table worker (
    worker_id uuid primary key,
    lock_key bigint not null,
    -- When it took the lock the last time.
    since timestamptz not null default now()
);
