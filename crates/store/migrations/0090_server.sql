-- Connections that log in to a server of their own.

-- Where the server is, and how the way there is protected: a domain::connection::Server; null of
-- kinds that go with web requests. Its origin stands with the others.
alter table connection add column server jsonb;
