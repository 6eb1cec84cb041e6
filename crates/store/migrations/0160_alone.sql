-- A run that was taken over again and again is executed by this worker with no other of these beside
-- it: if the process ends, it was not for a neighbour. Set with the claim, before anything of the run
-- is read; not any more once something of it is durable, another one may join it, or it was given
-- back. So whoever takes it over while this is true sets it aside.
alter table run_queue add column is_alone boolean not null default false;
