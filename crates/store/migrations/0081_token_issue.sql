-- The issues of a row that takes the place of another one go on elsewhere: who exchanges a token of
-- the one before finds none of its own, also when both have counted as far. Far enough apart for
-- one exchange a second in a hundred years.
create sequence connection_token_issue minvalue 0 start 0 increment 4294967296;
-- What is there has begun at 0.
select nextval('connection_token_issue') from connection_token limit 1;
alter table connection_token alter column issue set default nextval('connection_token_issue');
alter sequence connection_token_issue owned by connection_token.issue;
